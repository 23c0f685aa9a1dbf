"""What a worker process of Ray Tune does: trains one replica after the other, or a pack of them."""

import os
import select
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune

from lrsearch.engine.driver import Driver, Workplace
from lrsearch.engine.processes import processes_seen
from lrsearch.training.checkpoint import checkpoint_file, remove_checkpoints
from lrsearch.training.packs.pack import Pack
from lrsearch.training.progress import Progress
from lrsearch.training.train import train
from lrsearch.trial import Failed, Trial

TRIALS, PACKED = "trials", "packed"
"""In a configuration of Tune's: the replicas to begin with, and whether they are trained side by side."""
PROGRESS = "progress"
"""In a result: what replicas have come to, each with its trial's id."""
_WATCH_SECONDS = 0.5


class ReplicaTrainable(tune.Trainable):
    """Replicas in a worker process; the process serves one replica, or pack, after the other."""

    def setup(  # type: ignore[override]  # Tune passes what with_parameters was given
        self, config: dict[str, Any], driver: Driver
    ) -> None:
        if driver.processes == processes_seen():
            threading.Thread(target=_end_with, args=(driver.pid,), daemon=True).start()
        self._workplace = Workplace(driver)
        self._workplace.prepare()
        self._problem = self._workplace.difference()
        self._pack: Pack | None = None
        self._trains: Iterator[Progress] = iter(())
        self._trial = ""
        self._ended = self._spoilt = False
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin with others than before, which have ended or were not to go on."""
        trials: list[Trial] = new_config[TRIALS]
        self._leave_nothing(self._trial)
        self._ended = self._spoilt = False
        if new_config[PACKED]:
            self._pack, self._trial = Pack(self._workplace.task), ""
            self.change(trials, [])
        else:
            (trial,) = trials
            # Which closes the replica before.
            self._trains = train(self._workplace.task, trial.spec, self._checkpoint_of(trial.id))
            self._pack, self._trial = None, trial.id
        return True

    def change(self, came: Sequence[Trial], gone: Sequence[str]) -> None:
        """Take replicas into the pack, and let go of some."""
        assert self._pack is not None
        for name in gone:
            self._pack.drop(name)
            self._leave_nothing(name)
        for trial in came:
            self._pack.add(trial.id, trial.spec, self._checkpoint_of(trial.id))

    def step(self) -> dict[str, Any]:
        """Train to the next evaluation."""
        if self._spoilt:
            os.kill(os.getpid(), signal.SIGKILL)
        reached = [(name, self._checked(progress)) for name, progress in self._reached()]
        alone = self._pack is None or not len(self._pack)
        self._spoilt = alone and any(progress.transient for _, progress in reached)
        # A pack may get others; the driver ends it.
        self._ended = (
            self._pack is None
            and not self._spoilt
            and any(progress.outcome is not None for _, progress in reached)
        )
        return {PROGRESS: reached, "done": self._ended}

    def cleanup(self) -> None:
        """What did not end was interrupted, and goes on later."""
        if self._ended:
            self._leave_nothing(self._trial)

    def _reached(self) -> list[tuple[str, Progress]]:
        if self._problem is not None:
            names = self._pack.names if self._pack is not None else (self._trial,)
            return [(name, _failed(self._problem)) for name in names]
        return self._pack.advance() if self._pack is not None else [(self._trial, next(self._trains))]

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
        if trial and not self._workplace.shares_disk:
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
