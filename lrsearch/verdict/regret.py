"""How much a chosen candidate may lose to the best one, on paired seeds.

``docs/verdict.md`` tells it in plain words, with the coverage that ``benchmarks/regret_bound.py`` measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
CLEARLY = 4
"""A rival that is worse at each single seed by more than so many typical standard deviations counts for nothing."""
FREEDOM_OF_TWO = 1.6
"""Degrees of freedom that two pairs have for each of one: they share the chosen one's seeds, so that their variances
are correlated by 1/4 where all are as noisy, and the mean of both has 2 / (1 + 1/4) times those of one."""
_HOPED_NOISE, _HOPED_GAIN = 0.2, 1.5
"""What may well be: the noise's lower bound, exceeded with a chance of 80 %; leads larger by so many deviations."""
_QUIETEST = 1e-4
"""Of the mean variance: a pair that is quieter by chance (equal losses) speaks for the typical one no more loudly."""

_LARGE = 1e100
"""What is larger is brought to size before it is compared."""

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


def confidence_at(looks: int) -> float:
    """Give the confidence of each of several looks, so that all of them hold together (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / looks


def losses(
    chosen: Candidate, rivals: Mapping[int, Candidate], mode: Mode, confidence: float = CONFIDENCE
) -> dict[int, float]:
    """Return the most that the chosen candidate may lose to each rival, as a fraction of the rival's metric.

    After multiple comparisons with the best (Hsu 1996, Multiple Comparisons, chapter 4): where the truly best rung is
    given, whichever other one is chosen loses no more to it than its bound says, with ``confidence``. Below zero, the
    rival is worse. Empty below two paired seeds.

    A rival of which most seeds ended no better than they began, though they do not show that it did not learn, is
    doubtful: they may have been unlucky together, as where some seeds of a rate never get going. It counts as worse
    only where chance explains that no better than ``learning.ERROR``.
    """
    comparison = _compared(chosen, rivals, mode, [_is_doubtful(rival, mode) for rival in rivals.values()])
    if comparison is None:
        return {}
    bounds = comparison.allowance(confidence) - comparison.lead
    return dict(zip(rivals, map(float, comparison.as_loss(bounds, mode)), strict=True))


def may_be_resolved(
    best: Candidate, contenders: Mapping[int, Candidate], mode: Mode, tolerance: float, looks: Sequence[int]
) -> bool:
    """Whether the last look could resolve a choice, if all went well from here.

    That is: if the noise is as small as it is in one search of five, and the lead of the best over each
    contender grows by one and a half standard deviations of what further seeds can change. ``docs/verdict.md`` says how
    many of the searches that this gives up would have been resolved.
    """
    comparison = _compared(best, contenders, mode, [False] * len(contenders))
    if comparison is None:
        return True
    hoped = comparison.hoped(looks[-1])
    bounds = hoped.allowance(confidence_at(len(looks))) - hoped.lead
    return bool((hoped.as_loss(bounds, mode) <= tolerance).all())


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chosen candidate and its rivals, over paired seeds. Arrays are [..., rivals].

    Attributes:
        lead: how much better the chosen one's mean is: the logarithm of the ratio of means, or the difference of
            means over the size of the chosen one's.
        variance: of one seed's difference on the same scale.
        offsets: how many rungs each rival is above the chosen one; below it they are negative.
        clearly: which rivals are clearly worse.
        doubtful: which rivals count as worse only beyond ``learning.ERROR``.
        seeds: how many.
        as_ratios: whether leads are logarithms of ratios.
    """

    lead: Array
    variance: Array
    offsets: Integers
    clearly: Flags
    doubtful: Flags
    seeds: int
    as_ratios: bool

    @property
    def freedom(self) -> Array:
        """Degrees of freedom of the variances, [..., 1]."""
        both = _sides(self.offsets) == 2
        return np.asarray(np.where(both, FREEDOM_OF_TWO, 1.0) * (self.seeds - 1))

    def allowance(self, confidence: float) -> Array:
        """Return what chance may do to each lead, all together with ``confidence``; nothing to those clearly worse.

        Each rival has half of the error, however many there are: a miss needs a choice that looks better than the
        best by more than its allowance; the best has a neighbour on either side that may be so chosen, trained or
        not, and of one valley's rungs those farther out seldom are. This is an approximation, confirmed by
        simulation. A doubtful rival has the error of the judgement that a candidate did not learn, if that is
        smaller.
        """
        error = (1 - confidence) / 2
        # Student's t: the quantile of the upper tail.
        critical = -scipy.special.stdtrit(
            self.freedom, np.where(self.doubtful, np.minimum(error, ERROR), error)
        )
        return np.asarray(np.where(self.clearly, 0.0, critical * np.sqrt(self.variance / self.seeds)))

    def as_loss(self, difference: Array, mode: Mode) -> Array:
        """Return differences on this scale as fractions of the better candidate's metric."""
        if not self.as_ratios:
            return difference
        sign = 1 if mode == "min" else -1
        return np.asarray(sign * np.expm1(sign * difference))

    def hoped(self, seeds: int) -> "Comparison":
        """Return the comparison as it may well become with more seeds, if all goes well."""
        change = np.sqrt(self.variance * max(0.0, 1 / self.seeds - 1 / seeds))
        chi_square = 2 * scipy.special.gammaincinv(self.freedom / 2, 1 - _HOPED_NOISE)
        variance = self.variance * self.freedom / chi_square
        return replace(self, lead=self.lead + _HOPED_GAIN * change, variance=variance, seeds=seeds)


def compare(
    chosen: Array,
    rivals: Array,
    offsets: Integers,
    mode: Mode,
    as_ratios: bool,
    doubtful: Flags | bool = False,
) -> Comparison:
    """Compare a candidate with its rivals.

    Args:
        chosen: metrics [..., seeds], two seeds or more.
        rivals: metrics [..., rivals, seeds], one rival or more.
        offsets: how many rungs each rival is above the chosen one, [..., rivals]; negative below it, never 0.
        mode: whether the metric is to be low or high.
        as_ratios: compare means by the logarithm of their ratio, as becomes metrics that are all positive: their
            spread grows with their size, and regret is a ratio. A seed's share in it is, to first order, its
            metric over its candidate's mean (the delta method; Cochran 1977, Sampling Techniques, section 6.3).
            Logarithms of the single metrics would compare geometric means, and the choice is by arithmetic ones.
            Else means are compared by their difference, over the size of the chosen one's; over that of the largest
            rival where it is 0.
        doubtful: rivals [..., rivals] of which most seeds ended no better than they began; never clearly worse.
    """
    sign = 1 if mode == "min" else -1
    own, others = chosen.mean(axis=-1)[..., None], rivals.mean(axis=-1)
    if as_ratios:
        lead = sign * (np.log(others) - np.log(own))
        differences = rivals / others[..., None] - chosen[..., None, :] / own[..., None]
        worse_by = sign * (np.log(rivals) - np.log(chosen)[..., None, :])
    else:
        size = np.where(own == 0, np.abs(others).max(axis=-1, keepdims=True), np.abs(own))
        size = np.where(size == 0, 1.0, size)
        lead = sign * (others - own) / size
        differences = (rivals - chosen[..., None, :]) / size[..., None]
        worse_by = sign * differences
    seeds = chosen.shape[-1]
    variance, typical = moderated(differences.var(axis=-1, ddof=1), offsets, seeds)
    if as_ratios:
        # Where seeds spread as widely as their mean, a few of them understate how far that strays; and the mean of the
        # chosen one, which was chosen for being good, strays further than the first order says.
        spread = (chosen / own).var(axis=-1, ddof=1)[..., None]
        variance = variance * (1 + np.minimum(variance, spread) / 2)
    clearly = (worse_by.min(axis=-1) > CLEARLY * np.sqrt(typical)) & ~np.asarray(doubtful)
    return Comparison(
        lead, variance, offsets, clearly, np.broadcast_to(doubtful, lead.shape), seeds, as_ratios
    )


def moderated(variances: Array, offsets: Integers, seeds: int) -> tuple[Array, Array]:
    """Draw variances of pairs [..., rivals] towards the typical one; return them, and the typical one [..., 1].

    Typical is what the nearest rival on either side of the chosen one has: these are trained from whatever start a
    search begins, and no rung farther out changes it. It is the geometric mean of both, free of bias for normal noise,
    so that a wild one does not widen the other much. A pair's own variance counts by its degrees of freedom, the
    typical one by ``PRIOR_FREEDOM`` (Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3(1),
    article 3, equation 1), a fixed number, since no one search has pairs enough to estimate it. Where only one side
    has a rival its variance is no more typical than any other, and each pair has its own alone.
    """
    freedom = seeds - 1
    typical = unbiased_mean(beside(variances, offsets), freedom)
    prior = np.where(_sides(offsets) == 2, PRIOR_FREEDOM, 0)
    return (freedom * variances + prior * typical) / (freedom + prior), typical


def beside(variances: Array, offsets: Integers) -> Array:
    """Return the variances of the nearest rivals below and above, [..., 2]; where one side has none the other's twice.

    Args as for ``moderated``.
    """
    distances = [np.where(side, np.abs(offsets), np.inf) for side in (offsets < 0, offsets > 0)]
    nearest = np.stack([distance.argmin(axis=-1) for distance in distances], axis=-1)
    missing = np.stack([np.isinf(distance).all(axis=-1) for distance in distances], axis=-1)
    return np.take_along_axis(variances, np.where(missing, nearest[..., ::-1], nearest), axis=-1)


def unbiased_mean(variances: Array, freedom: int) -> Array:
    """Return the geometric mean of variances [..., pairs], as [..., 1], free of bias for normal noise."""
    least = _QUIETEST * variances.mean(axis=-1, keepdims=True) + np.finfo(np.float64).tiny
    bias = scipy.special.digamma(freedom / 2) - np.log(freedom / 2)
    return np.asarray(np.exp(np.log(np.maximum(variances, least)).mean(axis=-1, keepdims=True) - bias))


def _sides(offsets: Integers) -> Integers:
    """Return on how many sides of the chosen candidate there is a rival, [..., 1]."""
    below, above = (side.any(axis=-1, keepdims=True) for side in (offsets < 0, offsets > 0))
    return np.asarray(below.astype(np.int64) + above)


def _is_doubtful(rival: Candidate, mode: Mode) -> bool:
    ended = [(rival.replicas[seed].curve[0].value, value) for seed, value in rival.values.items()]
    stuck = [value >= began if mode == "min" else value <= began for began, value in ended]
    return 2 * sum(stuck) > len(stuck)


def _compared(
    chosen: Candidate, rivals: Mapping[int, Candidate], mode: Mode, doubtful: Sequence[bool]
) -> Comparison | None:
    """Compare over the seeds that all have; None below two, or without a rival."""
    seeds = sorted(set.intersection(*(set(candidate.values) for candidate in (chosen, *rivals.values()))))
    if len(seeds) < 2 or not rivals:
        return None
    own = np.array([chosen.values[seed] for seed in seeds])
    others = np.array([[rival.values[seed] for seed in seeds] for rival in rivals.values()])
    offsets = np.array([rival.rung - chosen.rung for rival in rivals.values()])
    largest = max(np.abs(own).max(), np.abs(others).max())
    if largest > _LARGE:  # sums of squares would be no floats
        own, others = own / largest, others / largest
    as_ratios = bool((own > 0).all() and (others > 0).all())
    return compare(own, others, offsets, mode, as_ratios, np.array(doubtful))
