"""How far behind another a candidate must be, early in training, to be out: from recorded trainings.

The numbers are made by ``benchmarks/replay/fit_margins.py`` and frozen here.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Margins:
    """Logarithms of ratios of the metric, by how much of the budget is trained and over how many paired seeds.

    The margin falls from ``early`` at the first evaluations to ``late`` at the end, as ``early`` times
    ``(1 - fraction)`` to the power ``fall``; over ``n`` paired seeds it is narrower by ``1 / sqrt(n)`` in its noise
    part ``late``.
    """

    early: float
    late: float
    fall: float

    def at(self, fraction: float, seeds: int, distance: int) -> float:
        """Give the margin.

        Args:
            fraction: of the budget that was trained, above 0 to 1.
            seeds: paired seeds compared.
            distance: the candidate's rung minus its rival's.
        """
        return self.early * math.pow(1 - fraction, self.fall) + self.late / math.sqrt(seeds)


MARGINS = Margins(early=0.3, late=0.2, fall=1.0)
