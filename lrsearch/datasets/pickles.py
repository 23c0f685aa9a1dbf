"""The pickles of CIFAR's authors, read without running anything that they name.

A pickle is a program. Of what it may call, this knows three names, those by which NumPy writes an array, and
calls none of them: each stands for a plain note of its arguments, and the bytes become an array only after the
note was found to be one of unsigned bytes. Every other name is refused.
"""

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

_DEEPEST = 2
_RECONSTRUCT = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}


class _RefusedError(ValueError):
    """What was found is known, and said."""


def load_plain(content: bytes) -> Any:
    """Give what a pickle holds: numbers, strings, uint8 arrays, lists of them, or a dictionary of any of these.

    Python 2's strings are bytes.

    Raises:
        ValueError: it is cut short, damaged, or holds anything else; the message says which, in one line.
    """
    try:
        _check_memo(content)
        return _plain(_Unpickler(io.BytesIO(content), encoding="bytes").load())
    except _RefusedError:
        raise
    # A damaged pickle may fail in any of the ways that its operations can, so no list would be whole.
    except Exception as error:
        why = _short(str(error)) or type(error).__name__
        raise _RefusedError(f"is not a whole pickle ({why})") from error


def _check_memo(content: bytes) -> None:
    """Refuse places in the memo beyond those that so many bytes can fill: memory is taken for all that lie below."""
    for code, argument, _ in pickletools.genops(content):
        if (
            code.name in ("PUT", "BINPUT", "LONG_BINPUT")
            and isinstance(argument, int)
            and argument > len(content)
        ):
            raise _RefusedError(f"is not a whole pickle (place {argument:,} in its memo)")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _RECONSTRUCT:
            return _maker(_Array)
        if (module, name) == ("numpy", "dtype"):
            return _maker(_DType)
        if (module, name) == ("numpy", "ndarray"):
            return "ndarray"  # an argument of _reconstruct, never called
        raise _RefusedError(
            f"names {_short(f'{module}.{name}')}, which no file of this data set does; nothing was run"
        )


def _maker(kind: type[Any]) -> Callable[..., Any]:
    # A function made for each mention: what a pickle does to it is done to nothing else.
    return lambda *arguments: kind(*arguments)


class _DType:
    """A note of NumPy's dtype; only unsigned bytes become one."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise _RefusedError(f"holds an array of {_short(repr(code))} where unsigned bytes belong")

    def __setstate__(self, state: Any) -> None:
        """Take no notice: byte order and alignment say nothing of single bytes."""


class _Array:
    """A note of a NumPy array, filled by its state ``(version, shape, dtype, is it Fortran's order, bytes)``."""

    value: np.ndarray[Any, np.dtype[np.uint8]] | None = None

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        match state:
            case (int(), tuple(shape), _DType(), int(fortran), bytes(raw)) if all(
                type(size) is int and size >= 0 for size in shape
            ) and math.prod(shape) == len(raw):
                self.value = np.ndarray(shape, np.uint8, raw, order="F" if fortran else "C")
            case _:
                raise _RefusedError("holds an array whose shape and bytes do not agree")


def _plain(value: Any, depth: int = 0) -> Any:
    """Put arrays in the place of their notes, and refuse what is not plain.

    Lists in a dictionary are as deep as these files go; no deeper means that none is gone through twice.
    """
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if value is None or type(value) in (bool, int, float, bytes, str):
        return value
    if type(value) in (list, tuple) and depth < _DEEPEST:
        return type(value)(_plain(item, _DEEPEST) for item in value)
    if type(value) is dict and depth == 0:
        return {_plain(key, _DEEPEST): _plain(item, 1) for key, item in value.items()}
    raise _RefusedError(f"holds a {type(value).__name__} where plain values belong")


def _short(text: str) -> str:
    return " ".join(text.split())[:80]
