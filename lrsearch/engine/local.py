"""Ray on this machine, started beside other work, as that takes seconds of waiting. Ray is not imported here."""

import os
import threading
from pathlib import Path


class LocalRay:
    """Starts Ray in a thread of its own, which stops it too.

    The thread lives as long as Ray: on Linux the kernel ends Ray's processes with the thread that began them, so
    whatever becomes of this process, they go with it.
    """

    def __init__(self) -> None:
        # Or Ray takes SIGTERM for a crash: it writes stack traces and aborts.
        os.environ.setdefault("RAY_DISABLE_FAILURE_SIGNAL_HANDLER", "1")
        if folder := os.environ.get("LRSEARCH_DATA"):
            os.environ["LRSEARCH_DATA"] = str(Path(folder).resolve())  # workers run in a folder of Ray's
        self._started = threading.Event()
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._keep, name="lrsearch ray")
        self._thread.start()

    def wait(self) -> None:
        """Wait until Ray has started.

        Raises:
            Exception: whatever kept it from that.
        """
        self._started.wait()
        if self._error is not None:
            raise self._error

    def stop(self, wait: bool = True) -> None:
        """Stop Ray, as soon as it has started; with ``wait`` return when it has stopped."""
        self._over.set()
        if wait:
            self._thread.join()

    def _keep(self) -> None:
        from lrsearch.engine.cluster import start_here, stop_here

        try:
            start_here()
        except BaseException as error:
            self._error = error
        self._started.set()
        self._over.wait()
        stop_here()


def processors() -> int:
    """The processors that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
