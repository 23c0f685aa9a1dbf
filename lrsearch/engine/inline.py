"""Trains replicas in this process, without Ray: for tests, debugging and profiling, and for one GPU by packs."""

from pathlib import Path

from lrsearch import users_code
from lrsearch.engine.passing_on import pass_on
from lrsearch.engine.watchdog import HungError, Watchdog
from lrsearch.ports import Dispatcher
from lrsearch.task.fingerprint import prepared
from lrsearch.task.model import Task
from lrsearch.training.checkpoint import checkpoint_file, name_of_run, remove_checkpoints, take_over
from lrsearch.training.packs.pack import Pack
from lrsearch.training.packs.size import ALONE, REMEMBERED, Packing, packing_of
from lrsearch.training.train import train
from lrsearch.trial import Trial


class InlineEngine:
    """Runs replicas in this process, one after the other or in a pack.

    Args:
        checkpoints: the folder for checkpoints; that for logs lies beside it.
    """

    workers = 1  # of a pack, each replica is said to take its share of the time

    def __init__(self, checkpoints: Path) -> None:
        self._checkpoints = checkpoints.absolute()

    def run(self, task: Task, dispatcher: Dispatcher) -> None:
        """Train what the dispatcher asks for until it is done.

        Raises:
            TrainingError: trainings fail all in the same way, or one hangs and cannot be ended.
        """
        checkpoints = take_over(self._checkpoints, name_of_run())
        if dispatcher.done():
            return
        task = prepared(task)
        known = dispatcher.remembered(REMEMBERED) or {}
        with (
            users_code.contained(self._checkpoints.with_name(users_code.LOGS)),
            Watchdog(task.resources.timeout) as watchdog,
        ):
            packing, new = packing_of(task, known)
            if new:
                dispatcher.remember(REMEMBERED, {**known, **new})
            if packing == ALONE:
                _run_one_by_one(task, dispatcher, checkpoints, watchdog)
            else:
                _run_packed(task, packing, dispatcher, checkpoints, watchdog)


def _run_one_by_one(task: Task, dispatcher: Dispatcher, checkpoints: Path, watchdog: Watchdog) -> None:
    while (trial := dispatcher.ask()) is not None:
        checkpoint = checkpoint_file(checkpoints, trial.id)
        try:
            with watchdog.watching(trial.id):
                if not _trained(task, trial, checkpoint, dispatcher, watchdog):
                    continue
        except HungError as hung:
            dispatcher.lost(trial.id, str(hung))
            watchdog.check_gone(trial.id)
            continue
        remove_checkpoints(checkpoint)  # not before its outcome is on record


def _run_packed(
    task: Task, packing: Packing, dispatcher: Dispatcher, checkpoints: Path, watchdog: Watchdog
) -> None:
    pack = Pack(task, packing.ways)
    while True:
        while len(pack) < packing.size and (trial := dispatcher.ask()) is not None:
            pack.add(trial.id, trial.spec, checkpoint_file(checkpoints, trial.id))
        if not len(pack):
            return
        names = pack.names
        try:
            with watchdog.watching(", ".join(names)):
                reached = pack.advance()
        except HungError as hung:
            # Which of them hung is not known, and what was half done is not to be trusted.
            for name in names:
                dispatcher.lost(name, str(hung))
            pack = Pack(task, packing.ways)
            continue
        for name, progress in reached:
            over = pass_on(task, dispatcher, name, progress)
            if over is not None:
                pack.drop(name)
            if over:
                remove_checkpoints(checkpoint_file(checkpoints, name))


def _trained(task: Task, trial: Trial, checkpoint: Path, dispatcher: Dispatcher, watchdog: Watchdog) -> bool:
    """Train a replica; give whether it has ended, or is not wanted any more."""
    for progress in train(task, trial.spec, checkpoint):
        with watchdog.paused():  # what is written to the study is written whole
            over = pass_on(task, dispatcher, trial.id, progress)
        if over is not None:
            return over
    raise AssertionError("a training ended without an outcome")
