"""Who writes to a study: a process, told from all others, also after its number was given to another."""

import hashlib
import os
import secrets
import socket
from dataclasses import dataclass, field

import psutil

from lrsearch.engine.processes import processes_seen

_SAME_START_SECONDS = 2.0
"""The clock by which a process's start is told may be put right meanwhile; numbers are not given again so soon."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that writes to a study.

    Attributes:
        host: the name of its machine.
        machine: where its number means that process: hosts may share a name, containers a kernel.
        pid: its number.
        process_started: when it began, as Unix time in seconds.
        token: its own for each time that it opens a study: a process may open the same twice.
    """

    host: str
    machine: str
    pid: int
    process_started: float
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    @classmethod
    def this_process(cls) -> "Owner":
        """Give this process."""
        machine = hashlib.sha256("\n".join(processes_seen()).encode()).hexdigest()[:16]
        return cls(socket.gethostname(), machine, os.getpid(), psutil.Process().create_time())

    def has_ended(self) -> bool:
        """Whether the process is gone; to be asked where ``machine`` is that of the process that asks."""
        try:
            process = psutil.Process(self.pid)
            other = abs(process.create_time() - self.process_started) > _SAME_START_SECONDS
            return bool(other or process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False  # there is one, which may not be looked at
