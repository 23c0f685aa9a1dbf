"""What stores keep: a study read back, as a look from outside or a resumption without the task file needs it."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lrsearch.errors import UsageError
from lrsearch.task.fingerprint import Identity
from lrsearch.task.model import RangeTest
from lrsearch.trial import Curve, Diverged, Evaluation, Failed, Finished, Outcome, SearchId, Stopped, Trial


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The task as it was last run, and every trial on record; ``worked_at`` is when one last began or ended.

    It is a Unix time: a database's own time of change moves when it is looked at.
    """

    task_text: str
    task_path: Path
    identity: Identity
    trials: tuple[Trial, ...]
    worked_at: float
    range_tests: Mapping[SearchId, RangeTest] = field(default_factory=dict)


def range_test_to(test: RangeTest) -> dict[str, Any]:
    """Give a range test as JSON keeps it."""
    return asdict(test)


def range_test_from(kept: Mapping[str, Any]) -> RangeTest:
    """Give back the range test that ``range_test_to`` was given."""
    return RangeTest(tuple(kept["rates"]), tuple(tuple(row) for row in kept["losses"]), kept["suggested"])


def with_evaluation(trial: Trial, evaluation: Evaluation) -> Trial:
    """Give a trial with an evaluation more, in place of one at the same iteration."""
    others = (e for e in trial.curve if e.iteration != evaluation.iteration)
    return replace(trial, curve=tuple(sorted((*others, evaluation), key=lambda e: e.iteration)))


def outcome_to(outcome: Outcome) -> dict[str, Any]:
    """Give an outcome as JSON keeps it."""
    kind = type(outcome).__name__.lower()
    (field,) = outcome.__slots__
    return {"kind": kind, field: getattr(outcome, field)}


def outcome_from(kept: Mapping[str, Any]) -> Outcome:
    """Give back the outcome that ``outcome_to`` was given.

    Raises:
        UsageError: it is of a kind that is not known here.
    """
    match kept:
        case {"kind": "finished", "value": value}:
            return Finished(value)
        case {"kind": "diverged", "iteration": iteration}:
            return Diverged(iteration)
        case {"kind": "stopped", "reason": reason}:
            return Stopped(reason)
        case {"kind": "failed", "error": error}:
            return Failed(error)
    raise UsageError(
        f"a trial's outcome reads {json.dumps(kept)}; a newer lrsearch wrote it, so use that one"
    )


def curve_to(curve: Curve) -> list[list[Any]]:
    """Give a curve as JSON keeps it, which has no NaN: what is not finite becomes text."""
    return [
        [e.iteration, e.value, {name: v if math.isfinite(v) else str(v) for name, v in e.metrics.items()}]
        for e in curve
    ]


def curve_from(kept: list[list[Any]]) -> Curve:
    """Give back the curve that ``curve_to`` was given."""
    return tuple(
        Evaluation(iteration, value, {name: float(v) for name, v in metrics.items()})
        for iteration, value, metrics in kept
    )
