"""How much a chosen candidate may lose to the best one: multiple comparisons with the best, on paired seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from lrsearch.search import Candidate
from lrsearch.task.model import Mode

CONFIDENCE = 0.95
"""Of a bound on regret, over all looks together."""
POOLED_RUNGS = 2
"""Residuals are pooled over the rungs this near to the leader: seed spread grows towards the ladder's ends."""


def confidence_at(looks: int) -> float:
    """Give the confidence of each of several looks, so that all of them hold together (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / looks


def losses(
    chosen: Candidate, rivals: Mapping[int, Candidate], mode: Mode, confidence: float = CONFIDENCE
) -> dict[int, float]:
    """The most that the chosen candidate may lose to each rival, as a fraction of the rival's metric.

    Multiple comparisons with the best (Hsu 1996, Multiple Comparisons, chapter 4): candidates and seeds make a
    two-way table, and what an additive model leaves over, pooled near the leader, is the noise. Metrics that are
    all positive are compared as logarithms: their spread grows with their size, and a difference of logarithms is
    the very ratio that regret is about. Others are compared as they are, over the chosen one's size.
    """
    table = _table(chosen, rivals)
    if table is None:
        return {}
    allowance = dunnett_critical_value(len(rivals), table.freedom, confidence) * table.error
    return {rung: table.as_loss(allowance - lead, mode) for rung, lead in table.ahead(mode).items()}


def may_be_resolved(
    best: Candidate, contenders: Mapping[int, Candidate], mode: Mode, tolerance: float, looks: Sequence[int]
) -> bool:
    """Whether the last look could resolve a choice, if all went well from here.

    That is: if the noise is no more than it may well be (at the lower end of its 90 % interval), and the lead of
    the best over each contender grows by two standard errors.
    """
    table = _table(best, contenders)
    if table is None:
        return True
    shrink = np.sqrt(table.freedom / stats.chi2.ppf(0.95, table.freedom))
    error = shrink * table.error * np.sqrt(table.seeds / looks[-1])
    freedom = table.freedom // (table.seeds - 1) * (looks[-1] - 1)
    allowance = dunnett_critical_value(len(contenders), freedom, confidence_at(len(looks))) * error
    hoped = (lead + 2 * table.error for lead in table.ahead(mode).values())
    return all(table.as_loss(allowance - lead, mode) <= tolerance for lead in hoped)


@dataclass(frozen=True, slots=True)
class _Table:
    """Candidates by seeds, on the scale on which they are compared: logarithms, or metrics over the chosen one's.

    ``error`` is the standard error of a difference of two candidates' means.
    """

    chosen: int
    scaled: Mapping[int, NDArray[np.float64]]
    as_logarithms: bool
    seeds: int
    freedom: int
    error: float

    def ahead(self, mode: Mode) -> dict[int, float]:
        """How much better the chosen candidate's mean is than each rival's."""
        sign = 1 if mode == "min" else -1
        own = self.scaled[self.chosen]
        return {
            rung: float(sign * (values - own).mean())
            for rung, values in self.scaled.items()
            if rung != self.chosen
        }

    def as_loss(self, difference: float, mode: Mode) -> float:
        """Give a difference on the table's scale as a fraction of the better candidate's metric."""
        if not self.as_logarithms:
            return float(difference)
        sign = 1 if mode == "min" else -1
        return float(sign * np.expm1(sign * difference))


def _table(chosen: Candidate, rivals: Mapping[int, Candidate]) -> _Table | None:
    seeds = sorted(set.intersection(*(set(candidate.values) for candidate in (chosen, *rivals.values()))))
    if len(seeds) < 2:
        return None
    values = {c.rung: np.array([c.values[seed] for seed in seeds]) for c in (chosen, *rivals.values())}
    as_logarithms = all((row > 0).all() for row in values.values())
    size = abs(values[chosen.rung].mean())
    if not as_logarithms and not size:
        return None
    scaled = {rung: np.log(row) if as_logarithms else row / size for rung, row in values.items()}
    near = np.array([row for rung, row in scaled.items() if abs(rung - chosen.rung) <= POOLED_RUNGS])
    if len(near) < 2:
        return None
    residuals = near - near.mean(axis=1, keepdims=True) - near.mean(axis=0, keepdims=True) + near.mean()
    freedom = (len(near) - 1) * (len(seeds) - 1)
    error = float(np.sqrt((residuals**2).sum() / freedom * 2 / len(seeds)))
    return _Table(chosen.rung, scaled, as_logarithms, len(seeds), freedom, error)


@lru_cache
def dunnett_critical_value(
    comparisons: int, degrees_of_freedom: int, confidence: float = CONFIDENCE
) -> float:
    """Give the one-sided critical value of Dunnett's test with equal group sizes (correlation 1/2).

    The ``confidence`` quantile of ``max_i (Z_i - Z_0) / (sqrt(2) S)`` over ``comparisons`` standard normals
    ``Z_i``, with ``S^2`` a chi-squared over its degrees of freedom (Dunnett 1955), integrated numerically.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    spread = np.sqrt(stats.chi2.ppf((np.arange(400) + 0.5) / 400, degrees_of_freedom) / degrees_of_freedom)

    def coverage(critical: float) -> float:
        inside = stats.norm.cdf(np.sqrt(2) * critical * spread[:, None] + nodes[None, :]) ** comparisons
        return float((inside @ weights).mean() / weights.sum())

    return float(optimize.brentq(lambda critical: coverage(critical) - confidence, 0.0, 200.0, xtol=1e-6))
