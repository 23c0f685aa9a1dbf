"""What an engine does with what a replica has come to."""

from lrsearch.ports import Dispatcher
from lrsearch.training.progress import Progress
from lrsearch.trial import Failed


def pass_on(dispatcher: Dispatcher, trial: str, progress: Progress) -> bool | None:
    """Tell the dispatcher.

    Returns:
        None if the replica goes on; else whether it is over: has ended, or is not wanted any more. One that is not
        over will be asked for again, and keeps its checkpoints.

    Raises:
        TrainingError: it failed as one did before: the run ends.
    """
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
