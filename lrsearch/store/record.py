"""What stores keep: a study read back, as a look from outside or a resumption without the task file needs it."""

from dataclasses import dataclass, replace
from pathlib import Path

from lrsearch.task.fingerprint import Identity
from lrsearch.trial import Evaluation, Trial


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The task as it was last run, and every trial on record."""

    task_text: str
    task_path: Path
    identity: Identity
    trials: tuple[Trial, ...]


def with_evaluation(trial: Trial, evaluation: Evaluation) -> Trial:
    """Give a trial with an evaluation more, in place of one at the same iteration."""
    others = (e for e in trial.curve if e.iteration != evaluation.iteration)
    return replace(trial, curve=tuple(sorted((*others, evaluation), key=lambda e: e.iteration)))
