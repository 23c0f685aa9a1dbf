"""What an engine does with what a replica has come to."""

from lrsearch.errors import TrainingError
from lrsearch.ports import Dispatcher
from lrsearch.task.model import Task
from lrsearch.task.watch import watched_change
from lrsearch.training.progress import Progress
from lrsearch.trial import Failed


def pass_on(task: Task, dispatcher: Dispatcher, trial: str, progress: Progress) -> bool | None:
    """Tell the dispatcher.

    Returns:
        None if the replica goes on; else whether it is over: has ended, or is not wanted any more. One that is not
        over will be asked for again, and keeps its checkpoints.

    Raises:
        TrainingError: it failed as one did before, or a file that the task watches was changed: the run ends.
    """
    if progress.outcome is not None and (change := watched_change(task)) is not None:
        raise TrainingError(
            f"{change}; what had ended before is kept; put back what it was and run it again, or give the task another "
            "name"
        )
    for line in progress.notes:
        dispatcher.note(line)
    if progress.evaluation is not None and not dispatcher.report(
        trial, progress.evaluation, progress.seconds
    ):
        return True
    if isinstance(progress.outcome, Failed) and progress.transient:
        dispatcher.lost(trial, progress.outcome.error)
        return False
    if progress.outcome is not None:
        return dispatcher.tell(trial, progress.outcome, progress.curve, progress.seconds)
    return None
