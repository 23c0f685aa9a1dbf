"""The code of a function that lies in no file of its own (a notebook's), as text that changes when it does.

What it names comes with it: functions and classes of the same place, plain values, modules of the user's own; tensors
and arrays as digests (``live_data``). Of other things (data sets of packages, models) nothing is said, nor of lists and
dicts that it fills itself.
"""

import ast
import builtins
import dis
import functools
import inspect
import sysconfig
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from lrsearch.task.live_data import data_in, holds_unseen
from lrsearch.task.sources import sources_of_imported

_PACKAGES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
_TOP = "callable"
_GLOBAL_READS = {"LOAD_GLOBAL", "LOAD_NAME"}
_FILLING = {"add", "append", "clear", "extend", "insert", "pop", "remove", "setdefault", "update"}
_FILLS = {"STORE_SUBSCR", "DELETE_SUBSCR"}


@dataclass(frozen=True, slots=True)
class LiveCode:
    """What a function trains with, as far as that can be told.

    Attributes:
        text: its source, without comments, and that of what it names.
        data: digests of the tensors and arrays that it reads, by name.
        unseen: what else it reads that holds data, of which nothing is known, each as ``name (type)``.
        files: the files of the user's own in which code of it lies, absolute, each with its content.
    """

    text: str
    data: Mapping[str, str]
    unseen: tuple[str, ...]
    files: Mapping[Path, bytes]


def live_code(function: Callable[..., Any]) -> LiveCode:
    """Read a function, method, partial or callable object, and what it names."""
    reader = _Reader()
    reader.add(_TOP, function)
    text = "\n".join(reader.parts[name] for name in sorted(reader.parts))
    return LiveCode(text, reader.data, tuple(reader.unseen), reader.files)


class _Reader:
    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.data: dict[str, str] = {}
        self.unseen: list[str] = []
        self.files: dict[Path, bytes] = {}
        self._under: dict[int, tuple[str, Any]] = {}

    def add(self, name: str, thing: Any) -> None:
        """Add what a name stands for, and what that names in turn."""
        if name in self.parts:
            return
        if inspect.isfunction(thing) or inspect.isclass(thing):
            # A class may have itself as an attribute, which would have ever longer names.
            first, _ = self._under.setdefault(id(thing), (name, thing))
            if first != name:
                self.parts[name] = f"{name} = {first}"
                return
        if inspect.isfunction(thing) and hasattr(thing, "__wrapped__"):
            self.add(
                f"{name}.__wrapped__", thing.__wrapped__
            )  # a decorator of a package, around the user's own
        match thing:
            case functools.partial():
                self.parts[name] = f"{name} = partial({plain(thing.args)}, {plain(thing.keywords)})"
                self.add(f"{name}.func", thing.func)
            case staticmethod() | classmethod():
                self.add(name, thing.__func__)
            case property():
                for kind, function in (("get", thing.fget), ("set", thing.fset)):
                    self.add(f"{name}.{kind}", function)
            case ModuleType():
                self._add_module(name, thing)
            case _ if inspect.ismethod(thing):
                self.add(name, thing.__func__)
                self.add(f"{name}.self", type(thing.__self__))
            case _ if inspect.isfunction(thing):
                self._add_function(name, thing)
            case _ if inspect.isclass(thing):
                self._add_class(name, thing)
            case _ if (said := plain(thing)) is not None:
                self.parts[name] = f"{name} = {said}"
                self._add_data(name, thing)
            case _:
                if callable(thing) and _is_own(type(thing)):
                    self.add(name, type(thing))
                self._add_data(name, thing)

    def _add_data(self, name: str, thing: Any) -> None:
        shown = name.removeprefix(f"{_TOP}.")
        self.data |= {f"{shown}{where}": digest for where, digest in data_in(thing)}
        if holds_unseen(thing):
            self.unseen.append(f"{shown} ({type(thing).__name__})")

    def _add_function(self, name: str, function: Any) -> None:
        if not _is_own(function):
            return
        if (path := Path(function.__code__.co_filename)).is_file():
            self.files.setdefault(path.resolve(), path.read_bytes())
        self.parts[name] = _text_of(function) or bytecode_of(function.__code__)
        self.parts[f"{name}()"] = f"{plain(function.__defaults__)} {plain(function.__kwdefaults__)}"
        closed = inspect.getclosurevars(function).nonlocals
        for named in sorted(_names_in(function.__code__) - _filled_by(function.__code__)):
            if named in closed:
                self.add(f"{name}.{named}", closed[named])
            elif named in function.__globals__ and not hasattr(builtins, named):
                self.add(named, function.__globals__[named])

    def _add_class(self, name: str, kind: type) -> None:
        if not _is_own(kind):
            return
        self.parts[name] = _text_of(kind) or name
        for base in kind.__bases__:
            self.add(base.__qualname__, base)
        for attribute, value in vars(kind).items():
            if not attribute.startswith("__") or callable(value):
                self.add(f"{name}.{attribute}", value)

    def _add_module(self, name: str, module: ModuleType) -> None:
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and not file.startswith(_PACKAGES):
            found = list(sources_of_imported(module))
            self.parts[name] = "".join(source.text for source in found)
            self.files |= {source.path: source.content for source in found}


def plain(value: Any) -> str | None:
    """Write a plain value (numbers, text, lists, dicts of them) the same in every process; None for another."""
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes():
            return repr(value)
        case list() | tuple():
            return f"{type(value).__name__}({', '.join(str(plain(item)) for item in value)})"
        case set() | frozenset():
            return f"{type(value).__name__}({', '.join(sorted(str(plain(item)) for item in value))})"
        case dict():
            return f"dict({', '.join(f'{plain(key)}: {plain(item)}' for key, item in value.items())})"
    return None


def _is_own(thing: Any) -> bool:
    """Whether a function or class is the user's: of no installed package."""
    if inspect.isclass(thing) and thing.__module__ == "__main__":
        return True  # a notebook's: its file would be that of whatever runs the notebook
    try:
        return not inspect.getfile(thing).startswith(_PACKAGES)
    except (OSError, TypeError):  # built in
        return False


def _text_of(thing: Any) -> str:
    """The source without comments; empty where none is kept (a shell's) or it stands amid other code (a lambda)."""
    try:
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(thing))))
    except (OSError, TypeError, SyntaxError):
        return ""


def bytecode_of(code: CodeType) -> str:
    """Write what a function does, without its lines, the same in every process of this Python."""
    constants = [bytecode_of(c) if isinstance(c, CodeType) else plain(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _names_in(code: CodeType) -> set[str]:
    """The names that a function and the functions within it read from outside; not those of attributes."""
    return {name for one in codes_of(code) for name in (*one.co_freevars, *_globals_of(one))}


def _filled_by(code: CodeType) -> set[str]:
    """The names of lists and dicts that a function fills itself: what it kept of earlier trainings is no code."""
    filled = set()
    for one in codes_of(code):
        instructions = list(dis.get_instructions(one))
        for number, instruction in enumerate(instructions):
            if instruction.opname in _GLOBAL_READS or instruction.opname == "LOAD_DEREF":
                after = instructions[number + 1 : number + 4]
                if after and (_changes(after[0].argval) or any(i.opname in _FILLS for i in after)):
                    filled.add(instruction.argval)
    return filled


def _changes(name: object) -> bool:
    """Whether a method of this name changes its object: a list's ``append``, a tensor's ``add_``."""
    return isinstance(name, str) and (name in _FILLING or (name.endswith("_") and not name.endswith("__")))


def _globals_of(code: CodeType) -> Iterator[str]:
    return (i.argval for i in dis.get_instructions(code) if i.opname in _GLOBAL_READS)


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """Give a code object and those within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)
