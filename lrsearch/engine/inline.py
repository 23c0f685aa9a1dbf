"""Trains one replica after the other in this process, without Ray: for tests, debugging and profiling."""

from pathlib import Path

from lrsearch.ports import Dispatcher
from lrsearch.task.model import Task
from lrsearch.training.checkpoint import checkpoint_file
from lrsearch.training.train import train


class InlineEngine:
    """Runs replicas in this process.

    Args:
        checkpoints: the folder for checkpoints.
    """

    workers = 1

    def __init__(self, checkpoints: Path) -> None:
        self._checkpoints = checkpoints

    def run(self, task: Task, dispatcher: Dispatcher) -> None:
        """Train what the dispatcher asks for until it is done."""
        while (trial := dispatcher.ask()) is not None:
            checkpoint = checkpoint_file(self._checkpoints, trial.id)
            for progress in train(task, trial.spec, checkpoint):
                if progress.evaluation is not None and not dispatcher.report(
                    trial.id, progress.evaluation, progress.seconds
                ):
                    break
                if progress.outcome is not None:
                    dispatcher.tell(trial.id, progress.outcome, progress.curve, progress.seconds)
            checkpoint.unlink(missing_ok=True)  # not before its outcome is on record
