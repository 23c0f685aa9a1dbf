"""Training one replica to its end, whatever trains it; what it raises becomes its outcome."""

import traceback
from collections.abc import Iterator
from pathlib import Path

from lrsearch.errors import LRSearchError
from lrsearch.task.model import Task
from lrsearch.training.loop import LoopReplica
from lrsearch.training.progress import Progress
from lrsearch.training.replica import Replica
from lrsearch.training.workloads import described, where_raised
from lrsearch.trial import Failed, TrialSpec


def train(task: Task, spec: TrialSpec, checkpoint: Path) -> Iterator[Progress]:
    """Train one replica to its end, giving each evaluation as it comes; the last progress has the outcome.

    Whatever the training raises becomes a ``Failed`` outcome; an interrupt passes through.
    """
    replica: Replica | LoopReplica | None = None
    try:
        replica = (LoopReplica if task.trained_by == "loop" else Replica)(task, spec, checkpoint)
        while True:
            progress = replica.advance()
            if progress.outcome is not None:
                replica.close()  # before the outcome is told: what comes next has the process for itself
            yield progress
            if progress.outcome is not None:
                return
    except (Exception, SystemExit) as error:
        yield Progress(None, _failed(error), replica.curve if replica else (), 0.0)
    except GeneratorExit:  # the engine wants no more of it
        if replica is not None:
            replica.close()
        raise
    except BaseException:  # an interrupt: what a loop does meanwhile is not waited for
        if isinstance(replica, LoopReplica):
            replica.abandon()
        raise


def _failed(error: BaseException) -> Failed:
    """What happened in one line, then the traceback; an error that says where and what stands alone."""
    if isinstance(error, LRSearchError):
        return Failed(str(error))
    first = f"{where_raised(error)} raised {described(error)}"
    return Failed("\n".join([first, *"".join(traceback.format_exception(error)).splitlines()]))
