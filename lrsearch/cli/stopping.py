"""What Ctrl-C and SIGTERM do to the command line: it stops soon and says how to go on, whatever it is doing.

Nothing heavy is imported here: this stands before all other imports.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from lrsearch import streams
from lrsearch.guards import Terminated, Termination

SECONDS_TO_STOP = 4.0
"""How long a run may take to stop by itself; what has ended is on record, so it loses nothing if it does not."""
BEFORE = "stopped before anything was trained; the same command begins again"

_current: "Stopping | None" = None


class Stopping(Termination):
    """While it lasts, a signal interrupts the main thread, and a thread sees to it that the process ends.

    Python runs a signal's handler between two steps of the main thread, so not within a long call of C code; and what
    is interrupted may hang while it cleans up. The thread hears of the signal at once, through a pipe that the
    interpreter writes to. It ends the process at a second signal, or after some seconds.

    Args:
        own_process: whether the process is the command's, and may be ended; else the signal only interrupts.
        words: what to say when stopped, until ``if_stopped`` knows more.
    """

    def __init__(self, own_process: bool, words: str) -> None:
        super().__init__()
        self.ends_process = own_process
        self.words: Callable[[], str] = lambda: words
        self._saying = threading.RLock()
        self._said = False

    def __enter__(self) -> "Stopping":
        global _current
        _current = self
        if self.ends_process:
            reading, self._writing = os.pipe()
            os.set_blocking(self._writing, False)
            signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
            threading.Thread(target=self._watch, args=(reading,), daemon=True).start()
        super().__enter__()  # last: from here on signals are raised
        return self

    def __exit__(self, *raised: object) -> None:
        global _current
        if self.came is not None and self.ends_process:
            return  # it ends in a moment, and a second signal is the thread's
        _current = None
        super().__exit__(*raised)
        if self.ends_process:
            signal.set_wakeup_fd(-1)

    def say(self, line: str = "") -> None:
        """Print what is to be said when stopped, once."""
        with self._saying:
            said, self._said = self._said, True
            if said or not (line := line or self.words()):
                return
            if self.ends_process:  # not by print: the main thread may be within one
                terminal = streams.stderr_descriptor()
                show_cursor = "\x1b[?25h" if os.isatty(terminal) else ""
                os.write(terminal, f"{show_cursor}{line}\n".encode())
            else:
                print(line, file=streams.stderr())

    def end(self, status: int) -> int:
        """End after a signal: of the command's own process nothing is left to do but what may hang."""
        self.say()
        if self.ends_process:
            with suppress(OSError, RuntimeError, ValueError):  # nobody reads, or the signal fell into a print
                for stream in (streams.stdout(), streams.stderr(), sys.stdout, sys.stderr):
                    stream.flush()
            os._exit(status)
        return status

    def _watch(self, reading: int) -> None:
        status = self._next_signal(reading, None)
        if os.isatty(terminal := streams.stderr_descriptor()):
            os.write(terminal, b"stopping ...\n")
        self._next_signal(reading, SECONDS_TO_STOP)
        self.say()
        os._exit(status)

    def _next_signal(self, reading: int, seconds: float | None) -> int:
        """Wait for Ctrl-C or SIGTERM; give the exit status that it makes."""
        while select.select([reading], [], [], seconds)[0]:
            for number in os.read(reading, 64):
                if number in (signal.SIGINT, signal.SIGTERM):
                    return Terminated.exit_status if number == signal.SIGTERM else 130
        return 0


def if_stopped(words: Callable[[], str]) -> None:
    """Tell what is to be said if the command is stopped from here on."""
    if _current is not None:
        _current.words = words


def say_stopped(line: str) -> None:
    """Say that the command was stopped."""
    if _current is not None:
        _current.say(line)


def was_stopped() -> bool:
    """Whether a signal came: what is raised then is no failure of its own."""
    return _current is not None and _current.came is not None
