"""Bounds on regret to compare: the one that verdicts give, the one before it, and what else was tried."""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any
from unittest import mock

import numpy as np
import scipy
from scipy import optimize, stats

from lrsearch.trial import Mode
from lrsearch.verdict import regret
from lrsearch.verdict.learning import ERROR
from lrsearch.verdict.regret import (
    PRIOR_FREEDOM,
    Array,
    Flags,
    Integers,
    beside,
    compare,
    unbiased_mean,
)

Procedure = Callable[[Array, Array, Integers, Flags, Mode, bool, float], Array]
"""From chosen [..., seeds], rivals [..., k, seeds], how many rungs they are above it [..., k], which are doubtful, the
mode, whether means are compared by ratios, and an error: to the most that may be lost to each rival, [..., k]."""


def as_shipped(
    own: Array, others: Array, offsets: Integers, doubtful: Flags, mode: Mode, as_ratios: bool, error: float
) -> Array:
    """Return the bound that verdicts give."""
    found = compare(own, others, offsets, mode, as_ratios, doubtful)
    return found.as_loss(found.allowance(1 - error) - found.lead, mode)


def varied(share_of_error: float = 1.0, **changed: Any) -> Procedure:
    """Return the bound that verdicts give with other constants or parts of ``lrsearch.verdict.regret``."""

    def procedure(*args: Any) -> Array:
        with mock.patch.multiple(regret, **changed):
            return as_shipped(*args[:-1], share_of_error * args[-1])

    return procedure


def previous(
    prior: float,
    own: Array,
    others: Array,
    offsets: Integers,
    doubtful: Flags,
    mode: Mode,
    as_ratios: bool,
    error: float,
) -> Array:
    """Return the bound before this one: all rivals say what is typical, and the error is shared by all of them.

    With a prior of 0 it is the paired t-test with Bonferroni's correction.
    """
    # The variances of the pairs as they are, before ``compare`` draws them anywhere or widens them.
    with mock.patch.object(regret, "moderated", wraps=regret.moderated) as moderated:
        found = compare(own, others, offsets, mode, as_ratios, doubtful)
    pairs: Array = moderated.call_args.args[0]
    seeds, rivals = own.shape[-1], others.shape[-2]
    # The typical variance knows no more than the geometric mean of all of them does (the trigamma function).
    freedom = seeds - 1
    prior = min(prior, 2 * (rivals - 1) / float(scipy.special.polygamma(1, freedom / 2)))
    typical = unbiased_mean(pairs, freedom)
    variance = (freedom * pairs + prior * typical) / (freedom + prior)
    if as_ratios:
        variance = variance * (1 + variance / 2)
    shared = np.where(doubtful, min(error / rivals, ERROR), error / rivals)
    return found.as_loss(stats.t.isf(shared, freedom + prior) * np.sqrt(variance / seeds) - found.lead, mode)


def pooled(
    own: Array, others: Array, offsets: Integers, doubtful: Flags, mode: Mode, as_ratios: bool, error: float
) -> Array:
    """Return one variance for all: what an additive model leaves over within two rungs; Dunnett's critical value."""
    found = compare(own, others, offsets, mode, as_ratios, doubtful)
    together = np.concatenate([own[..., None, :], others], axis=-2)
    means = together.mean(axis=-1, keepdims=True)
    rest = together / np.where(means == 0, 1.0, means) - 1
    near = np.concatenate([np.ones((*offsets.shape[:-1], 1), bool), np.abs(offsets) <= 2], axis=-1)
    inside = np.where(near[..., None], rest, np.nan)
    rest = inside - np.nanmean(inside, axis=-2, keepdims=True)
    freedom = np.atleast_1d((near.sum(axis=-1) - 1) * (own.shape[-1] - 1))
    deviation = np.sqrt(2 * np.nansum(rest**2, axis=(-2, -1)) / freedom / own.shape[-1])
    critical = np.array([dunnett(others.shape[-2], int(f), error) for f in freedom])
    return found.as_loss((critical * deviation)[..., None] - found.lead, mode)


@cache
def dunnett(comparisons: int, freedom: int, error: float) -> float:
    """Return the one-sided critical value of Dunnett's test with equal groups, integrated numerically."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    spread = np.sqrt(stats.chi2.ppf((np.arange(400) + 0.5) / 400, freedom) / freedom)[:, None]

    def excess(critical: float) -> float:
        inside = stats.norm.cdf(math.sqrt(2) * critical * spread + nodes) ** comparisons
        return float((inside @ weights).mean() / weights.sum()) - 1 + error

    return float(optimize.brentq(excess, 0.0, 200.0, xtol=1e-6))


def other_prior(
    typical_of: Callable[[Array, Integers, int], Array], weight_of: Callable[[Array, Integers], Array | float]
) -> Callable[[Array, Integers, int], tuple[Array, Array]]:
    """Return a stand-in for ``regret.moderated`` that draws towards another typical variance, with another weight.

    Args:
        typical_of: from variances [..., k], offsets [..., k] and degrees of freedom to what is typical, [..., 1].
        weight_of: from variances and offsets to its degrees of freedom.
    """
    shipped = regret.moderated

    def moderated(variances: Array, offsets: Integers, seeds: int) -> tuple[Array, Array]:
        typical = typical_of(variances, offsets, seeds - 1)
        both = (offsets < 0).any(axis=-1, keepdims=True) & (offsets > 0).any(axis=-1, keepdims=True)
        prior = np.where(both, weight_of(variances, offsets), 0)
        # What is clearly worse is judged as it is in verdicts.
        screening = shipped(variances, offsets, seeds)[1]
        return ((seeds - 1) * variances + prior * typical) / (seeds - 1 + prior), screening

    return moderated


def _mean_of_both(variances: Array, offsets: Integers, freedom: int) -> Array:
    return np.asarray(beside(variances, offsets).mean(axis=-1, keepdims=True))


def _if_alike(variances: Array, offsets: Integers) -> Array:
    """Return no weight where the neighbours' variances are 10 times apart, and a large one where they are alike."""
    smaller, larger = np.moveaxis(np.sort(beside(variances, offsets), axis=-1), -1, 0)
    return np.asarray(np.where(larger < 10 * smaller, 6.0, 0.0)[..., None])


PRIORS = (0, 2, 4, 6)
"""Besides the one that is used."""
PREVIOUS = "previous: all rivals typical, Bonferroni"
PROCEDURES: dict[str, Procedure] = {
    "as shipped": as_shipped,
    PREVIOUS: partial(previous, 3),
    "paired t, Bonferroni": partial(previous, 0),
    "pooled, Dunnett": pooled,
    "without leaving out the clearly worse": varied(CLEARLY=math.inf),
    **{f"prior of {prior}": varied(PRIOR_FREEDOM=prior) for prior in PRIORS},
    "typical of all rungs": varied(
        moderated=other_prior(lambda v, o, freedom: unbiased_mean(v, freedom), lambda v, o: 3)
    ),
    "mean of the neighbours": varied(moderated=other_prior(_mean_of_both, lambda v, o: 3)),
    "mean of the neighbours, 85 % of the error": varied(
        0.85, moderated=other_prior(_mean_of_both, lambda v, o: 3)
    ),
    "prior of 20 on their mean": varied(moderated=other_prior(_mean_of_both, lambda v, o: 20)),
    "prior of 4 below, 2 above": varied(
        moderated=other_prior(
            lambda v, o, freedom: unbiased_mean(beside(v, o), freedom), lambda v, o: np.where(o < 0, 4, 2)
        )
    ),
    "prior of 6 on neighbours alike, else 0": varied(moderated=other_prior(_mean_of_both, _if_alike)),
    "2 (seeds - 1) degrees of freedom": varied(FREEDOM_OF_TWO=2.0),
    "2 (seeds - 1) degrees of freedom, 85 % of the error": varied(0.85, FREEDOM_OF_TWO=2.0),
    "2.5 (seeds - 1) degrees of freedom": varied(FREEDOM_OF_TWO=1 + PRIOR_FREEDOM / 2),
}
"""2.5 is what Smyth has for three seeds: the 2 of a pair and the 3 of its prior."""
