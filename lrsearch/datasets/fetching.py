"""Downloads of data sets, each file held against its published checksum before it gets its name."""

import os
from pathlib import Path
from typing import Any

from lrsearch.datasets.catalogue import DataSet, File
from lrsearch.datasets.files import cache_of, check, find, found, named, source_of
from lrsearch.errors import DataError


def fetch(name: str, progress: bool = False) -> Path:
    """Download what is missing of a data set into the user's cache; give the folder of its files.

    Files that are found and right are not fetched again; a wrong one in the cache is replaced. ``progress``
    draws a bar on stderr.

    Raises:
        DataError: there is no such data set, it may not be redistributed, it cannot be reached, what arrives is
            not the published file, or a wrong file or a subset lies in ``$LRSEARCH_DATA``, which is the user's
            to delete.
    """
    data_set = named(name)
    cache = cache_of(data_set)
    for file in data_set.files:
        path = found(data_set, file)
        if path is not None and (path.parent != cache or not data_set.mirrors):
            _check_own(data_set, file, path)
        elif data_set.mirrors:
            _download(data_set, file, cache, progress)
        else:
            raise DataError(f"{name}: {data_set.instead}; {_by_hand(data_set)}")
    return find(name)[0].parent


def _check_own(data_set: DataSet, file: File, path: Path) -> None:
    """Hold a file that is not fetched's against what is published; the unpacked folder will do."""
    if not data_set.subsets:
        check(path, file, data_set)
        return
    published = source_of(data_set.name, (path,)).published
    if os.path.isfile(path) and not published:
        raise DataError(
            f"{path} is not the published archive, and is what would be read; "
            f"move it away and run `lrsearch data {data_set.name}` again to have the whole set"
        )


def _by_hand(data_set: DataSet) -> str:
    names = [file.name for file in data_set.files]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    them = "them" if len(names) > 1 else "it"
    return (
        f"get {listed} by other means and put {them} into {cache_of(data_set)}, "
        f"or set LRSEARCH_DATA to the folder that holds {them}"
    )


def _download(data_set: DataSet, file: File, cache: Path, progress: bool) -> None:
    import pooch  # here, as it takes requests along: reading data needs neither
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    reasons = []
    for mirror in data_set.mirrors:
        address = mirror + file.name
        # Megabyte chunks: pooch flushes after each, and its default is 1 kB.
        bar = _Bar(file.name) if progress else None
        downloader = pooch.HTTPDownloader(progressbar=bar or False, chunk_size=2**20)
        try:
            pooch.retrieve(address, f"sha256:{file.sha256}", file.name, cache, downloader=downloader)
            return
        except RequestException as error:
            reasons.append(f"{address} could not be reached ({type(error).__name__})")
        except ValueError:
            # How pooch says that the checksum differs; what arrived is deleted already.
            reasons.append(f"{address} gave another file than the published one")
        except OSError as error:
            why = error.strerror or "not permitted"
            raise DataError(f"{cache} cannot be written ({why}); make room, or allow it") from error
        finally:
            if bar is not None:
                bar.close()
    raise DataError(f"{data_set.name} was not fetched: {', '.join(reasons)}; {_by_hand(data_set)}")


class _Bar:
    """What pooch wants of a progress bar, drawn by rich: pooch's own needs tqdm."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        self._progress: Any = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(name, total=None)

    @property
    def total(self) -> float | None:
        total: float | None = self._progress.tasks[self._task].total
        return total

    @total.setter
    def total(self, total: float) -> None:
        self._progress.update(self._task, total=total)
        self._progress.start()

    def update(self, advance: int) -> None:
        self._progress.update(self._task, advance=advance)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.stop()
