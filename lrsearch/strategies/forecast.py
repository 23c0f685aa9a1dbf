"""Where a candidate's lag behind another will end, read off both curves so far.

Losses fall ever more slowly, about as much with each doubling of the iterations (or less); that holds for a low rate,
which gains late, as for a high one, which stops early. So a line over the logarithm of the iterations is fitted to the
lag, by its means over five stretches: how often a task evaluates decides nothing, and what lasts for less than a
stretch is noise. ``docs/replay-bench.md`` says how often that was wrong.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import linear_regression

from lrsearch.averages import mean_of

EARLIEST = 0.3
"""The fraction of a budget before which nothing is said."""
_FROM = 0.25
"""Of the iterations so far, those before count for nothing: at first curves go as they like."""
_STRETCHES, _FEWEST = 5, 4
_QUANTILES = {2: 22.327, 3: 10.215}
"""Student's, of 99.9 %, by degrees of freedom: a lag that is a line with independent noise is called larger than it is
with a chance of 1 in 1000, each time it is asked."""


def least_lag(at: Sequence[int], lags: Sequence[float], iterations: int, gains_late: bool) -> float:
    """Return the least that a candidate will lag in the end; minus infinity while that is unknown.

    It is no more than the newest lag: of two trainings that have ended that is what counts.

    Args:
        at: the iterations of the evaluations that both have, after that before the first update, ascending.
        lags: there, the logarithm of the candidate's metric over the other's; of several seeds the mean.
        iterations: of the whole training.
        gains_late: whether a lag that has begun to close may close ever faster, as that of a lower rate may. Any
            other closes at the pace that it has.
    """
    newest = at[-1] if at else 0
    if newest < EARLIEST * iterations:
        return -math.inf
    times, means = _stretches(at, lags)
    if len(times) < _FEWEST:
        return -math.inf
    slope, intercept = linear_regression(times, means)
    if slope < 0 and gains_late and newest < iterations:
        return -math.inf
    then = math.log(iterations if slope < 0 else newest)
    middle, freedom = mean_of(times), len(times) - 2
    residues = math.fsum((lag - intercept - slope * time) ** 2 for time, lag in zip(times, means, strict=True))
    distance = (then - middle) ** 2 / math.fsum((time - middle) ** 2 for time in times)
    error = math.sqrt(residues / freedom * (1 / len(times) + distance))
    return min(lags[-1], intercept + slope * then - _QUANTILES[freedom] * error)


def _stretches(at: Sequence[int], lags: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return, of each stretch with an evaluation in it, the logarithm of its mean iteration and its mean lag."""
    first = _FROM * at[-1]
    width = (at[-1] - first) / _STRETCHES
    stretches = defaultdict(list)
    for iteration, lag in zip(at, lags, strict=True):
        if iteration > first:
            stretches[min(_STRETCHES, math.ceil((iteration - first) / width))].append((iteration, lag))
    times, means = zip(*(map(mean_of, zip(*stretch, strict=True)) for stretch in stretches.values()), strict=True)
    return [math.log(time) for time in times], list(means)
