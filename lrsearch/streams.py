"""lrsearch's own standard output and error, and those of users' code.

Users' code prints in any way it likes: ``print``, C code, subprocesses, threads, handlers at exit. All of them end in
the file descriptors 1 and 2. So lrsearch keeps copies of these and points the two elsewhere while users' code runs.
"""

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, TextIO

_SHOWN_EVERY = 0.1
"""Seconds between two looks at the logs that are shown."""
_AT_ONCE = 2**20
"""Bytes of a log that are read at once."""

_own: dict[int, TextIO] = {}
"""By descriptor; empty while lrsearch keeps none."""
_copies: list[TextIO] = []
"""Those of its own that it opened: the others are a notebook's, or a test's."""
_reserved: tuple[int, TextIO] | None = None
"""What 1 was before it was reserved, and ``sys.stdout``."""
_users: dict[int, TextIO] = {}
"""Streams that users' code got. They stay: a logging handler may hold one for as long as the process lives."""


def keep() -> bool:
    """Keep copies of standard output and error, which ``stdout`` and ``stderr`` return from here on.

    Returns:
        Whether it did: False where they are kept already.
    """
    if _own:
        return False
    _fill_gaps()
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        if _writes_to(stream, descriptor):
            stream = os.fdopen(os.dup(descriptor), "w", encoding=stream.encoding, errors=stream.errors)
            _copies.append(stream)
        _own[descriptor] = stream
    return True


def release() -> None:
    """Undo ``keep`` and ``reserve_stdout``."""
    global _reserved
    if _reserved is not None:
        _flush()
        before, sys.stdout = _reserved
        os.dup2(before, 1)
        os.close(before)
        _reserved = None
    for stream in _copies:
        with suppress(OSError):
            stream.close()
    _copies.clear()
    _own.clear()


@contextmanager
def kept() -> Iterator[None]:
    """Keep copies of standard output and error while it lasts; within another one it changes nothing."""
    mine = keep()
    try:
        yield
    finally:
        if mine:
            release()


def reserve_stdout() -> None:
    """Point descriptor 1 at standard error, also for what users' code prints at exit: only ``stdout()`` writes results.

    ``keep`` comes before it.
    """
    global _reserved
    if _reserved is not None:
        return
    _flush()
    _reserved = os.dup(1), sys.stdout
    os.dup2(2, 1)
    if not _writes_to(sys.stdout, 1):
        sys.stdout = sys.stderr


def stdout() -> TextIO:
    """Return lrsearch's own standard output, whatever users' code has in its place."""
    return _own.get(1) or sys.stdout


def stderr() -> TextIO:
    """Return lrsearch's own standard error, whatever users' code has in its place."""
    return _own.get(2) or sys.stderr


def stderr_descriptor() -> int:
    """Return the file descriptor of lrsearch's own standard error: for what writes without Python's streams."""
    with suppress(AttributeError, OSError, ValueError):
        return stderr().fileno()
    return 2


class Redirection:
    """Points 1 and 2, ``sys.stdout`` and ``sys.stderr`` where ``to`` says, and 0 at an empty input, until ``undo``."""

    def __init__(self) -> None:
        _fill_gaps()
        _flush()
        self._streams = sys.stdout, sys.stderr
        self._descriptors = [os.dup(descriptor) for descriptor in range(3)]
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # or what users' code asks would be answered from the terminal that shows the run
        os.close(nothing)

    @property
    def input(self) -> int:
        """The descriptor of what was standard input."""
        return self._descriptors[0]

    def to(self, descriptor: int) -> None:
        """Point both at what a descriptor is open for."""
        _flush()
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = _users_stream(1), _users_stream(2)

    def renew_streams(self) -> None:
        """Put streams of 1 and 2 in place of whatever users' code left as ``sys.stdout`` and ``sys.stderr``."""
        _flush()
        sys.stdout, sys.stderr = _users_stream(1), _users_stream(2)

    def undo(self) -> None:
        """Put back what was there before."""
        _flush()
        for descriptor, before in enumerate(self._descriptors):
            os.dup2(before, descriptor)
            os.close(before)
        sys.stdout, sys.stderr = self._streams


@contextmanager
def shown(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say each line that is added to a log in a folder while it lasts, after the log's name.

    Logs are looked at, not listened to: so it shows what any process adds to them.

    Args:
        folder: of files ``*.log``; it need not be there yet.
        say: takes a line, in a thread of its own.
    """
    followed = _Followed(folder, say)
    over = threading.Event()

    def follow() -> None:
        while not over.wait(_SHOWN_EVERY):
            followed.look()

    thread = threading.Thread(target=follow, name="lrsearch logs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        _flush()
        followed.look(last=True)


class _Followed:
    """The logs of a folder, and how much of each was said; what they hold at first counts as said."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._read = {log: _size(log) for log in folder.glob("*.log")}
        self._begun: dict[Path, bytes] = {}
        """Lines without an end so far."""

    def look(self, last: bool = False) -> None:
        """Say the lines that are new; the ``last`` time also those that have no end."""
        for log in sorted(self._folder.glob("*.log")):
            while new := self._new(log):
                *lines, self._begun[log] = (self._begun.get(log, b"") + new).split(b"\n")
                self._say_lines(log, lines)
        if last:
            for log, begun in self._begun.items():
                self._say_lines(log, [begun] * bool(begun))

    def _new(self, log: Path) -> bytes:
        with suppress(OSError), log.open("rb") as file:
            file.seek(self._read.get(log, 0))
            new = file.read(_AT_ONCE)
            self._read[log] = file.tell()
            return new
        return b""

    def _say_lines(self, log: Path, lines: list[bytes]) -> None:
        for line in lines:
            # Of a bar that was drawn over and over what it came to.
            text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
            self._say(f"{log.stem} | {text}")


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


class _Forgiving(io.FileIO):
    """A descriptor of users' code: a disk that is full costs what it prints, not the training."""

    def write(self, data: Any) -> int:
        with suppress(OSError):
            return super().write(data)
        return len(data)


class _Lasting(io.TextIOWrapper):
    """A stream that cannot be closed: it may be another's too, such as a logging handler's."""

    def close(self) -> None:
        self.flush()


def _users_stream(descriptor: int) -> TextIO:
    stream = _users.get(descriptor)
    with suppress(ValueError):  # its buffer was detached, which some do to change the encoding
        if stream is not None and not stream.closed:
            return stream
    raw = io.BufferedWriter(_Forgiving(descriptor, "w", closefd=False))
    stream = _Lasting(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    _users[descriptor] = stream
    return stream


def _writes_to(stream: TextIO, descriptor: int) -> bool:
    """Whether a stream is one of a file descriptor: not so in a notebook, or where a test captures it."""
    with suppress(AttributeError, OSError, ValueError):
        return stream.fileno() == descriptor
    return False


def _fill_gaps() -> None:
    """Open what of 0, 1 and 2 is closed: a file that got such a number would be written over."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _flush() -> None:
    """Write out what Python's streams and C's hold back, to where it was meant to go."""
    for stream in {id(s): s for s in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)}.values():
        with suppress(Exception):  # whatever users' code put there
            stream.flush()  # type: ignore[union-attr]
    _flush_c()()


@cache
def _flush_c() -> Callable[[], object]:
    """Find what writes out the standard output of C's library."""
    with suppress(AttributeError, ImportError, OSError, ValueError):
        import ctypes  # here, as the command line imports this module before all others

        library = ctypes.CDLL(None)
        return partial(library.fflush, ctypes.c_void_p.in_dll(library, "stdout"))
    return lambda: None
