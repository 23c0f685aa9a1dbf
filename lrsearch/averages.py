"""Means and deviations of metrics of any size: the sum of two losses near 1e308 is no float, their mean is one."""

import math
import statistics
from collections.abc import Sequence


def mean_of(values: Sequence[float]) -> float:
    """Return the arithmetic mean of one value or more.

    >>> mean_of([1e308, 1e308]), mean_of([0.1, 0.3])
    (1e+308, 0.2)
    """
    try:
        return statistics.fmean(values)
    except OverflowError:
        return float(statistics.mean(values))  # in fractions


def deviation_of(values: Sequence[float]) -> float:
    """Return the sample standard deviation of two values or more; infinite where no float is as large.

    >>> deviation_of([1.0, 3.0]), deviation_of([1.7e308, -1.7e308])
    (1.4142135623730951, inf)
    """
    if not all(map(math.isfinite, values)):
        return math.inf
    try:
        return statistics.stdev(values)
    except OverflowError:
        return math.inf
