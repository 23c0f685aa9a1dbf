"""What stands around a run: signals, files that cannot be written, silent addresses, refusals without a trace."""

import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from lrsearch.errors import StudyLockedError, StudyMismatchError, UsageError

CONNECT_SECONDS = 5.0
"""How long a Ray cluster's address may take to answer."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the run stops as at Ctrl-C, with another exit status."""

    exit_status = 143


class Termination:
    """While it lasts, SIGTERM stops the run as Ctrl-C does, and neither is overlooked.

    An exception that a signal raises inside a destructor or a callback of the interpreter is printed and dropped;
    ``check`` raises it again.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._around: Termination | None = None
        self.came: type[KeyboardInterrupt] | None = None
        self.ends_process = False
        """Whether at a second signal the process ends without it."""

    def __enter__(self) -> "Termination":
        with suppress(ValueError):  # not the main thread: signals are somebody else's
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._stop)
        around = getattr(self._before.get(signal.SIGINT), "__self__", None)
        if isinstance(around, Termination):
            self._around, self.ends_process = around, around.ends_process
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Stop now if a signal came; and put back the handlers, for Ray has its own when it starts.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
            Terminated: SIGTERM came.
        """
        for number in self._before:
            signal.signal(number, self._stop)
        if self.came is not None:
            raise self.came

    def end(self, status: int) -> int:
        """End after a signal, where the process may be ended; give its exit status."""
        return status

    def _stop(self, number: int, frame: FrameType | None) -> None:
        ending = self._around or self
        if ending.ends_process and _within_import(frame):
            # Torch's C++ aborts the process where an import of its own is interrupted.
            ending.end(Terminated.exit_status if number == signal.SIGTERM else 130)
        again = self.came is not None
        self.came = self.came or (Terminated if number == signal.SIGTERM else KeyboardInterrupt)
        if self._around is not None:
            self._around.came = self.came
        if not (again and self.ends_process):  # or what cleans up would be torn, and the process ends anyway
            raise self.came


def _within_import(frame: FrameType | None) -> bool:
    """Whether a module is being imported."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one line that names the file."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or path
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f"{where} cannot be written ({reason}); make room, allow it or choose another"
        ) from error


@contextmanager
def nothing_left_behind(folder: Path, begun: Callable[[], bool]) -> Iterator[None]:
    """Where a run is refused before it has begun a training, remove the folders that it made for its study."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    except (StudyLockedError, StudyMismatchError):
        raise  # the folder is another run's, which began in the meantime
    except UsageError:
        if folder in made and not begun():
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                for parent in made[1:]:
                    parent.rmdir()
        raise


def check_address(address: str) -> None:
    """Refuse an address where nobody listens, for Ray itself would knock for minutes; and one of a Ray Client.

    Through a client Tune would run in the cluster, without the study.
    """
    if address.startswith("ray://"):
        raise UsageError(
            f"{address} is the address of a Ray Client, through which no search can run; run lrsearch on a machine of "
            "the cluster with --address HOST:6379, or there by: ray job submit"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto", or what only Ray understands
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"no Ray cluster answers at {address} ({reason}); start one with: ray start --head"
        ) from error
