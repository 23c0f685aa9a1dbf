"""What a search concluded and how sure that is: statistics over paired seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

import numpy as np
from scipy import optimize, stats

from lrsearch.search import AtLimit, Bracketed, Candidate, Ending, NoneLearned, candidates_of
from lrsearch.task.model import Mode, Searched
from lrsearch.trial import SearchId, Trial

CONFIDENCE = 0.95
POOLED_RUNGS = 2
"""Residuals are pooled over the rungs this near to the leader: seed spread grows towards the ladder's ends."""


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate in the evidence. Metrics are None where the candidate has none to show."""

    rung: int
    value: float
    """The hyperparameter's value at the rung."""
    seeds: int
    """Replicas that have ended, however they ended."""
    learned: bool
    mean: float | None
    std: float | None
    """Sample standard deviation over seeds; None below two."""
    difference: float | None
    """Mean paired difference of the metric to the chosen candidate; positive is worse, whatever the mode."""
    difference_error: float | None
    """Standard error of ``difference``."""
    diverged: dict[int, int]
    """Seed to iteration, for the seeds that diverged."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a search with its evidence.

    ``regret_at_most`` bounds what the chosen candidate loses to the best of those trained, as a fraction of the
    best one's metric, with 95 % confidence; None where it cannot be had (one seed, or nothing learned). It holds
    for a search that is looked at once, when it ends. ``resolved`` says whether it is within ``tolerance``.
    ``ties`` are the other values that may still be the best, at the same confidence.
    """

    search: SearchId
    ending: Ending
    chosen: float | None
    rows: tuple[Row, ...]
    regret_at_most: float | None
    tolerance: float
    ties: tuple[float, ...]
    iterations: int
    """Iterations trained for this search, over all its replicas."""

    @property
    def name(self) -> str:
        """The verdict in one word, as files and tables have it."""
        return verdict_name(self.ending)

    @property
    def resolved(self) -> bool:
        """Whether the bound on regret is within the tolerance and the choice lies inside its bracket."""
        bounded = self.regret_at_most is not None and self.regret_at_most <= self.tolerance
        return bounded and isinstance(self.ending, Bracketed)

    @property
    def chosen_row(self) -> Row | None:
        """The chosen candidate's row."""
        return next((row for row in self.rows if row.value == self.chosen), None)

    @property
    def bracket(self) -> tuple[float | None, float | None]:
        """The values beside the chosen one; None where the ladder ends or nothing was trained."""
        chosen = self.chosen_row
        beside = {row.rung: row.value for row in self.rows}
        return (beside.get(chosen.rung - 1), beside.get(chosen.rung + 1)) if chosen else (None, None)


def verdict_name(ending: Ending) -> str:
    """Give an ending in one word: ``bracketed``, ``at_limit`` or ``none_learned``."""
    match ending:
        case Bracketed():
            return "bracketed"
        case AtLimit():
            return "at_limit"
        case NoneLearned():
            return "none_learned"


def judge(
    search: SearchId,
    searched: Searched,
    ending: Ending,
    trials: Sequence[Trial],
    mode: Mode,
    tolerance: float,
) -> Verdict:
    """Weigh the evidence of a search that has ended.

    Args:
        search: which search.
        searched: its ladder.
        ending: how the strategy ended it.
        trials: all its trials.
        mode: whether the metric is to be low or high.
        tolerance: the regret up to which the choice counts as resolved.
    """
    candidates = candidates_of(trials)
    chosen = None if isinstance(ending, NoneLearned) else candidates[ending.rung]
    lowest, highest = searched.ladder.rungs_within(*searched.limits)
    rivals = {
        rung: candidate
        for rung, candidate in candidates.items()
        # One with fewer seeds than the chosen one was left behind by the bracket: it has no pairs to compare.
        if chosen is not None
        and candidate is not chosen
        and lowest <= rung <= highest
        and candidate.learned(mode)
        and candidate.values.keys() >= chosen.values.keys()
    }
    return Verdict(
        search=search,
        ending=ending,
        chosen=searched.ladder.value(chosen.rung) if chosen else None,
        rows=tuple(rows_of(searched, candidates.values(), chosen, mode)),
        regret_at_most=_regret_bound(chosen, rivals, mode) if chosen else None,
        tolerance=tolerance,
        ties=tuple(searched.ladder.value(rung) for rung in _ties(chosen, rivals, mode)) if chosen else (),
        iterations=sum(trial.iterations for trial in trials),
    )


def rows_of(
    searched: Searched, candidates: Iterable[Candidate], chosen: Candidate | None, mode: Mode
) -> list[Row]:
    """Give a row a candidate, lowest rung first; differences are paired by seed with ``chosen``."""
    rows = []
    for candidate in candidates:
        values = list(candidate.values.values())
        differences = (
            _paired_differences(candidate, chosen, mode) if chosen and candidate.mean is not None else []
        )
        rows.append(
            Row(
                rung=candidate.rung,
                value=searched.ladder.value(candidate.rung),
                seeds=sum(trial.ended for trial in candidate.replicas.values()),
                learned=candidate.learned(mode),
                mean=candidate.mean,
                std=stdev(values) if candidate.mean is not None and len(values) > 1 else None,
                difference=fmean(differences) if differences else None,
                difference_error=stdev(differences) / len(differences) ** 0.5
                if len(differences) > 1
                else None,
                diverged=candidate.diverged,
            )
        )
    return rows


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


def _paired_differences(candidate: Candidate, chosen: Candidate, mode: Mode) -> list[float]:
    sign = 1 if mode == "min" else -1
    own, other = candidate.values, chosen.values
    return [sign * (own[seed] - other[seed]) for seed in own.keys() & other.keys()]


def _regret_bound(chosen: Candidate, rivals: dict[int, Candidate], mode: Mode) -> float | None:
    if len(chosen.values) < 2:
        return None
    if not rivals:
        return 0.0
    losses = _losses(chosen, rivals, mode)
    return max(0.0, *losses.values()) if losses else None


def _ties(chosen: Candidate, rivals: dict[int, Candidate], mode: Mode) -> list[int]:
    losses = _losses(chosen, rivals, mode)
    return [rung for rung in sorted(rivals) if losses.get(rung, 1.0) > 0]


def _losses(chosen: Candidate, rivals: dict[int, Candidate], mode: Mode) -> dict[int, float]:
    """The most that the chosen candidate may lose to each rival, as a fraction of the rival's metric.

    Multiple comparisons with the best (Hsu 1996, Multiple Comparisons, chapter 4): candidates and seeds make a
    two-way table, and what an additive model leaves over, pooled near the leader, is the noise. Metrics that are
    all positive are compared as logarithms: their spread grows with their size, and a difference of logarithms is
    the very ratio that regret is about. Others are compared as they are, over the chosen one's size.
    """
    seeds = sorted(set.intersection(*(set(candidate.values) for candidate in (chosen, *rivals.values()))))
    if len(seeds) < 2:
        return {}
    tables = {c.rung: np.array([c.values[seed] for seed in seeds]) for c in (chosen, *rivals.values())}
    as_logarithms = all((values > 0).all() for values in tables.values())
    size = abs(tables[chosen.rung].mean())
    if not as_logarithms and not size:
        return {}
    scaled = {rung: np.log(values) if as_logarithms else values / size for rung, values in tables.items()}
    near = np.array([values for rung, values in scaled.items() if abs(rung - chosen.rung) <= POOLED_RUNGS])
    if len(near) < 2:
        return {}
    residuals = near - near.mean(axis=1, keepdims=True) - near.mean(axis=0, keepdims=True) + near.mean()
    freedom = (len(near) - 1) * (len(seeds) - 1)
    error = np.sqrt((residuals**2).sum() / freedom * 2 / len(seeds))
    allowance = dunnett_critical_value(len(rivals), freedom) * error
    sign = 1 if mode == "min" else -1
    ahead = {rung: sign * (scaled[rung] - scaled[chosen.rung]).mean() for rung in rivals}
    if not as_logarithms:
        return {rung: float(allowance - lead) for rung, lead in ahead.items()}
    return {rung: float(sign * np.expm1(sign * (allowance - lead))) for rung, lead in ahead.items()}
