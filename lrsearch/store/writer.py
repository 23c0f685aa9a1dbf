"""One writer a study: a lock on a file of this machine, and on PostgreSQL one that all machines see."""

from pathlib import Path

from filelock import FileLock, Timeout

from lrsearch.errors import StudyLockedError
from lrsearch.store.database import ServerLock

_LOCK_SECONDS = 1.0
"""A look at a study holds its lock for an instant; only another run holds it longer."""


class Writer:
    """The right to write to the study of a task, held from when it is made until ``release``.

    Raises:
        StudyLockedError: another process has it.
        UsageError: the storage cannot be reached.
    """

    def __init__(self, task: str, url: str, lock: Path) -> None:
        self._file = FileLock(lock)
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise StudyLockedError(
                f"another lrsearch is writing to the study {task}; wait for it, or look: lrsearch status {task}"
            ) from error
        try:
            self._server = ServerLock(url, f"lrsearch {task}")
        except BaseException:
            self._file.release()
            raise
        if not self._server.held:
            self.release()
            raise StudyLockedError(
                f"another lrsearch is writing to the study {task} from another machine; wait for it, or stop it there"
            )

    def release(self) -> None:
        """Let another process write."""
        self._server.release()
        self._file.release()
