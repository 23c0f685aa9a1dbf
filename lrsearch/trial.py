"""What a training is and how it went: frozen data that every layer shares.

A *replica* is one candidate (a rung of a search) trained with one seed. It is one Optuna trial.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["min", "max"]
"""Whether a metric is to be low or high."""
Take = Literal["last", "best"]
"""Which evaluation of a training decides: its last, or its best, as early stopping keeps it."""


@dataclass(frozen=True, slots=True, order=True)
class SearchId:
    """One hyperparameter of one optimizer entry, the thing that a search is about (``sgd/lr``)."""

    entry: str
    hyperparameter: str

    def __str__(self) -> str:
        return f"{self.entry}/{self.hyperparameter}"


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """What to train: all that tells one replica of a task from another.

    ``hyperparameters`` holds every number of the entry as the optimizer gets it, the searched one at its
    ``rung`` included; those of CProp are named ``cprop.c`` and so on.
    """

    search: SearchId
    rung: int
    seed: int
    hyperparameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of a replica after ``iteration`` updates; ``value`` is the one that decides."""

    iteration: int
    value: float
    metrics: Mapping[str, float] = field(default_factory=dict)


Curve = tuple[Evaluation, ...]
"""A replica's evaluations by iteration, from iteration 0 (before the first update) on."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The replica ran its whole budget; ``value`` is the metric over the task's window."""

    value: float


NOT_FINITE_AT_FIRST = (
    "the loss or the metric is NaN or infinite before the first update: this is the data or the model, not the "
    "learning rate; mend it, then run again"
)
"""What is wrong where a training diverged at iteration 0."""


@dataclass(frozen=True, slots=True)
class Diverged:
    """Loss, weights or metric became NaN or infinite; noticed at ``iteration``."""

    iteration: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The training raised or its worker died; says nothing about the candidate."""

    error: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The replica was ended on purpose before its budget; ``reason`` says why."""

    reason: str


Outcome = Finished | Diverged | Failed | Stopped


@dataclass(frozen=True, slots=True)
class Trial:
    """One replica as the record has it. ``outcome`` is None while it runs or waits to go on.

    ``id`` is unique in a task; ``seconds`` is the time spent training it, evaluation included.
    """

    id: str
    spec: TrialSpec
    curve: Curve = ()
    outcome: Outcome | None = None
    seconds: float = 0.0

    @property
    def iterations(self) -> int:
        """How far the replica is known to have trained."""
        if isinstance(self.outcome, Diverged):
            return self.outcome.iteration
        return self.curve[-1].iteration if self.curve else 0

    @property
    def ended(self) -> bool:
        """Whether the replica will not be trained further."""
        return self.outcome is not None
