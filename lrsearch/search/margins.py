"""How far behind another a candidate must be, early in training, to be out: a rule fitted to recorded trainings.

The numbers are made by ``benchmarks/replay/fit_margins.py`` and frozen here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_SECOND_DIFFERENCES = 6.0
"""The variance of second differences of independent values, over that of the values (1 + 4 + 1)."""


@dataclass(frozen=True, slots=True)
class Margins:
    """A lag counts when it lasts, stands out of its own noise, and will not be made up at the pace it closes.

    A lag is the logarithm of a candidate's metric over another's, averaged over paired seeds. Lags are not compared
    with fixed numbers: what is far behind on one problem is noise on another. So its noise is read off the lags
    themselves, by their second differences, from which trends cancel.

    Attributes:
        noise: how many times its noise a lag must be.
        catch_up: how many times faster than lately a candidate may still catch up.
        smallest: the least lag that counts at all; smaller ones are not worth a wrong choice.
        patience: over how many of the newest evaluations the smallest lag is taken, so that no spike decides.
        earliest: the fraction of the budget before which nothing is out.
    """

    noise: float
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
        return max(self.smallest, self.noise * _noise(lags), self.catch_up * closing * left)


def _noise(lags: Sequence[float]) -> float:
    squares = [(lags[i] - 2 * lags[i + 1] + lags[i + 2]) ** 2 for i in range(len(lags) - 2)]
    return math.sqrt(math.fsum(squares) / len(squares) / _SECOND_DIFFERENCES)


MARGINS = Margins(noise=4.0, catch_up=1.0)
