"""Every error that lrsearch raises on purpose. Each message says where, what is wrong and what to do.

As a tree:

    LRSearchError                  base: the command line prints its message as one line
    ├── UsageError                 a bad file, option or study name (exit status 2)
    │   ├── TaskError              the task file, as FILE:LINE:COLUMN what is wrong; what to do
    │   ├── WorkloadError          the Python that the task names: missing, not callable, raising
    │   ├── LoopError              a training loop that reports what is no report
    │   ├── DataError              a data set: missing, cut short, changed, not to be fetched
    │   ├── StudyMismatchError     the study was made from a task that trains differently
    │   ├── StudyNotFoundError     no study of that name
    │   ├── StudyLockedError       another lrsearch is writing to the study
    │   └── UnfinishedError        an export was asked for before every search had ended
    ├── LeaseLostError             another lrsearch took the study over; what had ended is kept (exit status 1)
    ├── StorageError               the storage cannot be written any more; what had ended is kept (exit status 1)
    └── TrainingError              trainings failed; what had ended is kept (exit status 1)
"""


class LRSearchError(Exception):
    """Base of all errors that lrsearch raises on purpose."""

    exit_status = 1


class UsageError(LRSearchError):
    """Something that the user gave cannot be used; nothing was written."""

    exit_status = 2


class TaskError(UsageError):
    """A task file that cannot be used.

    ``place`` is ``FILE:LINE:COLUMN`` (1-based) or ``FILE`` where there is no line to name.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}")
        self.place = place
        self.problem = problem


class WorkloadError(UsageError):
    """The callable that the task names is missing, cannot be called, or raised."""


class LoopError(UsageError):
    """A training loop of the user's own does what it may not: reports out of order, or what is no number."""


class DataError(UsageError):
    """A data set is missing, cut short or changed, or may not be fetched."""


class StudyMismatchError(UsageError):
    """The study on disk was made from a task that trains differently; ``fields`` names what differs."""

    def __init__(self, message: str, fields: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fields = fields


class StudyNotFoundError(UsageError):
    """There is no study of the name that was given."""


class StudyLockedError(UsageError):
    """Another process is writing to the study."""


class UnfinishedError(UsageError):
    """The study's searches have not all ended."""


class LeaseLostError(LRSearchError):
    """This process was taken for dead, and another writes to its study now; it has written nothing since."""


class StorageError(LRSearchError):
    """The study's storage went away or has no room; what had ended is kept."""


class TrainingError(LRSearchError):
    """Trainings failed for a reason other than divergence; everything that had ended is kept.

    ``traceback`` is that of the first, from the process that trained it, ``trial`` its id; empty where there is none.
    """

    def __init__(self, message: str, traceback: str = "", trial: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback
        self.trial = trial
