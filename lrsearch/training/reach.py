"""What a function reaches: the random generators of the user's own that live longer than a call of it."""

import functools
import gc
import inspect
import random
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import (
    BuiltinMethodType,
    CodeType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data.dataloader import _BaseDataLoaderIter

from lrsearch.errors import WorkloadError
from lrsearch.task.live_code import PACKAGES, bound_by, is_own, names_in, plain
from lrsearch.training.generators import KINDS, Generators

_PLAIN = (list, tuple, dict, set, frozenset, OrderedDict, defaultdict, deque)
_LEAVES: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, range, slice, torch.Tensor, nn.Parameter}
    | {torch.dtype, torch.device, torch.Size, np.ndarray, CodeType, FrameType, TracebackType}
)
"""What holds no generator."""
_LOOKED_INTO = ("builtins", "collections", "functools", "itertools", "types", "random")
"""Modules of the standard library whose objects hold what the user put into them; others run threads, logs, files."""
_INSIDE_DEPTH = 4
"""How deep an object of a package is looked into."""
_SCREENED_DEPTH = 8


def generators_of(function: Callable[..., Any]) -> Generators:
    """Find the generators that outlive a call of a function: what it names, and what that holds.

    Followed are globals, closures, defaults, classes and modules of the user's own as ``live_code`` follows them, and
    containers and objects; not what packages keep in their modules.

    Raises:
        WorkloadError: it names what would go on in the middle, an iterator over a ``DataLoader`` or a generator
            function that has begun, and does not set it anew itself.
    """
    found: dict[str, Any] = {}
    begun: dict[str, str] = {}
    set_anew: set[str] = set()
    seen: set[int] = set()
    level: list[_Reached] = [(_name_of(function), function, 0)]
    while level:
        beyond: list[_Reached] = []
        for place, thing, inside in level:
            if type(thing) in _LEAVES or id(thing) in seen:
                continue
            seen.add(id(thing))
            if isinstance(thing, KINDS):
                if not _is_library_s(thing):
                    found[_unused(place, found)] = thing
                continue
            if not inside and _goes_on(thing):
                of_loader = isinstance(thing, _BaseDataLoaderIter)
                begun[place] = (
                    "an iterator over a DataLoader" if of_loader else "a generator function that has begun"
                )
                continue
            if isinstance(thing, FunctionType):
                set_anew |= {f"{_label(thing.__globals__)}{named}" for named in bound_by(thing.__code__)}
            beyond += _children(place, thing, inside)
        # The shortest way to a thing names it, and of those the first: in whatever order they were come by.
        level = sorted(beyond, key=lambda reached: reached[0])
    for place, kind in begun.items():
        if not any(place == name or place.startswith((f"{name}.", f"{name}[")) for name in set_anew):
            raise WorkloadError(
                f"{place} is {kind}, and lives longer than a training: the next would go on in the middle of it; "
                "make it where the training begins"
            )
    return Generators(found)


_Reached = tuple[str, Any, int]
"""A place, what is there, and how deep that lies in an object of a package."""


def _children(place: str, thing: Any, inside: int) -> Iterator[_Reached]:
    """What is one step further."""
    if isinstance(thing, ModuleType):
        yield from _of_module(thing)
    elif isinstance(thing, FunctionType):
        yield from _of_function(thing, inside)
    elif isinstance(thing, type):
        yield from _of_class(thing, inside)
    elif isinstance(thing, MethodType | BuiltinMethodType | staticmethod | classmethod):
        for name in ("__func__", "__self__"):
            if not isinstance(part := getattr(thing, name, None), ModuleType | type(None)):
                yield place, part, inside
    elif isinstance(thing, np.ndarray):
        yield from ((place, item, inside) for item in (thing.flat if thing.dtype.hasobject else ()))
    elif type(thing) in _PLAIN:
        nothing, kinds = _screened([thing])
        yield from ((place, kind, inside) for kind in kinds)
        if not nothing:
            yield from ((f"{place}{where}", item, inside) for where, item in _items(thing))
    elif _is_looked_into(type(thing)):  # type: ignore[arg-type]  # which takes no class for hashable
        yield place, type(thing), inside
        deeper = inside + 1 if inside or not _is_own_kind(type(thing)) else 0  # type: ignore[arg-type]
        parts = [part for part in gc.get_referents(thing) if not isinstance(part, type)]
        nothing, kinds = _screened(parts)
        yield from ((place, kind, deeper) for kind in kinds)
        if nothing or deeper > _INSIDE_DEPTH:
            return
        attributes = getattr(thing, "__dict__", {})
        named = {id(value): name for name, value in attributes.items()} if type(attributes) is dict else {}
        if named:
            yield from ((f"{place}.{name}", value, deeper) for name, value in attributes.items())
        yield from (
            (place, part, deeper) for part in parts if part is not attributes and id(part) not in named
        )


def _of_module(module: ModuleType) -> Iterator[_Reached]:
    file = getattr(module, "__file__", None)
    if not file or _is_installed(file, module.__name__):
        return
    for name, value in vars(module).items():
        if not name.startswith("__"):
            yield f"{_label(vars(module))}{name}", value, 0


def _of_function(function: FunctionType, inside: int) -> Iterator[_Reached]:
    code, label, name = function.__code__, _label(function.__globals__), function.__qualname__
    own = is_own(function) and not _is_installed(code.co_filename, function.__module__)
    if own:
        for named in names_in(code) & function.__globals__.keys():
            yield f"{label}{named}", function.__globals__[named], inside
    for named, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"{label}{_shown(name)}.{named}", cell.cell_contents, inside
        except ValueError:  # nothing has been assigned yet
            continue
    if own:
        given = function.__defaults__ or ()
        defaults = dict(zip(code.co_varnames[: code.co_argcount][::-1], given[::-1], strict=False))
        for named, value in {**defaults, **(function.__kwdefaults__ or {})}.items():
            yield f"{label}{_shown(name)}({named})", value, inside
    for named, value in vars(function).items():
        yield f"{label}{_shown(name)}.{named}", value, inside


def _of_class(kind: type, inside: int) -> Iterator[_Reached]:
    if not is_own(kind) or _is_installed("", kind.__module__):
        return
    label = _label(vars(sys.modules[kind.__module__])) if kind.__module__ in sys.modules else ""
    for base in kind.__bases__:
        yield f"{label}{base.__qualname__}", base, inside
    for name, value in vars(kind).items():
        if not name.startswith("__") or callable(value):
            yield f"{label}{_shown(kind.__qualname__)}.{name}", value, inside


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    """What a container of Python's own holds, each with where."""
    if isinstance(container, dict):
        for key, value in container.items():
            yield "", key
            said = plain(key)
            yield f"[{key!r}]" if said is not None and "None" not in said else "", value
    elif isinstance(container, list | tuple | deque):
        yield from ((f"[{number}]", item) for number, item in enumerate(container))
    else:
        yield from (("", item) for item in container)


def _screened(things: Sequence[Any]) -> tuple[bool, set[type]]:
    """Whether things hold numbers, text, tensors, containers and simple objects alone, found out at the speed of C.

    With the classes of those objects, which may hold what their objects do not.
    """
    passed: set[type] = set()
    for _ in range(_SCREENED_DEPTH):
        kinds = set(map(type, things)) - _LEAVES
        if not kinds:
            return True, passed
        objects = kinds - set(_PLAIN)
        if not all(map(_is_simple, objects)):
            return False, set()
        passed |= objects
        things = [
            part
            for part in gc.get_referents(*(thing for thing in things if type(thing) in kinds))
            if type(part) is not type
        ]
    return False, set()


@functools.lru_cache(maxsize=256)
def _is_simple(kind: type) -> bool:
    """Whether objects of a class hold only what they refer to: those of a class of the user's own."""
    return (
        type(kind) is type and not issubclass(kind, KINDS) and kind.__module__ != "builtins" and is_own(kind)
    )


def _goes_on(thing: Any) -> bool:
    """Whether a thing has begun and would not begin anew for the next training."""
    if isinstance(thing, GeneratorType):
        begun = inspect.getgeneratorstate(thing) in (inspect.GEN_SUSPENDED, inspect.GEN_RUNNING)
        return begun and not _is_installed(thing.gi_code.co_filename, "")
    return isinstance(thing, _BaseDataLoaderIter)


@functools.lru_cache(maxsize=256)
def _is_looked_into(kind: type) -> bool:
    top = (kind.__module__ or "").partition(".")[0]
    return top in _LOOKED_INTO or (top not in sys.stdlib_module_names and top not in ("lrsearch", "cprop"))


@functools.lru_cache(maxsize=256)
def _is_own_kind(kind: type) -> bool:
    """Whether what objects of a class hold is the user's, put there by the user or by PyTorch for them."""
    top = (kind.__module__ or "").partition(".")[0]
    return top in _LOOKED_INTO or issubclass(kind, DataLoader | Dataset | Sampler | nn.Module) or is_own(kind)


def _is_installed(file: str, module: str | None) -> bool:
    """Whether code is other people's, or lrsearch's."""
    return (
        file.startswith(PACKAGES)
        or "site-packages" in file
        or "dist-packages" in file
        or (module or "").partition(".")[0] in ("lrsearch", "cprop")
    )


def _is_library_s(generator: Any) -> bool:
    """Whether a generator is seeded with all others of its library, or cannot be."""
    usual = (random._inst, np.random.mtrand._rand, np.random.mtrand._rand._bit_generator)
    return (
        isinstance(generator, random.SystemRandom)
        or any(generator is one for one in usual)
        or any(generator is one for one in (torch.default_generator, *torch.cuda.default_generators))
    )


def _unused(place: str, found: Mapping[str, Any]) -> str:
    """A place, told apart from another of the same words."""
    numbers = (f"{place} ({number})" for number in range(2, len(found) + 3))
    return place if place not in found else next(name for name in numbers if name not in found)


def _name_of(function: Any) -> str:
    own = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    return (
        f"{_label(getattr(own, '__globals__', {}))}{_shown(getattr(own, '__qualname__', type(own).__name__))}"
    )


def _shown(qualname: str) -> str:
    return qualname.replace("<locals>.", "")


def _label(names: Mapping[str, Any]) -> str:
    """The file of a module, as places begin; nothing for a notebook's or a shell's."""
    file = names.get("__file__")
    return f"{Path(file).name}: " if isinstance(file, str) else ""
