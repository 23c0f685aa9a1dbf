"""How far behind another a candidate must be, early in training, to be out: a rule fitted to recorded trainings.

The numbers are made by ``benchmarks/replay/fit_margins.py`` and frozen here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Margins:
    """A lag counts when it lasted, stands out of its noise, and will not be made up at the pace it closes.

    A lag is the logarithm of a candidate's metric over another's, averaged over paired seeds. Lags are not compared
    with fixed numbers: what is far behind on one problem is noise on another. So their noise is read off the lags
    themselves, by their second differences, from which trends cancel. And losses jump, and may stay up for a while:
    so what counts is the smallest lag of the newer half of the evaluations.

    Attributes:
        noise: how many standard errors a lag must be, were they known exactly.
        catch_up: how many times faster than so far a candidate may still catch up.
        smallest: the least lag that counts at all; smaller ones are not worth a wrong choice.
        earliest: the fraction of the budget before which nothing is out.
    """

    noise: float
    catch_up: float
    smallest: float = 0.02
    earliest: float = 0.15

    def lasting(self, lags: Sequence[float]) -> float:
        """Give the lag that the newer half of the evaluations all show.

        Args:
            lags: at the evaluations that both candidates have, after that at iteration 0, oldest first.
        """
        return min(lags[-_newer(lags) :])

    def margin(self, lags: Sequence[float], fraction: float) -> float:
        """Give what a lasting lag must exceed for the candidate to be out.

        Args:
            lags: as for ``lasting``, equally far apart.
            fraction: of the budget that was trained at the newest, above 0 to 1.
        """
        if len(lags) < FEWEST or fraction < self.earliest:
            return math.inf
        newer, half = _newer(lags), len(lags) // 2
        closing = (math.fsum(lags[:half]) - math.fsum(lags[-half:])) / half / (len(lags) - half)
        left = len(lags) * (1 - fraction) / fraction
        # The newer half stands, on average, at its middle.
        made_up = closing * (left + newer / 2)
        return max(self.smallest, self.noise * _noise(lags) / math.sqrt(newer), self.catch_up * made_up)


FEWEST = 3
"""Evaluations that a lag must last for, and that its noise can be read off."""
_VARIANCE = 6.0
"""Of second differences of independent values, over that of the values: 1 + 4 + 1."""
_FEW = 20.0
"""A deviation that is read off few values may be far too small by chance. With k values, 1 + 20 / k^2 is Student's
99.9 % quantile over the normal one, within a sixth for k from 2 on."""


def _newer(lags: Sequence[float]) -> int:
    return max(FEWEST, (len(lags) + 1) // 2)


def _noise(lags: Sequence[float]) -> float:
    bends = [lags[i] - 2 * lags[i + 1] + lags[i + 2] for i in range(len(lags) - 2)]
    deviation = math.sqrt(math.fsum(bend * bend for bend in bends) / len(bends) / _VARIANCE)
    return deviation * (1 + _FEW / len(bends) ** 2)


MARGINS = Margins(noise=3.0, catch_up=1.0)
