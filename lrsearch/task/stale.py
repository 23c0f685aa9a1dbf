"""Code that was edited after this process imported it: what would train is not what its file says."""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from lrsearch.errors import UsageError
from lrsearch.task.live_code import bytecode_of, codes_of


def check_current(files: Mapping[Path, bytes]) -> None:
    """See that the functions that were imported from files are those that stand there now.

    Functions and methods are compared by their bytecode, plain values by what they are; what else a module did when it
    was imported cannot be. Modules that were not loaded as Python does it (by an import hook) are not looked at.

    Args:
        files: by their paths, links resolved, what they hold.

    Raises:
        UsageError: one is not.
    """
    by_file = defaultdict(list)
    for module in list(sys.modules.values()):
        loader = getattr(module, "__loader__", None)
        if type(loader) is SourceFileLoader and (file := getattr(module, "__file__", None)):
            by_file[Path(file).resolve()].append(module)
    for path, content in sorted(files.items()):
        for module in by_file.get(path, ()):
            if (trains := _changed(module, path, content)) is not None:
                raise UsageError(
                    f"{path} was changed after this process imported it, and {trains}; "
                    "restart the process or the notebook's kernel (or importlib.reload the module) and run again"
                )


def _changed(module: ModuleType, path: Path, content: bytes) -> str | None:
    """Return which function of a module does not stand in its file any more, or which plain value there is another."""
    try:
        tree = ast.parse(content)
        written = compile(content, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None  # reported with its line when it is imported
    there: defaultdict[str, set[str]] = defaultdict(set)
    for code in codes_of(written):
        there[code.co_qualname].add(bytecode_of(code))
    for code in _functions_of(module):
        if bytecode_of(code) not in there[code.co_qualname]:
            return f"{code.co_qualname} would train as it was"
    for name, value in _constants_of(tree).items():
        if (loaded := vars(module).get(name, value)) != value and type(loaded) is type(value):
            return f"{name} is {loaded!r} here and {value!r} there"
    return None


def _constants_of(tree: ast.Module) -> dict[str, Any]:
    """The plain values that a module gives a name once, at its top: ``RATE = 0.1``."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    named = Counter(node.id for node in names if isinstance(node.ctx, ast.Store))
    constants = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(
                target=ast.Name(id=name), value=ast.expr() as value
            ) if named[name] == 1:
                with suppress(ValueError, TypeError, RecursionError, MemoryError):
                    constants[name] = ast.literal_eval(value)
    return constants


def _functions_of(module: ModuleType) -> Iterator[CodeType]:
    """The code of the functions that a module defines, and of the methods of its classes."""
    for thing in list(vars(module).values()):
        of_class = isinstance(thing, type) and thing.__module__ == module.__name__
        for member in list(vars(thing).values()) if of_class else [thing]:
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(function, FunctionType) and function.__code__.co_filename == module.__file__:
                yield function.__code__
