"""Where the data sets' files lie: found, checked and listed. Nothing here knows what they hold.

Looked for in ``$LRSEARCH_DATA/NAME``, ``$LRSEARCH_DATA`` and the user's cache, in this order. Whatever is
wrong is one ``DataError`` of one line that names the file and the remedy.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from lrsearch.datasets.catalogue import CATALOGUE, DataSet, File
from lrsearch.errors import DataError

FileState = Literal["right", "wrong", "missing"]


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file of a data set on this machine; ``path`` and ``size`` (bytes) are None where it is missing."""

    name: str
    state: FileState
    path: Path | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """A data set on this machine."""

    data_set: DataSet
    files: tuple[FileStatus, ...]

    @property
    def state(self) -> FileState:
        """The set as a whole: wrong where one file is, missing where one is."""
        states = {file.state for file in self.files}
        return "wrong" if "wrong" in states else "missing" if "missing" in states else "right"


def status() -> tuple[Status, ...]:
    """Look at all data sets of the catalogue; reads every file that is there to check its SHA-256."""
    return tuple(
        Status(data_set, tuple(_file_status(data_set, file) for file in data_set.files))
        for data_set in CATALOGUE.values()
    )


def find(name: str) -> tuple[Path, ...]:
    """Give the paths of a data set's files, in the catalogue's order; what they hold is not looked at.

    Raises:
        DataError: there is no such data set, or a file is not there.
    """
    data_set = named(name)
    paths = []
    for file in data_set.files:
        path = found(data_set, file)
        if path is None:
            where = ", ".join(str(folder) for folder in _folders(data_set))
            raise DataError(
                f"{name}: {file.name} is not in {where}; run `lrsearch data {name}`, "
                "or set LRSEARCH_DATA to the folder that holds it"
            )
        paths.append(path)
    return tuple(paths)


def read_checked(path: Path, file: File, data_set: str) -> bytes:
    """Give the content of a file, if it is byte for byte what the catalogue says.

    Raises:
        DataError: it cannot be read, is cut short or was changed.
    """
    remedy = f"delete it and run `lrsearch data {data_set}`, or put the original there"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {remedy}") from error
    if len(content) != file.size:
        raise DataError(f"{path} has {len(content):,} bytes instead of {file.size:,}; {remedy}")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError(f"{path} was changed: its SHA-256 is not the published one; {remedy}")
    return content


def named(name: str) -> DataSet:
    """Give a data set by name, or raise ``DataError`` with the names that there are."""
    if name not in CATALOGUE:
        raise DataError(f"there is no data set called {name!r}; give one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def found(data_set: DataSet, file: File) -> Path | None:
    """Give where a file lies, if anywhere."""
    candidates = (folder / file.name for folder in _folders(data_set))
    # os.path.isfile: Path.is_file raises where a folder may not be looked into.
    named_so = next((path for path in candidates if os.path.isfile(path)), None)
    if named_so is None and data_set.other_names:
        others = (path for folder in _folders(data_set) for path in sorted(folder.glob(data_set.other_names)))
        return next((path for path in others if os.path.isfile(path)), None)
    return named_so


def cache_of(data_set: DataSet) -> Path:
    """Give the folder of the user's cache that the set is fetched into."""
    return Path(platformdirs.user_cache_dir("lrsearch")) / data_set.name


def _file_status(data_set: DataSet, file: File) -> FileStatus:
    path = found(data_set, file)
    if path is None:
        return FileStatus(file.name, "missing")
    try:
        read_checked(path, file, data_set.name)
    except DataError:
        return FileStatus(file.name, "wrong", path, path.stat().st_size)
    return FileStatus(file.name, "right", path, file.size)


def _folders(data_set: DataSet) -> tuple[Path, ...]:
    own = os.environ.get("LRSEARCH_DATA")
    # A folder a set first: MNIST's files are called as Fashion-MNIST's are.
    theirs = Path(own).expanduser().absolute() if own else None
    return (*((theirs / data_set.name, theirs) if theirs else ()), cache_of(data_set))
