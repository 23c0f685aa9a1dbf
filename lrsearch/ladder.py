"""Rungs and decimals: the ordered values that a search may visit.

A rung is an integer. Its float is made from ``(mantissa, exponent)`` only at the edge, so one rung is always
the same decimal: ``0.01 / 3 / 3 * 3 * 3 != 0.01``, but ``LR.value(LR.rung(0.01)) == 0.01``.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

LadderName = Literal["lr", "c", "beta"]


@dataclass(frozen=True, slots=True)
class Ladder:
    """One of the three ladders of values, higher rungs being higher values.

    - ``lr``: the paper's 1-3-10 grid (..., 0.01, 0.03, 0.1, 0.3, 1, ...); rung 0 is 1.
    - ``c``: exact powers of 3 (1, 3, 9, 27, ...); rung 0 is 1 and closed below: CProp's scale is at most 1.
    - ``beta``: the same grid on ``1 - beta`` (0, 0.7, 0.9, 0.97, 0.99, ...), so that the horizon
      ``1 / (1 - beta)`` grows by about 3; rung 0 is 0 and closed below.

    >>> [LR.value(rung) for rung in (-3, -2, -1, 0, 1)]
    [0.03, 0.1, 0.3, 1.0, 3.0]
    >>> C.value(3), BETA.value(6), BETA.rung(0.999)
    (27.0, 0.999, 6)
    """

    name: LadderName
    closed_below: int | None
    """The lowest rung there is by definition, or None where the ladder has no such end."""

    def value(self, rung: int) -> float:
        """Give the rung's decimal.

        Raises:
            ValueError: the rung lies below the closed end.
        """
        if self.closed_below is not None and rung < self.closed_below:
            raise ValueError(f"the {self.name} ladder has no rung {rung}: it begins at {self.closed_below}")
        match self.name:
            case "lr":
                return float(_one_three_ten(rung))
            case "c":
                return float(3**rung)
            case "beta":
                return float(1 - _one_three_ten(-rung))

    def rung(self, value: float) -> int:
        """Give the rung of a value that lies on the ladder.

        Raises:
            ValueError: the value is on no rung; the message names the two beside it.
        """
        below = self._rung_at_or_below(value)
        for rung in (below, below + 1):
            if self.value(rung) == value:
                return rung
        raise ValueError(
            f"{value:g} is not on the {self.name} ladder; "
            f"the rungs beside it are {self.value(below):g} and {self.value(below + 1):g}"
        )

    def rungs_within(self, lowest: float, highest: float) -> tuple[int, int]:
        """Give the first and last rung whose values lie in ``[lowest, highest]``.

        Raises:
            ValueError: no rung lies there.
        """
        first = self._rung_at_or_below(lowest)
        if self.value(first) < lowest:
            first += 1
        last = self._rung_at_or_below(highest)
        if first > last:
            raise ValueError(f"no rung of the {self.name} ladder lies between {lowest:g} and {highest:g}")
        return first, last

    def _rung_at_or_below(self, value: float) -> int:
        self._check(value)
        match self.name:
            case "lr":
                rung = math.floor(2 * math.log10(value)) - 1
            case "c":
                rung = max(0, math.floor(math.log(value, 3)) - 1)
            case "beta":
                rung = max(0, math.floor(-2 * math.log10(1 - value)) - 2)
        while self.value(rung + 1) <= value:
            rung += 1
        return rung

    def _check(self, value: float) -> None:
        lowest, highest, words = {
            "lr": (math.nextafter(0, 1), math.inf, "above 0"),
            "c": (1.0, math.inf, "at least 1"),
            "beta": (0.0, 1.0, "at least 0 and below 1"),
        }[self.name]
        if not lowest <= value < highest:
            raise ValueError(f"{value:g} is outside the {self.name} ladder; give a value {words}")


@dataclass(frozen=True, slots=True)
class OneRung(Ladder):
    """A ladder of one value, at rung 0: for what is trained at a given value and no other.

    >>> OneRung("lr", 0, 0.028).value(0)
    0.028
    """

    only: float

    def value(self, rung: int) -> float:
        """Give the value.

        Raises:
            ValueError: the rung is not 0.
        """
        if rung != 0:
            raise ValueError(f"{self.only:g} is alone, at rung 0; there is no rung {rung}")
        return self.only

    def rung(self, value: float) -> int:
        """Give 0 for the value.

        Raises:
            ValueError: it is another.
        """
        if value != self.only:
            raise ValueError(f"{value:g} is not {self.only:g}, the only value")
        return 0

    def rungs_within(self, lowest: float, highest: float) -> tuple[int, int]:
        """Give the one rung, whatever the limits."""
        return 0, 0


@cache  # each decision asks for the same few
def _one_three_ten(rung: int) -> Decimal:
    exponent, third = divmod(rung, 2)
    return Decimal(3 if third else 1).scaleb(exponent)


LR = Ladder("lr", closed_below=None)
C = Ladder("c", closed_below=0)
BETA = Ladder("beta", closed_below=0)
LADDERS: dict[LadderName, Ladder] = {ladder.name: ladder for ladder in (LR, C, BETA)}
