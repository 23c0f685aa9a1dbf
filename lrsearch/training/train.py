"""Training one replica to its end, whatever trains it; what it raises becomes its outcome."""

import itertools
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from lrsearch import users_code
from lrsearch.errors import LRSearchError
from lrsearch.task.model import Task
from lrsearch.training.checkpoint import remove_checkpoints
from lrsearch.training.loop import LoopReplica, wait_for_abandoned
from lrsearch.training.progress import Progress
from lrsearch.training.replica import Replica
from lrsearch.training.workloads import described, find_callable, where_raised
from lrsearch.trial import Failed, TrialSpec

_LASTING = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
"""Errors of the file system that trying again does not mend."""
_SIGNS = (
    "CUDA error",
    "CUDA out of memory",
    "cuDNN error",
    "CUBLAS_STATUS",
    "NCCL error",
    "DataLoader worker",
    "DefaultCPUAllocator",
)
"""What is in the messages of a device, or a process that reads data, that was lost, or of memory that is not there."""


_LOOKED_AT = (1, 2)
"""Stretches of a training after which it is looked for generators that were made meanwhile and will outlive it."""
_LOOKED: set[tuple[int, str, int]] = set()


def train(task: Task, spec: TrialSpec, checkpoint: Path) -> Iterator[Progress]:
    """Train one replica to its end, giving each evaluation as it comes; the last progress has the outcome.

    Whatever the training raises becomes a ``Failed`` outcome; an interrupt passes through.
    """
    replica: Replica | LoopReplica | None = None
    wait_for_abandoned()
    users_code.begin(checkpoint.stem)
    made = LoopReplica if task.trained_by == "loop" else Replica
    try:
        replica = made(task, spec, checkpoint)
        for stretch in itertools.count(1):
            progress = replica.advance()
            users_code.check()
            if stretch in _LOOKED_AT and not _began_as_later_ones(task, spec, replica, stretch):
                replica.close()
                remove_checkpoints(checkpoint)
                replica = made(task, spec, checkpoint)
                progress = [replica.advance() for _ in range(stretch)][-1]
            if progress.outcome is not None:
                replica.close()  # before the outcome is told: what comes next has the process for itself
            yield progress
            if progress.outcome is not None:
                return
    except (Exception, SystemExit) as error:
        if replica is not None:
            replica.close()
        yield failure(error, replica)
    except GeneratorExit:  # the engine wants no more of it
        if replica is not None:
            replica.close()
        raise
    except BaseException:  # an interrupt: what a loop does meanwhile is not waited for
        if isinstance(replica, LoopReplica):
            replica.abandon()
        raise
    finally:
        users_code.end()


def _began_as_later_ones(task: Task, spec: TrialSpec, replica: Replica | LoopReplica, stretch: int) -> bool:
    """Whether a process's first training found and seeded what its later ones will; it is begun anew if not.

    What it makes itself and leaves behind (in a ``functools.cache``) is there, and seeded, for all after it.
    """
    key = id(find_callable(task)), spec.search.entry, stretch
    if key in _LOOKED:
        return True
    _LOOKED.add(key)
    return replica.knows_its_generators()


class OneAtATime:
    """Trains one replica after the other: to one what ``Pack`` is to several.

    Args:
        task: that they are of.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._name = ""
        self._trains: Iterator[Progress] | None = None

    def __len__(self) -> int:
        return int(self._trains is not None)

    @property
    def names(self) -> Sequence[str]:
        """Of the replica in it, if there is one."""
        return (self._name,) if self._trains is not None else ()

    def add(self, name: str, spec: TrialSpec, checkpoint: Path) -> None:
        """Take in a replica; it is made, and goes on from its checkpoint, in the next ``advance``."""
        self._trains = None  # which closes the one before, if it was not to go on
        self._name, self._trains = name, train(self._task, spec, checkpoint)

    def drop(self, name: str) -> None:
        """Let go of a replica that has ended, or is not wanted any more."""
        if name == self._name:
            self._trains = None

    def advance(self) -> list[tuple[str, Progress]]:
        """Train to the next evaluation; give what it has come to. One that has ended is not in it any more."""
        if self._trains is None:
            return []
        progress = next(self._trains)
        if progress.outcome is not None:
            self._trains = None
        return [(self._name, progress)]


def failure(error: BaseException, replica: Replica | LoopReplica | None) -> Progress:
    """Give what a replica has come to that raised an error, or was not made for it."""
    curve = replica.curve if replica else ()
    return Progress(None, _failed(error), curve, 0.0, transient=is_transient(error))


def is_transient(error: BaseException) -> bool:
    """Whether an error may pass by itself: a full disk, no memory, a lost device; not what the code does wrong.

    >>> is_transient(OSError(28, "No space left on device")), is_transient(FileNotFoundError("train.csv"))
    (True, False)
    """
    if isinstance(error, RuntimeError):  # torch has classes for few of its own
        return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _SIGNS)
    return isinstance(error, OSError | MemoryError) and not isinstance(error, _LASTING)


def _failed(error: BaseException) -> Failed:
    """What happened in one line, then the traceback; an error that says where and what stands alone."""
    if isinstance(error, LRSearchError):
        return Failed(str(error))
    first = f"{where_raised(error)} raised {described(error)}"
    return Failed("\n".join([first, *"".join(traceback.format_exception(error)).splitlines()]))
