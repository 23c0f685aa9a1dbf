"""A first guess of the learning rate, read off a range test (Smith, arXiv:1506.01186, section 3.3)."""

import math
from collections.abc import Sequence
from statistics import fmean

from lrsearch.ladder import LR

SHARE = 0.2
"""The share of its whole fall that the loss has made at the rate that is suggested.

At half of the fall the rate is, in the middle, that which is best for a whole training; the bracket begins with the
rung above the start too, so a little lower serves it better (``benchmarks/replay/fit_start.py``).
"""
SMOOTHING = 0.8
"""How much of the running mean is kept at each iteration; its bias towards 0 is taken out."""
FLAT = 20
"""Over how many iterations the loss before its fall is averaged: their rates are too small to matter."""
NOTICEABLE = 0.02
"""The least fall that is read at all, as a fraction of the loss before it."""


def suggest(lrs: Sequence[float], losses: Sequence[Sequence[float]], share: float = SHARE) -> float | None:
    """Suggest a start for the search: the rung nearest to where the loss has made a good part of its fall.

    Where the loss is lowest, the rate is far too large already, by how much depends on how the training dies; where it
    falls steepest, noise decides. Part of the way down, the rate is the one that begins to do the work.

    >>> suggest([1e-4, 1e-3, 1e-2, 1e-1, 1], [[2.0, 2.0, 1.0, 0.5, 3.0]])
    0.01

    Args:
        lrs: the learning rate of each iteration, rising by equal ratios.
        losses: the training loss of each iteration, one row a seed. A row may be shorter, where the test stopped;
            what follows a loss that is NaN or infinite is left out.
        share: which part of its fall the loss has made there, between 0 and 1.

    Returns:
        A value of the ``lr`` ladder; None if there is nothing to read: no losses, or none that fell.
    """
    rows = [_finite(row) for row in losses]
    length = min((len(row) for row in rows), default=0)
    if length < 2:
        return None
    means = [fmean(at) for at in zip(*(row[:length] for row in rows), strict=True)]
    flat = min(FLAT, length // 4 + 1)
    before, smoothed = fmean(means[:flat]), _smoothed(means)
    fall = before - min(smoothed[flat:])
    if fall <= NOTICEABLE * abs(before):
        return None
    reached = next(i for i in range(flat, length) if smoothed[i] <= before - share * fall)
    return _nearest_rung(lrs[reached])


def _finite(row: Sequence[float]) -> Sequence[float]:
    return row[: next((i for i, loss in enumerate(row) if not math.isfinite(loss)), len(row))]


def _smoothed(losses: Sequence[float]) -> list[float]:
    smoothed, running = [], 0.0
    for iteration, loss in enumerate(losses, start=1):
        running = SMOOTHING * running + (1 - SMOOTHING) * loss
        smoothed.append(running / (1 - SMOOTHING**iteration))
    return smoothed


def _nearest_rung(rate: float) -> float:
    lowest, highest = LR.rungs_within(rate / 4, rate * 4)
    rungs = (LR.value(rung) for rung in range(lowest, highest + 1))
    return min(rungs, key=lambda value: abs(math.log(value / rate)))
