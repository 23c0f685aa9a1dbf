"""Imports of the user's own code: what is loaded is what the run read when it began, not what the files hold by now."""

import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder, SourceLoader
from pathlib import Path
from types import ModuleType

from lrsearch.task.sources import Code


class _KeptSource(SourceLoader):
    """Loads a module from the content that its file had, not from cached bytecode, whose times are of whole seconds."""

    def __init__(self, path: str, content: bytes) -> None:
        self._path = path
        self._content = content

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str | bytes) -> bytes:
        return self._content

    def exec_module(self, module: ModuleType) -> None:
        with suppress(SyntaxError, UnicodeDecodeError):  # which are raised by what follows
            lines = importlib.util.decode_source(self._content).splitlines(keepends=True)
            # Without a time the entry stays: tracebacks and torch.jit.script, which compiles sources, see what runs.
            linecache.cache[self._path] = (len(self._content), None, lines, self._path)
        super().exec_module(module)


class _OwnModules(MetaPathFinder):
    """Finds modules where Python does, and loads those of the code in use from it."""

    def __init__(self) -> None:
        self._files: Mapping[Path, bytes] = {}
        self._names: frozenset[str] = frozenset()
        self._loaded: dict[str, tuple[Path, bytes]] = {}
        """What was loaded from kept sources, by the modules' names."""

    def use(self, files: Mapping[Path, bytes]) -> None:
        """Load from these files on. What was loaded of others, or of other content, is let go of, all together."""
        if files is self._files:
            return
        if any(files.get(path) != content for path, content in self._loaded.values()):
            for name in self._loaded:
                sys.modules.pop(name, None)
            self._loaded.clear()
        self._files = files
        self._names = frozenset(path.parent.name if path.stem == "__init__" else path.stem for path in files)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def load(self, name: str, path: Path) -> ModuleType:
        """Load a file as a module of a name, once as long as the code in use stays the same."""
        if self._loaded.get(name, (None,))[0] == path and name in sys.modules:
            return sys.modules[name]
        loader = self._loader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name], self._loaded[name]
            raise
        return module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.rpartition(".")[2] not in self._names:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(fullname, path, target) if finder is not self else None
            if spec is None:
                continue
            if isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                file = Path(spec.loader.path).resolve()
                if file in self._files:
                    spec.loader = self._loader(fullname, file)
            return spec
        return None

    def _loader(self, name: str, path: Path) -> _KeptSource:
        content = self._files[path]
        self._loaded[name] = path, content
        return _KeptSource(str(path), content)


_OWN = _OwnModules()


def use_code(code: Code) -> None:
    """Import the user's own modules from this code from here on."""
    _OWN.use(code.files)


def load_file(path: Path) -> ModuleType:
    """Return the module of a file that is in the code in use, loaded once; modules beside it can be imported."""
    folder = str(path.parent)
    if sys.path[:1] != [folder]:  # as if the file were run as a script
        sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]
    return _OWN.load(f"lrsearch_workload_{path.stem}", path)
