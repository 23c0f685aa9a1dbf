"""The source of a workload's file and of the modules beside it that it imports, as far as it counts for a training."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

_WITH_VERSIONS = ("lrsearch", "cprop")
"""Packages whose results have a version in the identity; a checkout may hold them beside a task."""
_INSTALLED = ("site-packages", "dist-packages")
_Name = tuple[str, ...]
"""A module's dotted name, in parts."""


def sources_of_file(path: Path) -> Iterator[tuple[Path, str]]:
    """Give a file and its source without comments, then what it imports from its folder, and so on.

    Modules (``NAME.py``) and packages (``NAME/``) count, these with the modules of theirs that are imported, and not
    what stands under ``if __name__ == "__main__"``, which no training runs.
    """
    yield from _Sources(path.parent, path.stem).of_file(path, ())


def sources_of_module(name: str) -> Iterator[tuple[Path, str]]:
    """Give a module's source and that of what it imports, as ``sources_of_file``; nothing where it has none."""
    try:
        spec = importlib.util.find_spec(name)
    except (Exception, SystemExit):  # importing its package raised: reported when the workload is made
        return
    if spec is not None and spec.origin and spec.origin.endswith(".py"):
        yield from _from(name, Path(spec.origin), is_package=spec.submodule_search_locations is not None)


def sources_of_imported(module: ModuleType) -> Iterator[tuple[Path, str]]:
    """Give the source of a module that is imported and of what it imports, as ``sources_of_module``."""
    if (file := getattr(module, "__file__", None)) and file.endswith(".py"):
        yield from _from(module.__name__, Path(file), is_package=hasattr(module, "__path__"))


def _from(name: str, path: Path, *, is_package: bool) -> Iterator[tuple[Path, str]]:
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

    def of_file(self, path: Path, package: _Name) -> Iterator[tuple[Path, str]]:
        """Give the files and their sources from a file on, which relative imports take for one of ``package``."""
        self._seen.add(path)
        try:
            tree = ast.parse(source := path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return
        except SyntaxError:
            yield path, source  # reported with its line when the workload is made
            return
        tree.body = [kept for node in tree.body for kept in _when_imported(node)]
        yield path, ast.unparse(tree)
        for node in ast.walk(tree):
            for name in _imported(node, package):
                for file, of in self._files(name):
                    if file not in self._seen:
                        yield from self.of_file(file, of)

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
