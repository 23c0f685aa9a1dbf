"""Where a candidate's lag behind another will end, read off both curves so far.

Losses fall ever more slowly, about as much with each doubling of the iterations (or less); that holds for a low rate,
which gains late, as for a high one, which stops early. So a lag is continued over the logarithm of the iterations.
What it was is read off two stretches of them, not off single evaluations: how often a task evaluates decides nothing.
``docs/replay-bench.md`` says how often that was wrong.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

from lrsearch.averages import mean_of

EARLIEST = 0.3
"""The fraction of a budget before which nothing is said."""
FEWEST = 3
"""Evaluations after the first, of which the noise can be read off."""
_STANDARD_ERRORS = 3.0
_LATE, _EARLY = (2 / 3, 1.0), (1 / 3, 1 / 2)
"""The stretches, of the iterations so far: from after the first fraction to the second."""
_VARIANCE = 6.0
"""Of second differences of independent values, over that of the values: 1 + 4 + 1."""
_FEW = 20.0
"""A deviation that is read off few values may be far too small by chance. With k values, 1 + 20 / k^2 is Student's
99.9 % quantile over the normal one, within a sixth for k from 2 on."""


def least_lag(at: Sequence[int], lags: Sequence[float], iterations: int, gains_late: bool) -> float:
    """Return the least that a candidate will lag in the end; minus infinity while that is unknown.

    Args:
        at: the iterations of the evaluations that both have, after that before the first update, ascending.
        lags: there, the logarithm of the candidate's metric over the other's; of several seeds the mean.
        iterations: of the whole training.
        gains_late: whether a lag that has begun to close may close ever faster, as that of a lower rate may. Any
            other closes at the pace that it has.
    """
    newest = at[-1] if at else 0
    if len(lags) < FEWEST or newest < EARLIEST * iterations:
        return -math.inf
    late, early = (_stretch(at, *fractions) for fractions in (_LATE, _EARLY))
    lag, then = mean_of(lags[late]), mean_of(at[late])
    before, earlier = mean_of(lags[early]), mean_of(at[early])
    closing = before - lag
    if closing > 0 and gains_late and newest < iterations:
        return -math.inf
    # What is still to go, in the logarithm of iterations, over the way in which the lag closed by so much.
    ahead = math.log(iterations / then) / math.log(then / earlier)
    of_late, of_early = (_noise(lags) / math.sqrt(stretch.stop - stretch.start) for stretch in (late, early))
    error = math.hypot((1 + ahead) * of_late, ahead * of_early)
    return lag - max(0.0, closing) * ahead - _STANDARD_ERRORS * error


def _stretch(at: Sequence[int], after: float, until: float) -> slice:
    """Return which evaluations lie in a stretch of the iterations so far; the nearest before it where none does."""
    stop = max(1, bisect_right(at, until * at[-1]))
    return slice(min(bisect_right(at, after * at[-1]), stop - 1), stop)


def _noise(values: Sequence[float]) -> float:
    """The standard deviation of an evaluation, by second differences, from which trends cancel."""
    bends = [values[i] - 2 * values[i + 1] + values[i + 2] for i in range(len(values) - 2)]
    deviation = math.sqrt(math.fsum(bend * bend for bend in bends) / len(bends) / _VARIANCE)
    return deviation * (1 + _FEW / len(bends) ** 2)
