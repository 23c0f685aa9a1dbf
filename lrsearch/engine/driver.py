"""What a worker must have in common with its driver, and what it does where it runs on another machine. No Ray here.

On a cluster a worker has a copy of the folder that the driver sent, in which its process was started; packages, data
and disks are its own machine's.
"""

import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from lrsearch import __version__
from lrsearch.engine.processes import processes_seen
from lrsearch.errors import LRSearchError
from lrsearch.task.fingerprint import code_of, data_of, identity_of, with_data
from lrsearch.task.model import Task
from lrsearch.task.stale import check_current
from lrsearch.task.watch import WATCHED, watched

_OWN = ("lrsearch", "cprop")


@dataclass(frozen=True)
class Driver:
    """What the workers of a run know of the process that they work for.

    Attributes:
        task: what is trained, prepared: with its code and identity, and paths of the driver's machine.
        checkpoints: the study's folder for checkpoints, as the driver sees it.
        run: the name of this run, and of its folder in there.
        sent: the folder that each worker has a copy of; None where all run on the driver's machine.
        mark: the name of a file in ``checkpoints``: who sees it shares the driver's disk.
        host: the name of the driver's machine.
        pid: the driver's process.
        processes: where that number means that process.
        packages: the packages that have to be the same, with their versions.
        data_folder: the driver's ``LRSEARCH_DATA``.
    """

    task: Task
    checkpoints: Path
    run: str
    sent: Path | None
    mark: str
    host: str
    pid: int
    processes: tuple[str, ...]
    packages: dict[str, str]
    data_folder: str | None

    @property
    def key(self) -> str:
        """A name for this study on other machines, the same in the next run."""
        return hashlib.sha256(f"{self.host}:{self.checkpoints}".encode()).hexdigest()[:16]


@contextmanager
def driving(task: Task, checkpoints: Path, run: str, sent: Path | None) -> Iterator[Driver]:
    """Say who drives, and while it lasts leave a mark in the folder for checkpoints, if a folder is sent."""
    mark = checkpoints / f".shared-{secrets.token_hex(8)}"
    driver = Driver(
        task=task,
        checkpoints=checkpoints,
        run=run,
        sent=sent,
        mark=mark.name,
        host=socket.gethostname(),
        pid=os.getpid(),
        processes=processes_seen(),
        packages=packages_here() if sent else {},
        data_folder=os.environ.get("LRSEARCH_DATA"),
    )
    if sent is None:
        yield driver
        return
    checkpoints.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        yield driver
    finally:
        mark.unlink(missing_ok=True)


class Workplace:
    """Where a worker of a driver is: its task, its checkpoints, and what is not as it is where the driver runs.

    Made before anything changes the folder that the process runs in.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._copy = Path.cwd()
        self.task = driver.task
        if driver.sent is not None:
            self.task = replace(driver.task, path=self._copy / driver.task.path.relative_to(driver.sent))
            if driver.task.provided is None:
                self.task = replace(self.task, code=code_of(self.task))
            if driver.data_folder:
                os.environ.setdefault("LRSEARCH_DATA", driver.data_folder)
        self.shares_disk = driver.sent is None or (driver.checkpoints / driver.mark).is_file()
        self.of_study = driver.checkpoints if self.shares_disk else _own_folder(driver.key)
        self.checkpoints = self.of_study / driver.run

    def prepare(self) -> None:
        """Make the folder for this run's checkpoints where the driver does not, with what earlier runs left."""
        if not self.shares_disk:
            from lrsearch.training.checkpoint import take_over  # imports torch, which may be missing there

            take_over(self.of_study, self._driver.run)

    def difference(self) -> str | None:
        """Return a line on what of packages, code or watched files is not as it is at the driver; None if nothing."""
        driver, host = self._driver, socket.gethostname()
        for name, here in packages_here().items() if driver.packages else ():
            if here != (there := driver.packages[name]):
                return f"{host} has {name} {here}, and {driver.host} has {there}; install the same on both"
        try:
            # A function came with the task, and what it imports of the user's own was imported with it.
            check_current(_files(self.task))
            if driver.sent is None or driver.task.provided is not None:
                return None
            watched_here = watched(self.task)
        except LRSearchError as error:
            return str(error)
        if _digest(self.task) != _digest(driver.task):
            return (
                f"the {self.task.trained_by}'s code on {host} is not that on {driver.host}; take what it imports out "
                "of .gitignore and .rayignore, and install the same packages on both"
            )
        for pattern, digest in watched_here.items():
            if digest != identity_of(driver.task)[f"{WATCHED}{pattern}"]:
                return (
                    f"{pattern}, which the task watches, on {host} is not that on {driver.host}; put the same on both"
                )
        return None

    def data_difference(self) -> str | None:
        """Return a line on which data that was read here is other than what the driver read; None if none is."""
        from lrsearch import datasets  # imports torch, which the driver need not wait for

        expected = data_of(identity_of(self._driver.task))
        here = with_data({}, ((data.name, data.summary, data.content) for data in datasets.loaded()))
        for field, value in here.items():
            if field in expected and value != expected[field]:
                return (
                    f"{socket.gethostname()} read {value}, and {self._driver.host} {expected[field]}; "
                    "put the same files on both"
                )
        return None

    def at_the_driver(self, message: str) -> str:
        """Give a message with the paths of the driver's folder for those of its copy, and the machine it is of."""
        driver, host = self._driver, socket.gethostname()
        if driver.sent is None:
            return message
        message = message.replace(str(self._copy), str(driver.sent))
        return message if host == driver.host else f"on {host}: {message}"


def _files(task: Task) -> Mapping[Path, bytes]:
    return task.code.files if task.code is not None else {}


def _digest(task: Task) -> str | None:
    return task.code.digest if task.code is not None else None


def packages_here() -> dict[str, str]:
    """Give the versions of what decides how a training goes: of lrsearch itself with a checksum of its code.

    The same seed gives the same weights under one version of torch alone, whatever it was built for.
    """
    try:
        torch = version("torch").partition("+")[0]
    except PackageNotFoundError:
        torch = "of no version"
    return {"lrsearch": f"{__version__} (code {_own_code()[:8]})", "torch": torch}


def _own_code() -> str:
    digest = hashlib.sha256()
    for package in _OWN:
        spec = find_spec(package)
        folder = Path(spec.origin).parent if spec and spec.origin else Path(package)
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _own_folder(key: str) -> Path:
    """A folder of this machine for a study's checkpoints: the user's cache, or where there is none, a temporary one."""
    choices: list[Callable[[], Path]] = [
        lambda: platformdirs.user_cache_path("lrsearch"),
        lambda: Path(tempfile.gettempdir()) / f"lrsearch-{os.getuid()}",
    ]
    for choice in choices:
        with suppress(OSError):
            folder = choice() / "checkpoints" / key
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(folder, os.W_OK):
                return folder
    return Path(tempfile.mkdtemp(prefix="lrsearch-"))
