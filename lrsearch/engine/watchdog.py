"""Ends trainings in this process that hang: what can be ended, alone; else the run, in a way that it can go on from."""

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lrsearch import streams
from lrsearch.errors import TrainingError
from lrsearch.training.loop import LOOP_THREAD

GRACE_SECONDS = 2.0
"""How long a training may take to notice that it is to end, before the run ends in its place."""


class HungError(BaseException):
    """A training gave no evaluation in time. Not an ``Exception``, or what it runs might take it for one of its own."""


class Watchdog:
    """Watches the trainings of this process, one at a time.

    Python interrupts the main thread where it waits, and between two of its own steps. It cannot interrupt C code (a
    loop in a library, a device that does not answer). So there are three stages: ``HungError`` in the main thread after
    ``seconds``; then a thread that ends the process with one line; and where C code does not let threads run either,
    the interpreter's own watchdog, which ends the process with a trace of where it stands.

    Args:
        seconds: how long a training may take for an evaluation; None watches nothing.
    """

    def __init__(self, seconds: float | None) -> None:
        in_main_thread = threading.current_thread() is threading.main_thread()
        self._seconds = seconds if in_main_thread and hasattr(signal, "setitimer") else None
        self._trial = ""
        self._last_resort: threading.Timer | None = None

    def __enter__(self) -> "Watchdog":
        if self._seconds is not None:
            self._before = signal.signal(signal.SIGALRM, self._bark)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._seconds is not None:
            self._stop()
            signal.signal(signal.SIGALRM, self._before)

    @contextmanager
    def watching(self, trial: str) -> Iterator[None]:
        """Watch a training; ``paused`` begins its time anew.

        Raises:
            HungError: it gave nothing in time.
        """
        self._trial = trial
        self._start()
        try:
            yield
        finally:
            self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Don't watch, and then begin the time anew."""
        self._stop()
        yield
        self._start()

    def check_gone(self, trial: str) -> None:
        """See that nothing of a training that hung goes on beside the next.

        Raises:
            TrainingError: the thread of a loop does.
        """
        for thread in threading.enumerate():
            if thread.name == LOOP_THREAD:
                thread.join(GRACE_SECONDS)
                if thread.is_alive():
                    raise TrainingError(
                        f"{self._line(trial)}, as its loop does not return; {_REMEDY}", trial=trial
                    )

    def _start(self) -> None:
        if self._seconds is None:
            return
        signal.signal(signal.SIGALRM, self._bark)  # users' code may have set one of its own
        # Again every second: what is raised inside a destructor is dropped.
        signal.setitimer(signal.ITIMER_REAL, self._seconds, 1.0)
        self._last_resort = threading.Timer(self._seconds + GRACE_SECONDS, self._end_run)
        self._last_resort.daemon = True
        self._last_resort.start()
        seconds = self._seconds + 2 * GRACE_SECONDS
        faulthandler.dump_traceback_later(seconds, exit=True, file=streams.stderr_descriptor())

    def _stop(self) -> None:
        if self._seconds is None:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._last_resort is not None:
            self._last_resort.cancel()
        faulthandler.cancel_dump_traceback_later()

    def _bark(self, number: int, frame: FrameType | None) -> None:
        raise HungError(f"it gave no evaluation for {self._seconds:g} s and was ended")

    def _end_run(self) -> None:
        line = f"{self._line(self._trial)}, as it hangs in C code; {_REMEDY}\n"
        os.write(streams.stderr_descriptor(), line.encode())
        os._exit(1)

    def _line(self, trial: str) -> str:
        return f"{trial} gave no evaluation for {self._seconds:g} s and cannot be ended alone"


_REMEDY = (
    "so the run ends; what had ended is kept; run it again to go on (with --engine ray each training has a process "
    "that can be ended)"
)
