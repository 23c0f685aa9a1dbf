"""What stores keep: a study read back, as a look from outside or a resumption without the task file needs it."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lrsearch.errors import UsageError
from lrsearch.task.model import Identity
from lrsearch.task.starts import ProposedStart, RangeTest, ScaledStart, Scaling
from lrsearch.trial import Curve, Diverged, Evaluation, Failed, Finished, Outcome, SearchId, Stopped, Trial


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The task as it was last run, and every trial on record; ``worked_at`` is when one last began or ended.

    It is a Unix time: a database's own time of change moves when it is looked at. ``tried`` is whether what only shows
    when a task is tried out is in the identity, which older versions left out.
    """

    task_text: str
    task_path: Path
    identity: Identity
    trials: tuple[Trial, ...]
    worked_at: float
    tried: bool
    proposed_starts: Mapping[SearchId, tuple[ProposedStart, ...]] = field(default_factory=dict)


_RANGE_TEST = "lrsearch range test"
"""The name of a range test, kept with the fingerprint of the trainings that it was made of."""
_SCALED_START = "lrsearch scaled start"
PROPOSALS = frozenset((_RANGE_TEST, _SCALED_START))
"""The names that what proposed a start is kept by."""


def proposed_to(proposed: ProposedStart, trains_as: str) -> tuple[str, dict[str, Any]]:
    """Give what proposed a start as JSON keeps it, with the name that it is kept by.

    Args:
        proposed: a range test, or a start that scales another result.
        trains_as: the fingerprint of the search's trainings.
    """
    match proposed:
        case RangeTest():
            return _RANGE_TEST, {"of": trains_as, **asdict(proposed)}
        case ScaledStart():
            return _SCALED_START, asdict(proposed)


def proposed_from(kept: Mapping[str, Any], trains_as: str) -> tuple[ProposedStart, ...]:
    """Give back what ``proposed_to`` was given; range tests only of trainings with the same fingerprint.

    Args:
        kept: what was kept, by the names.
        trains_as: the fingerprint of the search's trainings as they are now.
    """
    found: list[ProposedStart] = []
    if (test := kept.get(_RANGE_TEST)) and test["of"] == trains_as:
        losses = tuple(tuple(row) for row in test["losses"])
        found.append(RangeTest(tuple(test["rates"]), losses, test["suggested"]))
    if scaled := kept.get(_SCALED_START):
        found.append(ScaledStart(**scaled | {"scaling": Scaling(**scaled["scaling"])}))
    return tuple(found)


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
