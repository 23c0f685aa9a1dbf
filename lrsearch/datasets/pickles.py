"""The pickles of CIFAR's authors, read without running anything that they name.

A pickle is a program. Of what it may call, this knows three names, those by which NumPy writes an array, and
calls none of them: each stands for a plain note of its arguments, and the bytes become an array only after the
note was found to be one of unsigned bytes. Every other name is refused.
"""

import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

_RECONSTRUCT = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}


def load_plain(content: bytes) -> Any:
    """Give what a pickle holds: numbers, bytes (also for Python 2's strings), containers and uint8 arrays.

    Raises:
        ValueError: it is cut short, damaged, or holds anything else; the message says which, in one line.
    """
    try:
        return _plain(_Unpickler(io.BytesIO(content), encoding="bytes").load())
    except ValueError:
        raise
    # A damaged pickle may fail in any of the ways that its operations can, so no list would be whole.
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"is not a whole pickle ({why})") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _RECONSTRUCT:
            return _maker(_Array)
        if (module, name) == ("numpy", "dtype"):
            return _maker(_DType)
        if (module, name) == ("numpy", "ndarray"):
            return "ndarray"  # an argument of _reconstruct, never called
        raise ValueError(f"names {module}.{name}, which no file of this data set does; nothing was run")


def _maker(kind: type[Any]) -> Callable[..., Any]:
    # A function made for each mention: what a pickle does to it is done to nothing else.
    return lambda *arguments: kind(*arguments)


class _DType:
    """A note of NumPy's dtype; only unsigned bytes become one."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise ValueError(f"holds an array of {code!r} where unsigned bytes belong")

    def __setstate__(self, state: Any) -> None:
        """Take no notice: byte order and alignment say nothing of single bytes."""


class _Array:
    """A note of a NumPy array, filled by its state ``(version, shape, dtype, is it Fortran's order, bytes)``."""

    value: np.ndarray[Any, np.dtype[np.uint8]] | None = None

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        match state:
            case (int(), tuple(shape), _DType(), bool(fortran), bytes(raw)) if all(
                type(size) is int and size >= 0 for size in shape
            ) and math.prod(shape) == len(raw):
                self.value = np.ndarray(shape, np.uint8, raw, order="F" if fortran else "C")
            case _:
                raise ValueError("holds an array whose shape and bytes do not agree")


def _plain(value: Any) -> Any:
    """Put arrays in the place of their notes, and refuse what is not plain."""
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if value is None or type(value) in (bool, int, float, bytes, str):
        return value
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    if type(value) is dict:
        return {_plain(key): _plain(item) for key, item in value.items()}
    raise ValueError(f"holds a {type(value).__name__} where plain values belong")
