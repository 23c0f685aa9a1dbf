"""The source of a workload's file and of the modules beside it that it imports, as far as it counts for a training."""

import ast
import importlib.util
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

_WITH_VERSIONS = ("lrsearch", "cprop")
"""Packages whose results have a version in the identity; a checkout may hold them beside a task."""
_INSTALLED = ("site-packages", "dist-packages")
_STANDARD = sysconfig.get_path("stdlib")
_Name = tuple[str, ...]
"""A module's dotted name, in parts."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of Python, as it was read once: what is loaded of it and what is on record are the same.

    Attributes:
        path: where it lies, absolute, links resolved.
        content: what it holds.
        text: that without comments, and without what only a script runs.
    """

    path: Path
    content: bytes
    text: str


@dataclass(frozen=True)
class Code:
    """The code of the user's own that a task's trainings run, read once in a run: it is loaded from here.

    Attributes:
        digest: of its sources without comments, in 16 hexadecimal digits; None where there are none.
        files: those that it lies in, absolute, each with its content.
        optimizers: digests of the code of entries' optimizers that are no installed package's, by the entries' names.
        data: of a notebook's function, digests of the tensors and arrays that it reads, by name.
        unseen: what else such a function reads, of which nothing is known, each as ``name (type)``.
    """

    digest: str | None
    files: Mapping[Path, bytes]
    optimizers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()


def sources_of_file(path: Path) -> Iterator[Source]:
    """Read a file, then what it imports from its folder, and so on.

    Modules (``NAME.py``) and packages (``NAME/``) count, these with the modules of theirs that are imported, and not
    what stands under ``if __name__ == "__main__"``, which no training runs.
    """
    path = path.resolve()  # as Python does with a script: what it imports lies beside the file, not beside a link
    yield from _Sources(path.parent, path.stem).of_file(path, ())


def sources_of_own_module(name: str, folder: Path) -> Iterator[Source]:
    """Read a module and what it imports, from a folder or wherever Python finds it; nothing of an installed package."""
    top = name.partition(".")[0]
    if not ((folder / f"{top}.py").is_file() or (folder / top).is_dir()):
        try:
            spec = importlib.util.find_spec(top)  # of the package alone: to look for a module within imports it
        except (ImportError, ValueError):
            return
        if spec is None or spec.origin is None or not spec.has_location or _is_installed(Path(spec.origin)):
            return
        folder = Path(spec.origin).parents[1 if spec.submodule_search_locations is not None else 0]
    yield from _Sources(folder.resolve(), top).of_module(tuple(name.split(".")))


def sources_of_module(name: str) -> Iterator[Source]:
    """Read a module and what it imports, as ``sources_of_file``; nothing where it has no source."""
    try:
        spec = importlib.util.find_spec(name)
    except (Exception, SystemExit):  # importing its package raised: reported when the workload is made
        return
    if spec is not None and spec.origin and spec.origin.endswith(".py"):
        yield from _from(name, Path(spec.origin), is_package=spec.submodule_search_locations is not None)


def sources_of_imported(module: ModuleType) -> Iterator[Source]:
    """Read the file of a module that is imported and what it imports, as ``sources_of_module``."""
    if (file := getattr(module, "__file__", None)) and file.endswith(".py"):
        yield from _from(module.__name__, Path(file), is_package=hasattr(module, "__path__"))


def _from(name: str, path: Path, *, is_package: bool) -> Iterator[Source]:
    parts = tuple(name.split("."))
    package = parts if is_package else parts[:-1]
    yield from _Sources(path.parents[len(package)], parts[0]).of_file(path, package)


class _Sources:
    """Follows imports from one file, each file once.

    Args:
        folder: where modules are looked up.
        own: the top-level name of the first file; where other people's packages are installed, they are not followed.
    """

    def __init__(self, folder: Path, own: str) -> None:
        self._folder = folder
        self._own = own if folder.name in _INSTALLED else None
        self._seen: set[Path] = set()

    def of_module(self, name: _Name) -> Iterator[Source]:
        """Read the files that importing a module runs, and those that they import."""
        for file, of in self._files(name):
            if file not in self._seen:
                yield from self.of_file(file, of)

    def of_file(self, path: Path, package: _Name) -> Iterator[Source]:
        """Read the files from one on, which relative imports take for one of ``package``."""
        self._seen.add(path)
        try:
            content = path.read_bytes()
        except OSError:
            return
        try:
            tree = ast.parse(content)  # of bytes: Python's own rules say how the file is encoded
            tree.body = [kept for node in tree.body for kept in _when_imported(node)]
            text = ast.unparse(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # what is wrong shows when it is loaded
            yield Source(path.resolve(), content, content.decode(errors="replace"))
            return
        yield Source(path.resolve(), content, text)
        for node in ast.walk(tree):
            for name in _imported(node, package):
                yield from self.of_module(name)

    def _files(self, name: _Name) -> Iterator[tuple[Path, _Name]]:
        """The files that importing a name runs, each with the package that it belongs to."""
        if self._own is not None and name[:1] != (self._own,):
            return
        folder = self._folder
        for depth, part in enumerate(name, start=1):
            inner, module = folder / part, folder / f"{part}.py"
            if (inner / "__init__.py").is_file() and name[0] not in _WITH_VERSIONS:
                yield inner / "__init__.py", name[:depth]
            elif module.is_file():
                yield module, name[: depth - 1]
                return
            elif not inner.is_dir() or name[0] in _WITH_VERSIONS:
                return
            folder = inner


def _is_installed(path: Path) -> bool:
    return any(part in _INSTALLED for part in path.parts) or path.is_relative_to(_STANDARD)


def _imported(node: ast.AST, package: _Name) -> list[_Name]:
    """What a statement imports; of ``from x import y`` also ``x.y``, which may be a module."""
    match node:
        case ast.Import(names=names):
            return [tuple(alias.name.split(".")) for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            base = package[: max(0, len(package) - level + 1)] if level else ()
            base += tuple(module.split(".")) if module else ()
            return [base, *((*base, alias.name) for alias in names)]
    return []


def _when_imported(node: ast.stmt) -> list[ast.stmt]:
    """What of a statement runs where its file is imported: of ``if __name__ == "__main__"`` the ``else``."""
    match node:
        case (
            ast.If(
                test=ast.Compare(
                    left=ast.Name("__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]
                )
            )
            | ast.If(
                test=ast.Compare(
                    left=ast.Constant("__main__"), ops=[ast.Eq()], comparators=[ast.Name("__name__")]
                )
            )
        ):
            return node.orelse
    return [node]
