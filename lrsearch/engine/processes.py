"""Where the number of a process is its own."""

import os
import socket
from contextlib import suppress
from pathlib import Path


def processes_seen() -> tuple[str, ...]:
    """Name the space in which this process's number is its own: hosts may share a name, containers a kernel."""
    seen = [socket.gethostname()]
    with suppress(OSError):
        seen += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    return tuple(seen)
