"""What the curves of a candidate say together: a mean and its spread by iteration, and where it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from lrsearch.averages import deviation_of, mean_of
from lrsearch.report.findings import Finding, diverged_at
from lrsearch.searches import SearchState
from lrsearch.task.model import Task
from lrsearch.trial import Finished, Stopped, Trial

EARLY = 0.04
"""The share of a training whose evaluations do not set the range of a picture."""

LEAST_SPAN = 0.2
"""The range of a picture of curves is at least this share of what it shows."""


@dataclass(frozen=True, slots=True)
class Band:
    """Mean and sample standard deviation over seeds by iteration; the deviation is 0 for one seed."""

    iterations: tuple[int, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]


def band(finding: Finding) -> Band | None:
    """Average a candidate's seeds over the iterations that all have; None if one diverged or none can be averaged.

    A seed that diverged is never averaged away: such a candidate is drawn seed by seed. One that was stopped is
    drawn by itself, and so is one that still runs beside others that ran to the end.
    """
    if any(diverged_at(trial) is not None for trial in finding.replicas):
        return None
    whole = [trial for trial in finding.replicas if isinstance(trial.outcome, Finished)]
    averaged = whole or finding.running
    curves = [trial.curve for trial in averaged if trial.curve]
    if not curves:
        return None
    values = [{evaluation.iteration: evaluation.value for evaluation in curve} for curve in curves]
    iterations = sorted(set.intersection(*(set(of_seed) for of_seed in values)))
    columns = [[of_seed[iteration] for of_seed in values] for iteration in iterations]
    deviations = tuple(deviation_of(column) if len(column) > 1 else 0.0 for column in columns)
    return Band(tuple(iterations), tuple(mean_of(column) for column in columns), deviations)


def single_curves(finding: Finding) -> tuple[Trial, ...]:
    """Give the trainings that are drawn one by one: all of a candidate that diverged, those stopped or late."""
    if any(diverged_at(trial) is not None for trial in finding.replicas):
        return finding.replicas
    whole = any(isinstance(trial.outcome, Finished) for trial in finding.replicas)
    return tuple(
        trial
        for trial in finding.replicas
        if trial.curve and (isinstance(trial.outcome, Stopped) or (whole and not trial.ended))
    )


def seed_values(finding: Finding) -> list[float]:
    """Give the end metrics of the seeds that ran their whole budget."""
    return [trial.outcome.value for trial in finding.replicas if isinstance(trial.outcome, Finished)]


def shown_range(task: Task, found: Sequence[Finding]) -> tuple[float, float]:
    """Give the range of metrics that curves are drawn in: that of the candidates which learned or still may.

    The first evaluations are left out: the drop from the initial loss would flatten all the rest. A network
    that a large rate kills may pass any height before its NaN.
    """
    settled = EARLY * task.budget.iterations
    alive = [finding for finding in found if not finding.mark.dead]
    bands = [band(finding) for finding in alive or found]
    points = [
        (iteration, value)
        for of in bands
        if of is not None
        for iteration, mean, deviation in zip(of.iterations, of.means, of.deviations, strict=True)
        for value in (mean - deviation, mean + deviation)
        if isfinite(value)
    ]
    points += [
        (evaluation.iteration, evaluation.value)
        for finding in alive
        for trial in single_curves(finding)
        for evaluation in trial.curve
        if isfinite(evaluation.value)
    ]
    shown = [value for iteration, value in points if iteration >= settled] or [value for _, value in points]
    if not shown:
        return 0.0, 1.0
    # Where nothing learned, all is noise around the initial loss and is to look as flat as it is.
    low, high = min(shown), max(shown)
    missing = max(0.0, LEAST_SPAN * abs(high) - (high - low))
    return low - missing / 2, high + missing / 2


def best_that_may_be(task: Task, state: SearchState) -> float | None:
    """Give how good the best candidate may truly be, by the bound on regret; None without one."""
    verdict = state.verdict
    row = verdict.chosen_row if verdict else None
    if verdict is None or row is None or row.mean is None or not verdict.loses_at_most:
        return None
    return row.mean - (1 if task.metric.mode == "min" else -1) * verdict.loses_at_most
