"""How every data set is read: once a machine from its files, once a process from the decoded cache."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from lrsearch.datasets.cache import Decoded, Kind, cached, content_of
from lrsearch.datasets.files import Source, find, remedy, source_of
from lrsearch.datasets.loaded import Loaded
from lrsearch.errors import DataError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Read:
    value: Any
    loaded: Loaded
    kind: Kind


_read: dict[tuple[str, tuple[Path, ...]], _Read] = {}
_notes: list[list[Loaded]] = []
_lock = threading.RLock()


def read(name: str, decode: Callable[[Source], Decoded], build: Callable[[dict[str, Tensor]], T]) -> T:
    """Give a data set; all who ask in one process get the same object.

    Args:
        name: its name in the catalogue.
        decode: makes tensors of its files; raises ``ValueError``, whose message goes on after the file's name,
            if they are not whole.
        build: makes of the tensors what callers get.

    Raises:
        DataError: a file is missing, cut short or changed, or the cache cannot be written; one line.
    """
    paths = find(name)
    with _lock:
        known = _read.get((name, paths))
        if known is None:
            source = source_of(name, paths)
            decoded = cached(source, lambda: _decoded(source, decode))
            complete = decoded.kind == "published"
            content = decoded.content or content_of(decoded.tensors)
            about = Loaded(name, decoded.summary, source.digest, content, complete, paths)
            known = _read[name, paths] = _Read(build(decoded.tensors), about, decoded.kind)
        for noted in _notes:
            noted.append(known.loaded)
    value: T = known.value
    return value


@contextmanager
def noting() -> Iterator[list[Loaded]]:
    """Note what is asked for meanwhile, read now or earlier; the list is complete when the context is left."""
    noted: list[Loaded] = []
    with _lock:
        _notes.append(noted)
    try:
        yield noted
    finally:
        with _lock:
            _notes.remove(noted)
        noted[:] = dict.fromkeys(noted)


def loaded() -> tuple[Loaded, ...]:
    """Give what this process has read so far, in the order in which it was first asked for."""
    with _lock:
        return tuple(dict.fromkeys(known.loaded for known in _read.values()))


def kind_of(name: str) -> tuple[Kind, str]:
    """Give what a data set was that this process has read, with its summary.

    Raises:
        DataError: its files are gone.
    """
    known = _read[name, find(name)]
    return known.kind, known.loaded.summary


def _decoded(source: Source, decode: Callable[[Source], Decoded]) -> Decoded:
    try:
        return decode(source)
    except ValueError as error:
        path = source.paths[0]
        raise DataError(f"{path} {error}; {remedy(source.data_set)}") from error
