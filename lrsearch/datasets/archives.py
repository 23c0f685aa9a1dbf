"""Many small files, alike from a zip archive and from the folder that it unpacks to."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lrsearch.datasets.files import files_below

_LARGEST = 2**24
"""Bytes that a file may have: far more than any list or small picture does."""
_END_OF_DIRECTORY = b"PK\5\6"


@dataclass(frozen=True, slots=True)
class Files:
    """Files by name, with ``/`` between folders; ``read`` raises ``ValueError`` for one that is not whole."""

    names: frozenset[str]
    read: Callable[[str], bytes]


def open_zip(archive: bytes, top: str) -> Files:
    """Give the files of a zip archive whose names begin with ``top``, by what follows it.

    ``read`` may be called from several threads, and holds each file against its CRC.

    Raises:
        ValueError: the archive's directory is not whole.
    """
    try:
        opened = zipfile.ZipFile(io.BytesIO(archive))
        names = opened.namelist()
    # A damaged archive fails in as many ways as it has fields, so no list of them would be whole.
    except Exception as error:
        raise ValueError(f"is cut short or changed: as zip it is not whole ({error})") from error
    _check_count(archive, len(names))

    def read(name: str) -> bytes:
        try:
            info = opened.getinfo(top + name)
            if info.file_size > _LARGEST:
                raise ValueError(f"it says that it has {info.file_size:,} bytes")
            return opened.read(info)
        except KeyError:
            raise ValueError(f"holds no {top}{name}") from None
        except Exception as error:
            raise ValueError(f"is changed: its file {top}{name} is not whole ({error})") from error

    return Files(frozenset(name.removeprefix(top) for name in names if name.startswith(top)), read)


def open_folder(folder: Path) -> Files:
    """Give the files of a folder and of those in it, by their path in it.

    Raises:
        ValueError: it cannot be looked into.
    """
    try:
        names = [Path(entry.path).relative_to(folder).as_posix() for entry in files_below(folder)]
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            raise ValueError(f"holds no {name}") from None
        except OSError as error:
            raise ValueError(f"holds {name}, which cannot be read ({error.strerror})") from error

    return Files(frozenset(names), read)


def _check_count(archive: bytes, found: int) -> None:
    # zipfile goes through the directory without counting: a changed length in it can swallow the entries after.
    at = archive.rfind(_END_OF_DIRECTORY)
    count = int.from_bytes(archive[at + 10 : at + 12], "little")
    if count not in (found % 2**16, 2**16 - 1):  # the last stands for "more than fit here" in large archives
        raise ValueError(f"is changed: as zip it says that it holds {count:,} files, and {found:,} are found")
