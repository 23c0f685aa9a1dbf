"""Code that was edited after this process imported it: what would train is not what its file says."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from lrsearch.errors import UsageError
from lrsearch.task.live_code import bytecode_of, codes_of


def check_current(files: Iterable[Path]) -> None:
    """See that the functions that were imported from files are those that stand there now.

    Functions and methods are compared by their bytecode; what else a module did when it was imported, such as a
    constant, cannot be. Modules that were not loaded as Python does it (by an import hook) are not looked at.

    Raises:
        UsageError: one is not.
    """
    by_file = defaultdict(list)
    for module in list(sys.modules.values()):
        loader = getattr(module, "__loader__", None)
        if type(loader) is SourceFileLoader and (file := getattr(module, "__file__", None)):
            by_file[Path(file).resolve()].append(module)
    for path in sorted(files):
        for module in by_file.get(path.resolve(), ()):
            if (function := _changed(module, path)) is not None:
                raise UsageError(
                    f"{path} was changed after this process imported it, and {function} would train as it was; "
                    "restart the process or the notebook's kernel (or importlib.reload the module) and run again"
                )


def _changed(module: ModuleType, path: Path) -> str | None:
    """Give the first function of a module that does not stand in its file any more."""
    try:
        written = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return None  # reported with its line when it is imported
    there: defaultdict[str, set[str]] = defaultdict(set)
    for code in codes_of(written):
        there[code.co_qualname].add(bytecode_of(code))
    for code in _functions_of(module):
        if bytecode_of(code) not in there[code.co_qualname]:
            return code.co_qualname
    return None


def _functions_of(module: ModuleType) -> Iterator[CodeType]:
    """The code of the functions that a module defines, and of the methods of its classes."""
    for thing in list(vars(module).values()):
        of_class = isinstance(thing, type) and thing.__module__ == module.__name__
        for member in list(vars(thing).values()) if of_class else [thing]:
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(function, FunctionType) and function.__code__.co_filename == module.__file__:
                yield function.__code__
