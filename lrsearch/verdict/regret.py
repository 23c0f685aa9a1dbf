"""How much a chosen candidate may lose to the best one: multiple comparisons with the best, on paired seeds.

``docs/verdict.md`` tells it in plain words, with the coverage that ``benchmarks/regret_bound.py`` measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # imports scipy.special when that is first used; scipy.stats would take half a second
from numpy.typing import NDArray

from lrsearch.strategies import Candidate
from lrsearch.task.model import Mode
from lrsearch.verdict.learning import ERROR

CONFIDENCE = 0.95
"""Of a bound on regret, over all looks together."""
PRIOR_FREEDOM = 3
"""Degrees of freedom that the typical variance of a search weighs against those that a pair has of its own."""
_HOPED_NOISE, _HOPED_GAIN = 0.2, 1.5
"""What may well be: the noise's lower bound, exceeded with a chance of 80 %; leads larger by so many deviations."""
_QUIETEST = 1e-4
"""Of the mean variance: a pair that is quieter by chance (equal losses) speaks for the typical one no more loudly."""

_LARGE = 1e100
"""What is larger is brought to size before it is compared."""

Array = NDArray[np.float64]


def confidence_at(looks: int) -> float:
    """Give the confidence of each of several looks, so that all of them hold together (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / looks


def losses(
    chosen: Candidate, rivals: Mapping[int, Candidate], mode: Mode, confidence: float = CONFIDENCE
) -> dict[int, float]:
    """The most that the chosen candidate may lose to each rival, as a fraction of the rival's metric.

    Multiple comparisons with the best (Hsu 1996, Multiple Comparisons, chapter 4): where the truly best rung is
    given, whichever other one is chosen loses no more to it than its bound says, all together with ``confidence``.
    Below zero, the rival is worse. Empty below two paired seeds.

    A rival that ended no better than it began, though its seeds do not show that it did not learn, is doubtful: they
    may have been unlucky together, as where some seeds of a rate never get going. It counts as worse only where chance
    explains that no better than ``learning.ERROR``.
    """
    comparison = _compared(chosen, rivals, mode)
    if comparison is None:
        return {}
    doubtful = np.array([not rival.gained(mode) for rival in rivals.values()])
    bounds = comparison.allowance(confidence, doubtful) - comparison.lead
    return dict(zip(rivals, map(float, comparison.as_loss(bounds, mode)), strict=True))


def may_be_resolved(
    best: Candidate, contenders: Mapping[int, Candidate], mode: Mode, tolerance: float, looks: Sequence[int]
) -> bool:
    """Whether the last look could resolve a choice, if all went well from here.

    That is: if the noise is as small as it is in one search of five, and the lead of the best over each
    contender grows by one and a half standard deviations of what further seeds can change. In simulation one in a
    thousand of the searches that this gives up would have been resolved, in the worst setting 6 %.
    """
    comparison = _compared(best, contenders, mode)
    if comparison is None:
        return True
    hoped = comparison.hoped(looks[-1])
    bounds = hoped.allowance(confidence_at(len(looks))) - hoped.lead
    return bool((hoped.as_loss(bounds, mode) <= tolerance).all())


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chosen candidate beside its rivals, over paired seeds. Arrays are [..., rivals].

    ``lead`` is how much better the chosen one's mean is: the logarithm of the ratio of means, or the difference of
    means over the size of the chosen one's. ``variance`` is that of one seed's difference on the same scale, with
    ``freedom`` degrees of freedom.
    """

    lead: Array
    variance: Array
    freedom: float
    seeds: int
    as_ratios: bool

    def allowance(self, confidence: float, doubtful: NDArray[np.bool_] | bool = False) -> Array:
        """Give what chance may do to each lead, all together with ``confidence`` (Bonferroni over the rivals).

        Dunnett's critical value would be 3 to 13 % smaller, but holds for equal variances only. That of ``doubtful``
        rivals [..., rivals] has the error of the judgement that a candidate did not learn, if that is smaller.
        """
        error = (1 - confidence) / self.lead.shape[-1]
        # Student's t: the quantile of the upper tail.
        critical = -scipy.special.stdtrit(self.freedom, np.where(doubtful, min(error, ERROR), error))
        return np.asarray(critical * np.sqrt(self.variance / self.seeds))

    def as_loss(self, difference: Array, mode: Mode) -> Array:
        """Give differences on this scale as fractions of the better candidate's metric."""
        if not self.as_ratios:
            return difference
        sign = 1 if mode == "min" else -1
        return np.asarray(sign * np.expm1(sign * difference))

    def hoped(self, seeds: int) -> "Comparison":
        """Give the comparison as it may well become with more seeds, if all goes well."""
        change = np.sqrt(self.variance * max(0.0, 1 / self.seeds - 1 / seeds))
        chi_square = 2 * scipy.special.gammaincinv(self.freedom / 2, 1 - _HOPED_NOISE)
        variance = self.variance * self.freedom / chi_square
        freedom = freedom_of(self.lead.shape[-1], seeds)
        return Comparison(self.lead + _HOPED_GAIN * change, variance, freedom, seeds, self.as_ratios)


def compare(chosen: Array, rivals: Array, mode: Mode, as_ratios: bool) -> Comparison:
    """Compare a candidate with its rivals.

    Args:
        chosen: metrics [..., seeds], two seeds or more.
        rivals: metrics [..., rivals, seeds], one rival or more.
        mode: whether the metric is to be low or high.
        as_ratios: compare means by the logarithm of their ratio, as becomes metrics that are all positive: their
            spread grows with their size, and regret is a ratio. A seed's share in it is, to first order, its
            metric over its candidate's mean (the delta method; Cochran 1977, Sampling Techniques, section 6.3).
            Logarithms of the single metrics would compare geometric means, and the choice is by arithmetic ones.
            Else means are compared by their difference, over the size of the chosen one's; over that of the largest
            rival where it is 0.
    """
    sign = 1 if mode == "min" else -1
    own, others = chosen.mean(axis=-1)[..., None], rivals.mean(axis=-1)
    if as_ratios:
        lead = sign * (np.log(others) - np.log(own))
        differences = chosen[..., None, :] / own[..., None] - rivals / others[..., None]
    else:
        size = np.where(own == 0, np.abs(others).max(axis=-1, keepdims=True), np.abs(own))
        size = np.where(size == 0, 1.0, size)
        lead = sign * (others - own) / size
        differences = (chosen[..., None, :] - rivals) / size[..., None]
    seeds = chosen.shape[-1]
    variance = moderated(differences.var(axis=-1, ddof=1), seeds)
    if as_ratios:
        # To second order: where the spread is as large as the mean, a few seeds understate it, and the logarithm of
        # their mean strays further than the first order says. Of a spread of 5 % it changes the variance by 1/400.
        variance = variance * (1 + variance / 2)
    return Comparison(lead, variance, freedom_of(rivals.shape[-2], seeds), seeds, as_ratios)


def moderated(variances: Array, seeds: int, prior_freedom: float = PRIOR_FREEDOM) -> Array:
    """Draw variances of pairs [..., pairs] towards the typical one of their search.

    Smyth's moderated variance (2004, Statistical Applications in Genetics and Molecular Biology 3(1), article 3,
    equation 1): each counts by its degrees of freedom, the typical one by ``prior_freedom``, a fixed number, since
    no one search has pairs enough to estimate it. Typical is the geometric mean, free of bias for normal noise, so
    that one wild pair does not widen the others much.
    """
    freedom, prior = seeds - 1, _prior_freedom(variances.shape[-1], seeds, prior_freedom)
    least = _QUIETEST * variances.mean(axis=-1, keepdims=True) + np.finfo(np.float64).tiny
    bias = scipy.special.digamma(freedom / 2) - np.log(freedom / 2)
    typical = np.exp(np.log(np.maximum(variances, least)).mean(axis=-1, keepdims=True) - bias)
    return np.asarray((freedom * variances + prior * typical) / (freedom + prior))


def freedom_of(pairs: int, seeds: int, prior_freedom: float = PRIOR_FREEDOM) -> float:
    """Give the degrees of freedom of moderated variances."""
    return seeds - 1 + _prior_freedom(pairs, seeds, prior_freedom)


def _prior_freedom(pairs: int, seeds: int, prior_freedom: float) -> float:
    """A pair learns from the others no more than they know; alone, nothing.

    That is how precise the geometric mean of their variances is: less than a plain mean of them, by the trigamma
    function (Smyth 2004, section 6).
    """
    return float(min(prior_freedom, 2 * (pairs - 1) / scipy.special.polygamma(1, (seeds - 1) / 2)))


def _compared(chosen: Candidate, rivals: Mapping[int, Candidate], mode: Mode) -> Comparison | None:
    """Compare over the seeds that all have; None below two, or without a rival."""
    seeds = sorted(set.intersection(*(set(candidate.values) for candidate in (chosen, *rivals.values()))))
    if len(seeds) < 2 or not rivals:
        return None
    own = np.array([chosen.values[seed] for seed in seeds])
    others = np.array([[rival.values[seed] for seed in seeds] for rival in rivals.values()])
    largest = max(np.abs(own).max(), np.abs(others).max())
    if largest > _LARGE:  # sums of squares would be no floats
        own, others = own / largest, others / largest
    return compare(own, others, mode, bool((own > 0).all() and (others > 0).all()))
