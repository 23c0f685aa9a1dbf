"""Trains one replica after the other in this process, without Ray: for tests, debugging and profiling."""

from pathlib import Path

from lrsearch.engine.watchdog import HungError, Watchdog
from lrsearch.ports import Dispatcher
from lrsearch.task.model import Task
from lrsearch.training.checkpoint import checkpoint_file, name_of_run, remove_checkpoints, take_over
from lrsearch.training.train import train
from lrsearch.trial import Failed, Trial


class InlineEngine:
    """Runs replicas in this process.

    Args:
        checkpoints: the folder for checkpoints.
    """

    workers = 1

    def __init__(self, checkpoints: Path) -> None:
        self._checkpoints = checkpoints

    def run(self, task: Task, dispatcher: Dispatcher) -> None:
        """Train what the dispatcher asks for until it is done.

        Raises:
            TrainingError: trainings fail all in the same way, or one hangs and cannot be ended.
        """
        checkpoints = take_over(self._checkpoints, name_of_run())
        with Watchdog(task.resources.timeout) as watchdog:
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


def _trained(task: Task, trial: Trial, checkpoint: Path, dispatcher: Dispatcher, watchdog: Watchdog) -> bool:
    """Train a replica; give whether it has ended, or is not wanted any more."""
    for progress in train(task, trial.spec, checkpoint):
        with watchdog.paused():  # what is written to the study is written whole
            for line in progress.notes:
                dispatcher.note(line)
            if progress.evaluation is not None and not dispatcher.report(
                trial.id, progress.evaluation, progress.seconds
            ):
                return True
            if isinstance(progress.outcome, Failed) and progress.transient:
                dispatcher.lost(trial.id, progress.outcome.error)
                return False
            if progress.outcome is not None:
                return dispatcher.tell(trial.id, progress.outcome, progress.curve, progress.seconds)
    raise AssertionError("a training ended without an outcome")
