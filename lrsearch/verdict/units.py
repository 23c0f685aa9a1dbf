"""In what the bound on regret is measured: the metric's value, what was learned, or the error.

A percentage says nothing where its zero is arbitrary: of a log-likelihood, of a loss of which little was learned, of an
accuracy near 1. ``docs/verdict.md`` tells which is taken.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lrsearch.averages import mean_of
from lrsearch.strategies import Candidate
from lrsearch.task.model import MetricKind, Mode
from lrsearch.trial import Finished, Trial
from lrsearch.verdict.regret import losses, may_be_resolved

Unit = Literal["value", "learned", "error"]
"""What a bound on regret is a fraction of: the metric's value, what was learned, or the share of wrong answers."""

_ROUNDING = 1e-6
"""By how much a share may be above its whole, as a fraction: means in float32 are rounded."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Of what regret is a fraction, at one candidate of a search, and how its metric is compared for that.

    A metric is compared as ``offset + slope * metric``: as it is, as an error, or from where the candidate began.

    Attributes:
        unit: what it is a fraction of.
        size: how much that is, in the metric's own units; above 0, or 0 where nothing else is known of a mean of 0.
        whole: 1 or 100 where the metric is a share of right answers, in per cent for 100; None for others.
        improved: what was learned as a fraction of the mean before the first iteration, of a positive loss, or of the
            error there; None where there is no such thing.
        mode: whether the metric is to be low or high.
        offset: see above.
        slope: 1 or -1.
        mean: of the candidate, as it is compared.
    """

    unit: Unit
    size: float
    whole: float | None
    improved: float | None
    mode: Mode
    offset: float
    slope: int
    mean: float

    def losses(
        self, chosen: Candidate, rivals: Mapping[int, Candidate], confidence: float
    ) -> dict[int, float]:
        """Return :func:`lrsearch.verdict.regret.losses` of the metric as it is compared."""
        seen = {rung: self._seen(rival) for rung, rival in rivals.items()}
        return losses(self._seen(chosen), seen, self._compared_mode, confidence)

    def may_be_resolved(
        self, best: Candidate, contenders: Mapping[int, Candidate], tolerance: float, looks: Sequence[int]
    ) -> bool:
        """Return :func:`lrsearch.verdict.regret.may_be_resolved` for a tolerance that is a fraction of the unit."""
        seen = {rung: self._seen(rival) for rung, rival in contenders.items()}
        tolerated = tolerance / self.in_unit(1.0)
        return may_be_resolved(self._seen(best), seen, self._compared_mode, tolerated, looks)

    def in_unit(self, loss: float) -> float:
        """Return a loss that is a fraction of the metric, as it is compared, as a fraction of the unit.

        Of a metric that is to be low and of errors that is no less than what is lost over what the candidate itself
        learned; of one that is to be high, than what is lost over what the better candidate learned.

        >>> accuracy = Measure("learned", 0.1, 1.0, 0.125, "max", offset=1.0, slope=-1, mean=0.7)
        >>> round(accuracy.in_unit(0.02), 6)  # 2 % of an error of 0.7 are 14 % of the 0.1 that was learned
        0.14
        """
        return loss * abs(self.mean) / self.size if self.mean and self.size else loss

    def in_own_units(self, loss: float, chosen: Candidate, rivals: Iterable[Candidate]) -> float | None:
        """Return how much of the metric is lost, in its own units, where ``loss`` is a fraction of it as compared.

        None where no finite amount can be said.
        """
        if not self.mean:
            return None
        compared = (self._seen(candidate).values.values() for candidate in (chosen, *rivals))
        amount = loss * abs(self.mean)
        if all(
            value > 0 for values in compared for value in values
        ):  # then it is a fraction of the better one's
            rest = 1 + loss if self._compared_mode == "min" else 1 - loss
            amount = amount / rest if rest > 0 else math.inf
        return amount if math.isfinite(amount) else None

    @property
    def _compared_mode(self) -> Mode:
        return "min" if self.slope < 0 else self.mode

    def _seen(self, candidate: Candidate) -> Candidate:
        """The candidate as it is compared."""
        if (self.offset, self.slope) == (0, 1):
            return candidate
        return Candidate(candidate.rung, {seed: self._moved(t) for seed, t in candidate.replicas.items()})

    def _moved(self, trial: Trial) -> Trial:
        outcome = trial.outcome
        if isinstance(outcome, Finished):
            outcome = Finished(self.offset + self.slope * outcome.value)
        curve = tuple(replace(e, value=self.offset + self.slope * e.value) for e in trial.curve)
        return replace(trial, outcome=outcome, curve=curve)


def measure_of(chosen: Candidate, values: Iterable[float], mode: Mode, kind: MetricKind | None) -> Measure:
    """Choose of what regret is a fraction: the smallest of what there is at a candidate.

    That is the metric's value, where no evaluation is 0 or below; what was learned, where the beginning of each seed
    is known; and the error, of a share of right answers. A share is compared as its error, unless that is 0; what has
    an arbitrary zero, from where the candidate began.

    Args:
        chosen: a candidate with a seed that finished.
        values: the metric at all evaluations of the search; those that are not finite do not count.
        mode: whether the metric is to be low or high.
        kind: what the task says of the metric.
    """
    finite = [value for value in values if math.isfinite(value)]
    whole = _whole(finite, mode, kind)
    positive = all(value > 0 for value in finite)
    mean, began = mean_of([*chosen.values.values()]), _beginning(chosen)
    learned = 0.0 if began is None else abs(began - mean)
    if not math.isfinite(learned) or not math.isfinite(2 * max(map(abs, finite), default=0.0)):
        learned, began = 0.0, None
    error = 0.0 if whole is None else whole - mean
    applies: dict[Unit, float] = {
        "value": abs(mean) if positive else 0.0,
        "error": error,
        "learned": learned,
    }
    sizes = {unit: size for unit, size in applies.items() if size > 0} or {"value": abs(mean)}
    unit = min(sizes, key=lambda unit: sizes[unit])
    offset, slope = 0.0, 1
    if whole is not None and error > 0:
        offset, slope = whole, -1
    elif began is not None and unit == "learned" and (whole is not None or not positive):
        offset, slope = (-began, 1) if mode == "min" else (began, -1)
    improved = None
    if began is not None and whole is not None and began < whole:
        improved = learned / (whole - began)
    elif began is not None and whole is None and positive and mode == "min":
        improved = learned / began
    return Measure(unit, sizes[unit], whole, improved, mode, offset, slope, offset + slope * mean)


def evaluations_of(trials: Iterable[Trial]) -> list[float]:
    """Return the metric at all evaluations of some trainings, and as it decided."""
    values: list[float] = []
    for trial in trials:
        values += (evaluation.value for evaluation in trial.curve)
        values += [trial.outcome.value] if isinstance(trial.outcome, Finished) else []
    return values


def outside_share(trials: Iterable[Trial]) -> tuple[Trial, float] | None:
    """Return a training whose deciding metric was no share of right answers, with the value; None without one."""
    most = 100 * (1 + _ROUNDING)
    values = ((trial, e.value) for trial in trials for e in trial.curve if math.isfinite(e.value))
    return next(((trial, value) for trial, value in values if not 0 <= value <= most), None)


def _whole(finite: Sequence[float], mode: Mode, kind: MetricKind | None) -> float | None:
    """What all answers right would be, 1 or 100; None of what is no share of right answers."""
    highest = max(finite, default=0.0)
    if kind == "accuracy":
        return 1.0 if highest <= 1 + _ROUNDING else 100.0
    within = mode == "max" and all(0 <= value <= 1 + _ROUNDING for value in finite)
    return 1.0 if within and any(0 < value < 1 for value in finite) else None


def _beginning(candidate: Candidate) -> float | None:
    """The mean metric before the first iteration over the seeds that finished; None where that of one is unknown."""
    curves = [candidate.replicas[seed].curve for seed in candidate.values]
    if not all(curve and curve[0].iteration == 0 for curve in curves):
        return None
    return mean_of([curve[0].value for curve in curves])
