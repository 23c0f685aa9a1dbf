"""What is kept from users' code where it runs in a process of lrsearch's: its output, its folder and its end.

What it prints goes to a log of its training. Each training begins in the folder in which the run began. What would end
the process without an answer (``os._exit``, ``os.exec...``) is refused, and fails the training.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from lrsearch import streams
from lrsearch.errors import WorkloadError

LOGS = "logs"
"""The folder of a study that has the logs of its trainings."""
PACK = "pack"
"""What the log is called of trainings that run as one network."""
_REFUSED = ("_exit", "execv", "execve")
"""Of ``os``: the other ways to ``exec`` call the last two."""
_MAY_END = ("lrsearch", "ray")
"""Packages whose process it is."""


class _Contained:
    """Users' code as it runs in this process, from ``start`` to ``stop``.

    Args:
        logs: the folder for logs; None leaves the output where it goes.
        held: a descriptor that takes all output in place of logs.
    """

    def __init__(self, logs: Path | None, held: int | None = None) -> None:
        self.process = os.getpid()
        self.folder = os.getcwd()
        if data := os.environ.get("LRSEARCH_DATA"):
            os.environ["LRSEARCH_DATA"] = os.path.abspath(data)  # also once a training has left the folder
        self.refused: WorkloadError | None = None
        self.around = _current
        self._logs = logs
        self._redirection = streams.Redirection() if logs is not None or held is not None else None
        if self._redirection is not None and held is not None:
            self._redirection.to(held)
        self._breakpointhook = sys.breakpointhook
        if self._redirection is not None and os.isatty(self._redirection.input):
            sys.breakpointhook = self._debug
        self._before = {name: getattr(os, name) for name in _REFUSED}
        for name, real in self._before.items():
            setattr(os, name, _refusing(name, real))

    def go_home(self) -> None:
        with suppress(OSError):  # it was removed: nothing that is relative can be found
            os.chdir(self.folder)

    def print_to(self, name: str) -> None:
        if self._redirection is None or self._logs is None:
            return
        log = _opened(self._logs / f"{name}.log")
        self._redirection.to(log)
        os.close(log)

    def renew_streams(self) -> None:
        if self._redirection is not None:
            self._redirection.renew_streams()

    def stop(self) -> None:
        for name, real in self._before.items():
            setattr(os, name, real)
        sys.breakpointhook = self._breakpointhook
        if self._redirection is not None:
            self._redirection.undo()
        self.go_home()

    def _debug(self, *given: Any, **named: Any) -> None:
        """Do what ``breakpoint()`` does, on the terminal: the standard streams are not there."""
        from pdb import Pdb

        assert self._redirection is not None, "without one the hook is the usual one"
        terminal = os.fdopen(os.dup(self._redirection.input))
        Pdb(stdin=terminal, stdout=streams.stderr()).set_trace(sys._getframe().f_back)


_current: _Contained | None = None


def start(logs: Path | None) -> None:
    """Contain users' code in this process from here on, until ``stop``.

    Args:
        logs: the folder for logs, absolute; None leaves what is printed to whoever has the process's output.
    """
    global _current
    _current = _Contained(logs)


def stop() -> None:
    """Undo the ``start`` that came last."""
    global _current
    assert _current is not None, "nothing was started"
    ending, _current = _current, _current.around
    ending.stop()


@contextmanager
def contained(logs: Path | None) -> Iterator[None]:
    """Contain users' code while it lasts, as ``start`` says."""
    start(logs)
    try:
        yield
    finally:
        stop()


@contextmanager
def tried() -> Iterator[None]:
    """Contain users' code that is only tried: what it prints is held back, and shown where it fails."""
    global _current
    with tempfile.TemporaryFile() as held:
        _current = _Contained(None, held.fileno())
        try:
            try:
                yield
                check()
            finally:
                stop()
        except Exception:
            held.seek(0)
            if text := held.read().decode(errors="replace").rstrip():
                print(text, file=streams.stderr(), flush=True)
            raise


def begin(name: str) -> None:
    """Begin a training: in the folder in which the run began, with a log of this name."""
    if _current is not None:
        _current.refused = None
        _current.go_home()
        _current.print_to(name)


def go_home() -> None:
    """Go to the folder in which the run began: whatever is made there is made as the first time."""
    if _current is not None:
        _current.go_home()


def prints_to(name: str) -> None:
    """Let what is printed from here on go to the log of this name: where several trainings take turns."""
    if _current is not None:
        _current.print_to(name)


def end() -> None:
    """End a training: what it prints later still goes to its log, until another one begins."""
    if _current is not None:
        _current.renew_streams()
        _current.go_home()


def check() -> None:
    """Raise what was refused to users' code, which may have caught it, or met it in a thread.

    Raises:
        WorkloadError: it called what would have ended the process.
    """
    if _current is not None and _current.refused is not None:
        refused, _current.refused = _current.refused, None
        raise refused


def log_of(logs: Path, trial: str) -> Path | None:
    """Return the log of what a training printed (``sgd-lr-7.log`` of ``sgd/lr/7``); None if it printed nothing."""
    for name in (trial.replace("/", "-"), PACK):
        log = logs / f"{name}.log"
        with suppress(OSError):
            if log.stat().st_size:
                return log
    return None


def remove_empty(logs: Path) -> None:
    """Remove the logs of trainings that printed nothing, and the folder where none is left."""
    with suppress(OSError):
        for log in logs.glob("*.log"):
            if not log.stat().st_size:
                log.unlink(missing_ok=True)
        logs.rmdir()


def _opened(log: Path) -> int:
    """Open a log to append to; what cannot be written goes nowhere, and the training goes on."""
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    return os.open(os.devnull, os.O_WRONLY)


def _refusing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """Make what stands in for a function of ``os`` that ends the process; children of users' code get the real one."""

    @wraps(real)
    def refuse(*given: Any, **named: Any) -> Any:
        called, caller = name, sys._getframe().f_back
        while caller is not None and caller.f_globals.get("__name__") == "os":
            called, caller = caller.f_code.co_name, caller.f_back
        if _current is None or os.getpid() != _current.process or _is_ours(caller):
            return real(*given, **named)
        place = f"{caller.f_code.co_filename}:{caller.f_lineno} " if caller else ""
        shown = ", ".join(map(repr, given)) if name == "_exit" else "..."
        in_a_loop = threading.current_thread() is not threading.main_thread()
        _current.refused = WorkloadError(
            f"{place}called os.{called}({shown}), which would end the run without an answer; "
            f"{'return from the loop or raise' if in_a_loop else 'raise'} an error instead"
        )
        raise _current.refused

    return refuse


def _is_ours(frame: FrameType | None) -> bool:
    return frame is None or str(frame.f_globals.get("__name__")).partition(".")[0] in _MAY_END
