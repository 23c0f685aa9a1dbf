"""How far behind another a candidate must be, early in training, to be out: a rule fitted to recorded trainings.

The numbers are made by ``benchmarks/replay/fit_margins.py`` and frozen here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Margins:
    """A lag counts when it lasts, is more than one jolt makes, and will not be made up at the pace it closes.

    A lag is the logarithm of a candidate's metric over another's, averaged over paired seeds. Lags are not compared
    with fixed numbers: what is far behind on one problem is noise on another. So their noise is read off the lags
    themselves. Losses do not scatter evenly, they jump: the largest second difference so far, from which trends
    cancel, is what one jolt does to a lag.

    Attributes:
        jolts: how many times the largest jolt a lag must be.
        catch_up: how many times faster than lately a candidate may still catch up.
        smallest: the least lag that counts at all; smaller ones are not worth a wrong choice.
        patience: over how many of the newest evaluations the smallest lag is taken, so that no spike decides.
        earliest: the fraction of the budget before which nothing is out.
    """

    jolts: float
    catch_up: float
    smallest: float = 0.02
    patience: int = 3
    earliest: float = 0.15

    def lasting(self, lags: Sequence[float]) -> float:
        """Give the lag that the newest evaluations all show.

        Args:
            lags: at the evaluations that both candidates have, after that at iteration 0, oldest first.
        """
        return min(lags[-self.patience :])

    def margin(self, lags: Sequence[float], fraction: float) -> float:
        """Give what a lasting lag must exceed for the candidate to be out.

        Args:
            lags: as for ``lasting``, equally far apart.
            fraction: of the budget that was trained at the newest, above 0 to 1.
        """
        if len(lags) < max(self.patience, 3) or fraction < self.earliest:
            return math.inf
        span = len(lags) // 2
        closing = (lags[-1 - span] - lags[-1]) / span
        left = len(lags) * (1 - fraction) / fraction
        return max(self.smallest, self.jolts * _largest_jolt(lags), self.catch_up * closing * left)


def _largest_jolt(lags: Sequence[float]) -> float:
    return max(abs(lags[i] - 2 * lags[i + 1] + lags[i + 2]) for i in range(len(lags) - 2))


MARGINS = Margins(jolts=1.25, catch_up=1.0)
