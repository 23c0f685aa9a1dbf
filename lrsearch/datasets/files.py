"""Where the data sets' files lie: found and held against their checksums. Nothing here knows what they hold.

Looked for in ``$LRSEARCH_DATA/NAME``, ``$LRSEARCH_DATA`` and the user's cache, in this order. Whatever is
wrong is one ``DataError`` of one line that names the file and the remedy.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from lrsearch.datasets.catalogue import CATALOGUE, DataSet, File
from lrsearch.errors import DataError


@dataclass(frozen=True, slots=True)
class Source:
    """A data set's files as they lie on this machine, looked at but not read yet.

    Attributes:
        data_set: which data set.
        paths: its files, or its one unpacked folder.
        digest: SHA-256 in hexadecimal: of the one file, of the checksums of several, or, where a folder holds
            too many files to read each time, of their names, sizes and times of change.
        published: whether this is byte for byte what the set's authors distribute.
        sums: SHA-256 of each file; none for a folder that is not read each time.
    """

    data_set: DataSet
    paths: tuple[Path, ...]
    digest: str
    published: bool
    sums: tuple[str, ...] = ()

    def contents(self) -> Iterator[bytes]:
        """Give each file's bytes, once they are known to be those that ``digest`` stands for.

        Raises:
            DataError: a file cannot be read, or was changed since it was looked at.
        """
        for path, known in zip(self.paths, self.sums, strict=True):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise _unreadable(path, self.data_set, error) from error
            if hashlib.sha256(content).hexdigest() != known:
                raise DataError(f"{path} is being written to; try again when it is whole")
            yield content


def find(name: str) -> tuple[Path, ...]:
    """Give the paths of a data set's files in the catalogue's order, or its unpacked folder; not looked into.

    Raises:
        DataError: there is no such data set, or a file is not there.
    """
    data_set = named(name)
    paths = []
    for file in data_set.files:
        path = found(data_set, file)
        if path is None:
            where = ", ".join(str(folder) for folder in folders(data_set))
            raise DataError(f"{name}: {file.name} is not in {where}; {_way_to_get(data_set)}")
        paths.append(path)
    return tuple(paths)


def source_of(name: str, paths: tuple[Path, ...]) -> Source:
    """Look at the files that ``find`` gave, as far as is needed to know what they are.

    Raises:
        DataError: one cannot be read, or is not the published one and nothing else would say that it is whole.
    """
    data_set = named(name)
    if paths[0].is_dir():
        return _source_of_folder(data_set, paths[0])
    if data_set.subsets:
        (path,) = paths
        (file,) = data_set.files
        digest = _sha256(path, data_set)
        return Source(data_set, paths, digest, digest == file.sha256, (digest,))
    sums = tuple(check(path, file, data_set) for path, file in zip(paths, data_set.files, strict=True))
    return Source(data_set, paths, _combined(paths, sums), True, sums)


def check(path: Path, file: File, data_set: DataSet) -> str:
    """Give a file's SHA-256, if it is byte for byte what the catalogue says.

    Raises:
        DataError: it cannot be read, is cut short or was changed.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, data_set, error) from error
    if size != file.size:
        raise DataError(f"{path} has {size:,} bytes instead of {file.size:,}; {remedy(data_set)}")
    if (digest := _sha256(path, data_set)) != file.sha256:
        raise DataError(f"{path} was changed: its SHA-256 is not the published one; {remedy(data_set)}")
    return digest


def remedy(data_set: DataSet) -> str:
    """Say what to do about a file that is wrong."""
    if data_set.mirrors:
        return f"delete it and run `lrsearch data {data_set.name}`, or put the original there"
    return "put the original there"


def named(name: str) -> DataSet:
    """Give a data set by name, or raise ``DataError`` with the names that there are."""
    if name not in CATALOGUE:
        raise DataError(f"there is no data set called {name!r}; give one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def found(data_set: DataSet, file: File) -> Path | None:
    """Give where a file lies, or a subset's archive or the unpacked folder in its place, if anywhere.

    The first folder that has any of them decides; in it the published name comes first, the folder last.
    """
    # os.path.isfile and os.path.isdir: those of Path raise where a folder may not be looked into.
    for folder in folders(data_set):
        if os.path.isfile(folder / file.name):
            return folder / file.name
        if data_set.subsets:
            for path in sorted(folder.glob(data_set.subsets)):
                if os.path.isfile(path):
                    return path
        if data_set.unpacked and os.path.isdir(folder / data_set.unpacked):
            return folder / data_set.unpacked
    return None


def folders(data_set: DataSet) -> tuple[Path, ...]:
    """Give where a set's files are looked for, in order."""
    own = os.environ.get("LRSEARCH_DATA")
    # A folder a set first: MNIST's files are called as Fashion-MNIST's are.
    theirs = Path(own).expanduser().absolute() if own else None
    return (*((theirs / data_set.name, theirs) if theirs else ()), cache_of(data_set))


def cache_of(data_set: DataSet) -> Path:
    """Give the folder of the user's cache that the set is fetched into."""
    return Path(platformdirs.user_cache_dir("lrsearch")) / data_set.name


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Give every file in a folder and those in it, in the order of their names.

    Raises:
        OSError: a folder cannot be looked into.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir():
            yield from files_below(Path(entry.path))
        else:
            yield entry


def _source_of_folder(data_set: DataSet, folder: Path) -> Source:
    if not data_set.members:
        return Source(data_set, (folder,), _listing_digest(folder, data_set), False)
    paths = tuple(folder / name for name, _ in data_set.members)
    sums = tuple(_sha256(path, data_set) for path in paths)
    for path, found_sum, (_, published) in zip(paths, sums, data_set.members, strict=True):
        if found_sum != published:
            archive = data_set.files[0].name
            raise DataError(
                f"{path} is not the published file, and nothing in it says whether it is whole; "
                f"put the archive that it came from, {archive}, there in the folder's place"
            )
    return Source(data_set, paths, _combined(paths, sums), True, sums)


def _listing_digest(folder: Path, data_set: DataSet) -> str:
    digest = hashlib.sha256()
    try:
        for entry in files_below(folder):
            state = entry.stat()
            digest.update(
                f"{entry.path[len(str(folder)) :]}\0{state.st_size}\0{state.st_mtime_ns}\n".encode()
            )
    except OSError as error:
        raise _unreadable(folder, data_set, error) from error
    return digest.hexdigest()


def _sha256(path: Path, data_set: DataSet) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, data_set, error) from error


def _combined(paths: Iterable[Path], sums: Iterable[str]) -> str:
    """Give one checksum for several files: that of the list that sha256sum prints of them."""
    lines = (f"{digest}  {path.name}\n" for path, digest in zip(paths, sums, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _unreadable(path: Path, data_set: DataSet, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error.strerror}); {remedy(data_set)}")


def _way_to_get(data_set: DataSet) -> str:
    if data_set.mirrors:
        return f"run `lrsearch data {data_set.name}`, or set LRSEARCH_DATA to the folder that holds it"
    return f"{data_set.instead}: get it under its licence and set LRSEARCH_DATA to the folder that holds it"
