"""What a replica gives while it trains, and what tells its checkpoint from another's."""

import json
from dataclasses import dataclass

from lrsearch.task.fingerprint import identity_of, of_entry
from lrsearch.task.model import Task
from lrsearch.trial import Curve, Evaluation, Outcome, TrialSpec

CHECKPOINT_SECONDS = 5.0
"""Training between two checkpoints, at least: a kill costs no more than this and one evaluation interval."""
CHECKPOINT_SHARE = 0.05
"""What writing checkpoints may take of a training: those of large models are written less often."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What one stretch of training gave.

    ``evaluation`` is None where the replica ended without one (it diverged or failed). ``curve`` is the whole curve.
    """

    evaluation: Evaluation | None
    outcome: Outcome | None
    curve: Curve
    seconds: float
    """Time spent on the replica so far, evaluation and earlier runs included."""
    transient: bool = False
    """Whether what it failed of may pass by itself: a full disk, no memory, a lost device."""
    notes: tuple[str, ...] = ()
    """Lines for the user: a damaged checkpoint, a full disk."""


def identity_of_replica(task: Task, spec: TrialSpec) -> str:
    """Return what a checkpoint is of. Trials are numbered again in a new study, and its folder may hold old ones.

    Ask once for a replica: of a task that no run has prepared, the code is read here.
    """
    fields = of_entry(identity_of(task), spec.search.entry)
    return json.dumps(
        [str(spec.search), spec.rung, spec.seed, dict(spec.hyperparameters), fields], sort_keys=True
    )
