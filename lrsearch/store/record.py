"""A study read back: what a look from outside, or a resumption without the task file, needs."""

from dataclasses import dataclass
from pathlib import Path

from lrsearch.task.fingerprint import Identity
from lrsearch.trial import Trial


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The task as it was last run, and every trial on record."""

    task_text: str
    task_path: Path
    identity: Identity
    trials: tuple[Trial, ...]
