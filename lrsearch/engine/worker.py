"""What a worker process of Ray Tune does: trains one replica after the other, or packs of them."""

import os
import select
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune

from lrsearch import users_code
from lrsearch.engine.driver import Driver, Workplace
from lrsearch.engine.processes import processes_seen
from lrsearch.training.checkpoint import checkpoint_file, remove_checkpoints
from lrsearch.training.packs.pack import Pack
from lrsearch.training.packs.size import ALONE, packing_of
from lrsearch.training.progress import Progress
from lrsearch.training.train import OneAtATime
from lrsearch.trial import Failed, Trial

SIZE = "size"
"""In a result: how many replicas the worker trains side by side."""
PACKINGS = "packings"
"""In a result: what the worker measured of packs and is worth remembering, as pairs: Tune flattens dictionaries."""
PROGRESS = "progress"
"""In a result: what replicas have come to, each with its trial's id."""
_WATCH_SECONDS = 0.5
_PAUSES = (0.02, 0.2)
"""Seconds, the first and the longest, between two questions of a worker that has nothing to train."""


class ReplicaTrainable(tune.Trainable):
    """A worker process: it trains what the driver gives it, until the driver has no more."""

    def setup(  # type: ignore[override]  # Tune passes what with_parameters was given
        self, config: dict[str, Any], driver: Driver, packings: Mapping[str, Any], folder: Path | None
    ) -> None:
        if folder is not None:
            with suppress(OSError):
                os.chdir(folder)  # Ray's is that of the moment at which it started
        if driver.processes == processes_seen():
            threading.Thread(target=_end_with, args=(driver.pid,), daemon=True).start()
        self._workplace = Workplace(driver)
        self._workplace.prepare()
        self._problem = self._workplace.difference()
        task = self._workplace.task
        # For good: all that this process does from here on is to train.
        own_logs = self._workplace.of_study.with_name(users_code.LOGS)
        users_code.start(own_logs if self._workplace.shares_disk else None)
        packing, self._new_packings = ALONE, dict[str, Any]()
        if self._problem is None:
            with suppress(Exception, SystemExit):  # what is wrong the first training says again, and is heard
                packing, self._new_packings = packing_of(task, packings)
        self._size = packing.size
        self._work = OneAtATime(task) if packing.size == 1 else Pack(task, packing.ways)
        self._spoilt = False
        self._pause = _PAUSES[0]
        self._over: set[str] = set()
        """Replicas that have ended, of which the driver has not said that they are on record."""

    def change(self, came: Sequence[Trial], gone: Sequence[str]) -> None:
        """Take in replicas, and let go of some."""
        for name in gone:
            self._work.drop(name)
            self._leave_nothing(name)
        self._over -= set(gone)
        for trial in came:
            self._work.add(trial.id, trial.spec, self._checkpoint_of(trial.id))

    def step(self) -> dict[str, Any]:
        """Train to the next evaluation; wait a moment where there is nothing to train."""
        if self._spoilt:
            os.kill(os.getpid(), signal.SIGKILL)
        if not len(self._work):
            time.sleep(self._pause)
            self._pause = min(2 * self._pause, _PAUSES[1])
            return {PROGRESS: [], SIZE: self._size, PACKINGS: [*self._new_packings.items()]}
        self._pause = _PAUSES[0]
        reached = [(name, self._checked(progress)) for name, progress in self._reached()]
        self._over |= {name for name, one in reached if one.outcome is not None and not one.transient}
        # With others beside it, it is left to them to find out whether the process is of use.
        self._spoilt = not len(self._work) and any(progress.transient for _, progress in reached)
        return {PROGRESS: reached, SIZE: self._size, PACKINGS: [*self._new_packings.items()]}

    def cleanup(self) -> None:
        """What did not end was interrupted, and goes on later."""
        for name in self._over:
            self._leave_nothing(name)

    def _reached(self) -> list[tuple[str, Progress]]:
        if self._problem is None:
            return self._work.advance()
        failed = [(name, _failed(self._problem)) for name in self._work.names]
        for name, _ in failed:
            self._work.drop(name)
        return failed

    def _checked(self, progress: Progress) -> Progress:
        """What a replica has come to, or what makes it worthless; with paths as they are at the driver."""
        if self._problem is not None:
            return progress
        if isinstance(progress.outcome, Failed):
            return replace(progress, outcome=Failed(self._workplace.at_the_driver(progress.outcome.error)))
        other_data = self._workplace.data_difference()
        return progress if other_data is None else _failed(other_data)

    def _checkpoint_of(self, trial: str) -> Path:
        return checkpoint_file(self._workplace.checkpoints, trial)

    def _leave_nothing(self, trial: str) -> None:
        """Remove this machine's own checkpoint; that on a disk which the driver shares, the driver removes."""
        if not self._workplace.shares_disk:
            remove_checkpoints(self._checkpoint_of(trial))


def _failed(problem: str) -> Progress:
    return Progress(None, Failed(problem), (), 0.0)


def _end_with(driver: int) -> None:
    """End this process when the driver is gone: Ray takes seconds to notice, and the worker would train on."""
    with suppress(
        AttributeError, OSError
    ):  # on Linux alone; it also sees a driver that nobody has buried yet
        poll = select.poll()
        poll.register(os.pidfd_open(driver), select.POLLIN)
        poll.poll()
        os.kill(os.getpid(), signal.SIGKILL)
    while True:
        try:
            os.kill(driver, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGKILL)
        except PermissionError:
            return  # another user's process has the number: the driver cannot be seen from here
        time.sleep(_WATCH_SECONDS)
