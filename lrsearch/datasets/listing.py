"""The data sets of the catalogue as they are on this machine."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lrsearch.datasets.catalogue import CATALOGUE, DataSet, File
from lrsearch.datasets.cifar100 import cifar100
from lrsearch.datasets.files import check, files_below, found, source_of
from lrsearch.datasets.reading import kind_of
from lrsearch.datasets.tiny_imagenet import tiny_imagenet
from lrsearch.errors import DataError

FileState = Literal["right", "subset", "other", "wrong", "missing"]
"""The published one; whole with fewer examples; whole with as many, but not the published one; of no use; not there."""

_READERS: dict[str, Callable[[], Any]] = {"cifar100": cifar100, "tiny_imagenet": tiny_imagenet}
"""Of the sets of which subsets are read: whether an archive is whole shows when it is read."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file of a data set on this machine; ``path`` and ``size`` (bytes) are None where it is missing.

    ``note`` says what it holds where it is not the published one, or what is wrong.
    """

    name: str
    state: FileState
    path: Path | None = None
    size: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A data set on this machine."""

    data_set: DataSet
    files: tuple[FileStatus, ...]

    @property
    def state(self) -> FileState:
        """The set as a whole: wrong where one file is, missing where one is."""
        states = {file.state for file in self.files}
        order: tuple[FileState, ...] = ("wrong", "missing", "subset", "other")
        return next((state for state in order if state in states), "right")


def status() -> tuple[Status, ...]:
    """Look at all data sets; reads every file that is there, and puts subsets into the decoded cache."""
    return tuple(
        Status(data_set, tuple(_file_status(data_set, file) for file in data_set.files))
        for data_set in CATALOGUE.values()
    )


def _file_status(data_set: DataSet, file: File) -> FileStatus:
    path = found(data_set, file)
    if path is None:
        return FileStatus(file.name, "missing")
    try:
        size = (
            path.stat().st_size if os.path.isfile(path) else sum(f.stat().st_size for f in files_below(path))
        )
    except OSError as error:
        return FileStatus(path.name, "wrong", path, 0, f"{path} cannot be read ({error.strerror})")
    try:
        state, note = _state(data_set, file, path)
    except DataError as error:
        state, note = "wrong", str(error)
    return FileStatus(path.name, state, path, size, note)


def _state(data_set: DataSet, file: File, path: Path) -> tuple[FileState, str]:
    if not data_set.subsets:
        check(path, file, data_set)
        return "right", ""
    if source_of(data_set.name, (path,)).published:
        return "right", ""
    _READERS[data_set.name]()
    kind, summary = kind_of(data_set.name)
    return ("subset" if kind == "subset" else "other"), summary
