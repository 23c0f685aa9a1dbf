"""What the curves of a candidate say together: a mean and its spread by iteration, and where it ended."""

from dataclasses import dataclass
from statistics import fmean, stdev

from lrsearch.report.findings import Finding, diverged_at
from lrsearch.trial import Curve


@dataclass(frozen=True, slots=True)
class Band:
    """Mean and sample standard deviation over seeds by iteration; the deviation is 0 for one seed."""

    iterations: tuple[int, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]


def band(finding: Finding) -> Band | None:
    """Average the seeds of a candidate over the iterations that all have; None if one diverged or none began.

    A seed that diverged is never averaged away: such a candidate is drawn seed by seed.
    """
    curves = [trial.curve for trial in finding.replicas if trial.curve]
    if not curves or any(diverged_at(trial) is not None for trial in finding.replicas):
        return None
    values = [{evaluation.iteration: evaluation.value for evaluation in curve} for curve in curves]
    iterations = sorted(set.intersection(*(set(of_seed) for of_seed in values)))
    columns = [[of_seed[iteration] for of_seed in values] for iteration in iterations]
    deviations = tuple(stdev(column) if len(column) > 1 else 0.0 for column in columns)
    return Band(tuple(iterations), tuple(fmean(column) for column in columns), deviations)


def single_curves(finding: Finding) -> list[tuple[Curve, bool]]:
    """Give the curves of a candidate seed by seed, each with whether it ended by diverging."""
    return [(trial.curve, diverged_at(trial) is not None) for trial in finding.replicas if trial.curve]
