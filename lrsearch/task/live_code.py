"""The code of a function that lies in no file of its own (a notebook's), as text that changes when it does.

What it names comes with it: functions and classes of the same place, plain values, modules of the user's own; tensors
and arrays as digests (``live_data``). Of other things (data sets of packages, models) nothing is said, nor of what it
changes itself while it trains. So nothing of it hangs on what ran before in the process.
"""

import __future__

import ast
import dis
import functools
import inspect
import sysconfig
import textwrap
import warnings
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from lrsearch.task.live_data import data_in, holds_unseen
from lrsearch.task.sources import sources_of_imported

PACKAGES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
"""Folders of other people's code."""
_TOP = "callable"
_GLOBAL_READS = {"LOAD_GLOBAL", "LOAD_NAME"}
_FILLING = {"add", "append", "clear", "extend", "insert", "pop", "remove", "setdefault", "update"}
_FILLS = {"STORE_SUBSCR", "DELETE_SUBSCR"}
_READS = _GLOBAL_READS | {"LOAD_DEREF", "LOAD_FAST", "LOAD_CLASSDEREF"}
_WRITES = _FILLS | {"STORE_SLICE"}
_ATTRIBUTE_READS = {"LOAD_METHOD", "LOAD_ATTR"}
_GLOBAL_WRITES = {"STORE_GLOBAL", "DELETE_GLOBAL"}
_CELL_WRITES = {"STORE_DEREF", "DELETE_DEREF"}
_SHARED = frozenset({"<stdin>", "<console>", "<string>", "<input>", "<unknown>", "<module>"})
"""File names that all inputs of a shell have in common: a text kept under one may be that of any of them."""
_FUTURES = sum(getattr(__future__, name).compiler_flag for name in set(__future__.all_feature_names))
_NOTHING = object()


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
    reader.read_values()
    text = "\n".join(reader.parts[name] for name in sorted(reader.parts))
    return LiveCode(text, reader.data, tuple(reader.unseen), reader.files)


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A variable of classes: any of this name, as which class it is of shows only when code runs."""

    name: str


class _Reader:
    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.data: dict[str, str] = {}
        self.unseen: list[str] = []
        self.files: dict[Path, bytes] = {}
        self._under: dict[int, tuple[str, Any]] = {}
        self._values: dict[str, tuple[Hashable, Any]] = {}
        self._filled: set[Hashable] = set()
        self._bound: set[Hashable] = set()

    def add(self, name: str, thing: Any, variable: Hashable = None) -> None:
        """Add what a name stands for, and what that names in turn; ``variable`` tells one that holds it from others."""
        if name in self.parts or name in self._values:
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
            case _:
                if callable(thing) and is_own(type(thing)):
                    self.add(name, type(thing))
                self._values[name] = variable, thing

    def read_values(self) -> None:
        """Add the values of variables, now that all functions are known that may change them."""
        for name, (variable, thing) in self._values.items():
            if variable in self._bound:
                continue
            if variable in self._filled:
                # As it was before anything was put into it: a notebook begins with empty lists and dicts.
                if (said := plain(_emptied(thing))) is not None:
                    self.parts[name] = f"{name} = {said}"
                continue
            if (said := plain(thing)) is not None:
                self.parts[name] = f"{name} = {said}"
            self._add_data(name, thing)

    def _add_data(self, name: str, thing: Any) -> None:
        shown = name.removeprefix(f"{_TOP}.")
        self.data |= {f"{shown}{where}": digest for where, digest in data_in(thing)}
        if holds_unseen(thing):
            self.unseen.append(f"{shown} ({type(thing).__name__})")

    def _add_function(self, name: str, function: Any) -> None:
        if not is_own(function):
            return
        if (path := Path(function.__code__.co_filename)).is_file():
            self.files.setdefault(path.resolve(), path.read_bytes())
        self.parts[name] = _text_of(function) or bytecode_of(function.__code__)
        code = function.__code__
        filled, bound = _filled_by(code), bound_by(code)
        changed, attributes = _changed_by(code)
        self._filled |= {_Attribute(attribute) for attribute in attributes}
        self._bound |= {_Attribute(attribute) for attribute in _bound_attributes(function)}
        self.parts[f"{name}()"] = " ".join(str(plain(one)) for one in _defaults(function, changed | filled))
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        for named in sorted(names_in(code) | bound):
            variable, thing = _variable(named, cells, function.__globals__)
            if thing is _NOTHING:
                continue
            if named in bound:
                self._bound.add(variable)
            elif named in changed | filled:
                self._filled.add(variable)
            if named not in filled | bound:
                self.add(f"{name}.{named}" if named in cells else named, thing, variable)

    def _add_class(self, name: str, kind: type) -> None:
        if not is_own(kind):
            return
        self.parts[name] = _text_of(kind) or name
        for base in kind.__bases__:
            self.add(base.__qualname__, base)
        for attribute, value in vars(kind).items():
            if not attribute.startswith("__") or callable(value):
                self.add(f"{name}.{attribute}", value, _Attribute(attribute))

    def _add_module(self, name: str, module: ModuleType) -> None:
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and not file.startswith(PACKAGES):
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


def is_own(thing: Any) -> bool:
    """Say whether a function or class is the user's: of no installed package."""
    if inspect.isclass(thing) and thing.__module__ == "__main__":
        return True  # a notebook's: its file would be that of whatever runs the notebook
    try:
        return not inspect.getfile(thing).startswith(PACKAGES)
    except (OSError, TypeError):  # built in
        return False


def _text_of(thing: Any) -> str:
    """The source without comments; empty where none is kept, or what is kept is not certainly that of the thing."""
    try:
        kept = "".join(inspect.findsource(thing)[0])
        if not (_is_class_in if inspect.isclass(thing) else _is_function_in)(kept, inspect.unwrap(thing)):
            return ""
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(thing))))
    except (OSError, TypeError, SyntaxError, ValueError):  # a shell's; a lambda's, amid other code
        return ""


def _is_function_in(kept: str, function: Any) -> bool:
    """Whether a text gives just this function where it was defined: another input may have the same name."""
    if not inspect.isfunction(function) or function.__code__.co_filename in _SHARED:
        return False
    code = function.__code__
    there = _compiled(kept, code.co_flags & _FUTURES).get((code.co_qualname, code.co_firstlineno))
    return there == {(bytecode_of(code), code.co_varnames)}


def _is_class_in(kept: str, kind: type) -> bool:
    """Whether a text gives this class: that of ``__main__``'s file may be the file of what runs the notebook."""
    if inspect.getfile(kind).startswith(PACKAGES):
        return False
    members = (inspect.unwrap(getattr(m, "__func__", getattr(m, "fget", m))) for m in vars(kind).values())
    methods = [
        member
        for member in members
        if isinstance(member, FunctionType)
        and member.__code__.co_qualname.startswith(f"{kind.__qualname__}.")
    ]
    if methods:
        return all(_is_function_in(kept, method) for method in methods)
    bodies = [code for code in codes_of(_code_of(kept, 0)) if code.co_qualname == kind.__qualname__]
    stored = [{i.argval for i in dis.get_instructions(code) if i.opname == "STORE_NAME"} for code in bodies]
    return len(stored) == 1 and all(hasattr(kind, name) for name in stored[0])


@functools.lru_cache(maxsize=16)
def _compiled(text: str, flags: int) -> Mapping[tuple[str, int], set[tuple[str, tuple[str, ...]]]]:
    """The bytecode of all functions that a text defines, by name and line."""
    found = defaultdict(set)
    for code in codes_of(_code_of(text, flags)):
        found[code.co_qualname, code.co_firstlineno].add((bytecode_of(code), code.co_varnames))
    return found


def _code_of(text: str, flags: int) -> CodeType:
    with warnings.catch_warnings(action="ignore"):
        # Notebooks allow `await` anywhere.
        code: CodeType = compile(text, "", "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


def _variable(named: str, cells: Mapping[str, CellType], names: dict[str, Any]) -> tuple[Hashable, Any]:
    """What tells the variable that a function reads from all others, and its value; ``_NOTHING`` where it has none."""
    if named not in cells:
        return (id(names), named), names.get(named, _NOTHING)
    try:
        return id(cells[named]), cells[named].cell_contents
    except ValueError:  # nothing has been assigned yet
        return id(cells[named]), _NOTHING


def _emptied(thing: Any) -> Any:
    """A list, dict or set before anything was put into it; any other thing has no such state."""
    for kind in (list, dict, set):
        if isinstance(thing, kind):
            return kind()
    return _NOTHING


def _defaults(function: Any, changed: set[str]) -> tuple[Any, Any]:
    """The defaults of a function, those that it changes itself as they were at first."""

    def first(name: str, value: Any) -> Any:
        return _emptied(value) if name in changed and _emptied(value) is not _NOTHING else value

    code, given, named = function.__code__, function.__defaults__, function.__kwdefaults__
    last = code.co_varnames[: code.co_argcount][-len(given) :] if given else ()
    return (
        given and tuple(first(*pair) for pair in zip(last, given, strict=True)),
        named and {name: first(name, value) for name, value in named.items()},
    )


def bytecode_of(code: CodeType) -> str:
    """Write what a function does, without its lines, the same in every process of this Python."""
    constants = [bytecode_of(c) if isinstance(c, CodeType) else plain(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def names_in(code: CodeType) -> set[str]:
    """Give the names that a function and the functions within it read from outside; not those of attributes."""
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


def _changed_by(code: CodeType) -> tuple[set[str], set[str]]:
    """The names and attributes of what a function changes at any depth: ``seen["a"][0] = 1``, ``self.seen.append(1)``.

    Where such an instruction begins in the source, the name begins.
    """
    names, attributes = set(), set()
    for one in codes_of(code):
        instructions = list(dis.get_instructions(one))
        places = _places(i for i in instructions if i.opname in _WRITES or _calls_changing(i))
        for instruction in instructions:
            if _place(instruction) in places:
                if instruction.opname in _READS:
                    names.add(instruction.argval)
                elif instruction.opname in _ATTRIBUTE_READS:
                    attributes.add(instruction.argval)
    return names, attributes


def _bound_attributes(function: Any) -> set[str]:
    """The attributes of classes that a function gives other values: ``Net.count += 1``, ``type(self).count += 1``."""
    bound = set()
    for code in codes_of(function.__code__):
        instructions = list(dis.get_instructions(code))
        of_class = _places(i for i in instructions if _reads_class(i, function.__globals__))
        bound |= {i.argval for i in instructions if i.opname == "STORE_ATTR" and _place(i) in of_class}
    return bound


def _reads_class(instruction: dis.Instruction, names: Mapping[str, Any]) -> bool:
    named = instruction.argval
    if instruction.opname in _GLOBAL_READS:
        return named == "type" or inspect.isclass(names.get(named))
    return (instruction.opname == "LOAD_FAST" and named == "cls") or (
        instruction.opname in _ATTRIBUTE_READS and named == "__class__"
    )


def _places(instructions: Iterable[dis.Instruction]) -> set[tuple[int, int]]:
    return {place for instruction in instructions if (place := _place(instruction)) is not None}


def _place(instruction: dis.Instruction) -> tuple[int, int] | None:
    """Where in the source an instruction's expression begins; None under ``python -X no_debug_ranges``."""
    at = instruction.positions
    if at is None or at.lineno is None or at.col_offset is None:
        return None
    return at.lineno, at.col_offset


def bound_by(code: CodeType) -> set[str]:
    """Give the names outside of a function that it gives other values: what they have is of earlier trainings."""
    return {
        i.argval
        for one in codes_of(code)
        for i in dis.get_instructions(one)
        if i.opname in _GLOBAL_WRITES or (i.opname in _CELL_WRITES and i.argval in code.co_freevars)
    }


def _calls_changing(instruction: dis.Instruction) -> bool:
    return instruction.opname in _ATTRIBUTE_READS and _changes(instruction.argval)


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
