"""How often do all looks of a race together end a candidate that comes to the same in the end?

    python benchmarks/replay/race_looks.py [--searches 400]

A lag that is 0 in the end, or closes to 0 by so much with each e-fold of the iterations, is looked at after each
evaluation, as a race does. Its noise has a spread of 0.1, independent from evaluation to evaluation or with the given
correlation between one and the next.
"""

import argparse
import math
from itertools import product

import numpy as np
from rich.console import Console
from rich.table import Table

from lrsearch.strategies.forecast import least_lag
from lrsearch.strategies.race import SMALLEST

SPREAD, BUDGET = 0.1, 10_000


def ended(random: np.random.Generator, searches: int, evaluations: int, pace: float, correlation: float) -> float:
    """Return the share of candidates that a look ended; one that does not close is the lower of the two."""
    at = [BUDGET * (i + 1) // evaluations for i in range(evaluations)]
    trend = -pace * np.log(np.array(at) / BUDGET)
    noise = random.normal(size=(searches, evaluations))
    for i in range(1, evaluations):
        noise[:, i] = correlation * noise[:, i - 1] + math.sqrt(1 - correlation**2) * noise[:, i]
    return float(np.mean([is_ended(at, row, pace == 0) for row in (trend + SPREAD * noise).tolist()]))


def is_ended(at: list[int], lags: list[float], gains_late: bool) -> bool:
    """Whether any look but the last ends it."""
    return any(
        lags[count - 1] > SMALLEST and least_lag(at[:count], lags[:count], BUDGET, gains_late) > SMALLEST
        for count in range(1, len(at))
    )


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=400, help="a row (default: 400)")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    shown = Table("evaluations", "pace", "independent", "correlation 0.5", "0.9")
    for evaluations, pace in product((8, 20, 50, 100), (0.0, 0.1, 0.5)):
        rates = [ended(random, arguments.searches, evaluations, pace, c) for c in (0.0, 0.5, 0.9)]
        shown.add_row(str(evaluations), f"{pace:g}", *(f"{100 * rate:.1f} %" for rate in rates))
    Console().print(shown)


if __name__ == "__main__":
    main()
