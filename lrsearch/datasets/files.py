"""Where the data sets' files lie: found, checked, listed and fetched. Nothing here knows what they hold.

Looked for in ``$LRSEARCH_DATA/NAME``, ``$LRSEARCH_DATA`` and the user's cache, in this order. Whatever is wrong is
one ``DataError`` of one line that names the file and the remedy.
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
    """One file of a data set as it lies on this machine; ``path`` and ``size`` (bytes) are None where missing."""

    name: str
    state: FileState
    path: Path | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """A data set as it lies on this machine."""

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
    """Give the paths of a data set's files, in the catalogue's order; whether they are right is not looked at.

    Raises:
        DataError: there is no such data set, or a file is not there.
    """
    data_set = _named(name)
    paths = []
    for file in data_set.files:
        path = _found(data_set, file)
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


def fetch(name: str, progress: bool = False) -> Path:
    """Download what is missing of a data set into the user's cache, checked; give the folder of its files.

    Files that are found and right are not fetched again; a wrong one in the cache is replaced.

    Raises:
        DataError: there is no such data set, it cannot be reached, what arrives is not the published file, or a
            wrong file lies in ``$LRSEARCH_DATA``, which is the user's to delete.
    """
    data_set = _named(name)
    cache = _cache(data_set)
    for file in data_set.files:
        path = _found(data_set, file)
        if path is not None and path.parent != cache:
            read_checked(path, file, name)
        else:
            _download(data_set, file, cache, progress)
    return find(name)[0].parent


def _download(data_set: DataSet, file: File, cache: Path, progress: bool) -> None:
    import pooch  # takes requests along: only where something is fetched
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    reasons = []
    for mirror in data_set.mirrors:
        address = mirror + file.name
        # Megabyte chunks: pooch's default of 1 kB costs more than the network.
        downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=2**20)
        try:
            pooch.retrieve(address, f"sha256:{file.sha256}", file.name, cache, downloader=downloader)
            return
        except RequestException as error:
            reasons.append(f"{address} could not be reached ({type(error).__name__})")
        except ValueError:
            # How pooch says that the checksum differs; what arrived is deleted already.
            reasons.append(f"{address} gave another file than the published one")
        except OSError as error:
            raise DataError(f"{cache / file.name} cannot be written ({error.strerror}); make room or allow it") from error
    names = " ".join(file.name for file in data_set.files)
    raise DataError(
        f"{data_set.name}: {'; '.join(reasons)}. Get {names} by other means and set LRSEARCH_DATA to their folder"
    )


def _file_status(data_set: DataSet, file: File) -> FileStatus:
    path = _found(data_set, file)
    if path is None:
        return FileStatus(file.name, "missing")
    try:
        read_checked(path, file, data_set.name)
    except DataError:
        return FileStatus(file.name, "wrong", path, path.stat().st_size)
    return FileStatus(file.name, "right", path, file.size)


def _named(name: str) -> DataSet:
    if name not in CATALOGUE:
        raise DataError(f"there is no data set called {name!r}; give one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def _found(data_set: DataSet, file: File) -> Path | None:
    candidates = (folder / file.name for folder in _folders(data_set))
    return next((path for path in candidates if path.is_file()), None)


def _folders(data_set: DataSet) -> tuple[Path, ...]:
    own = os.environ.get("LRSEARCH_DATA")
    # A folder a set first: MNIST's files are called as Fashion-MNIST's are.
    theirs = (Path(own) / data_set.name, Path(own)) if own else ()
    return (*theirs, _cache(data_set))


def _cache(data_set: DataSet) -> Path:
    return Path(platformdirs.user_cache_dir("lrsearch")) / data_set.name
