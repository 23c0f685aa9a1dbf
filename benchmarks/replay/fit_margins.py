"""Fit the margins of ``race`` to the recorded tables: what a truly best candidate was behind and made up.

    python benchmarks/replay/fit_margins.py

For each optimizer of each table, the best candidate is compared with every other near it, over draws of one to three
paired seeds, at every evaluation. ``noise`` is then the least number with which the best candidate would have been
ended in at most one comparison of a thousand, times a safety factor; ``catch_up`` is that with which the losers
beside the best are ended soonest. The last lines leave out one table each: the bench judges a table by the margins
that are fitted without it.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from replay import Recording, recordings

from lrsearch.strategies.margins import Margins

SAFETY = 1.25
LOST = 0.001
"""The fraction of comparisons in which the best candidate may be ended before the safety factor."""
CATCH_UPS = (1.0, 1.5, 2.0)
LEAST_NOISE = 3.0
"""What is chosen where nothing recorded needs more."""
NEAR = 6
"""The best candidate is compared with those so many rungs away."""
DRAWS = 60
GOOD = 1.01
"""Losing a candidate whose true mean is this near to the best one's, relatively, does no harm."""


@dataclass(frozen=True)
class Lags:
    """Of comparisons [c] at evaluations [e]: the lasting lag, and what it is measured against."""

    lasting: np.ndarray
    spread: np.ndarray
    closing: np.ndarray

    def first_out(self, noise: float, catch_up: float) -> np.ndarray:
        """Give the fraction of the budget trained when each comparison ends the candidate, 1 if it never does [c]."""
        smallest = Margins(noise, catch_up).smallest
        limit = np.maximum(smallest, np.maximum(noise * self.spread, catch_up * self.closing))
        out = (self.lasting > limit) & np.isfinite(self.spread)
        evaluations = out.shape[1]
        return np.where(out.any(axis=1), (out.argmax(axis=1) + 1) / evaluations, 1.0)

    def noise_needed(self, catch_up: float) -> np.ndarray:
        """Give the ``noise`` with which each comparison would just not end the candidate [c]."""
        smallest = Margins(0.0, catch_up).smallest
        counts = (self.lasting > smallest) & (self.lasting > catch_up * self.closing)
        counts &= np.isfinite(self.spread)
        ratios = np.where(counts, self.lasting / np.maximum(self.spread, 1e-9), 0.0)
        return ratios.max(axis=1)


def main() -> None:
    """Fit and print."""
    found = recordings()
    print("MARGINS =", fit(found))
    for recording in found:
        needed = np.quantile(winners(recording).noise_needed(1.0), [0.99, 1 - LOST, 1])
        print(f"  {recording.name} needs a noise of", ", ".join(f"{value:.1f}" for value in needed))
    for table in sorted({r.table for r in found}):
        if others := [r for r in found if r.table != table]:
            print(f"without {table}:", fit(others))


def fit(found: list[Recording]) -> Margins:
    """Give the margins for some recordings."""
    fitted = [fit_at(found, catch_up) for catch_up in CATCH_UPS]
    return min(fitted, key=lambda margins: cost(found, margins))


def fit_at(found: list[Recording], catch_up: float) -> Margins:
    """Give the least safe ``noise``: that of the recording which needs most."""
    needed = [np.quantile(winners(r).noise_needed(catch_up), 1 - LOST) for r in found]
    noise = max(LEAST_NOISE, SAFETY * float(max(needed)))
    return Margins(noise=round(noise, 1), catch_up=catch_up)


def cost(found: list[Recording], margins: Margins) -> float:
    """Give the mean fraction of the budget after which the losers beside the best are ended."""
    return float(np.mean([losers(r).first_out(margins.noise, margins.catch_up).mean() for r in found]))


@cache
def winners(recording: Recording) -> Lags:
    """Give the lags of the best candidate behind each other that is clearly worse."""
    best = recording.index(recording.best)
    worse = [
        rung
        for rung in range(max(0, best - NEAR), min(len(recording.rungs), best + NEAR + 1))
        if recording.truth[rung] > GOOD * recording.truth[best] and np.isfinite(recording.values[rung]).all()
    ]
    return lags(recording, [(best, rung) for rung in worse])


@cache
def losers(recording: Recording) -> Lags:
    """Give the lags behind the best candidate of those beside it."""
    best = recording.index(recording.best)
    beside = [r for r in (best - 1, best + 1) if np.isfinite(recording.values[r]).all()]
    return lags(recording, [(rung, best) for rung in beside])


def lags(recording: Recording, pairs: list[tuple[int, int]]) -> Lags:
    """Give the lags of pairs of a candidate and its rival, over one to three paired seeds."""
    logarithms = np.log(recording.values[..., 1:])
    generator = np.random.default_rng(0)
    draws = [
        generator.permutation(recording.seeds)[:seeds]
        for seeds in (1, 2, 3)
        if seeds <= recording.seeds
        for _ in range(DRAWS)
    ]
    series = np.array(
        [(logarithms[a] - logarithms[b])[draw].mean(axis=0) for a, b in pairs for draw in draws]
    )
    unit_noise = Margins(noise=1.0, catch_up=0.0, smallest=0.0)
    unit_closing = replace(unit_noise, noise=0.0, catch_up=1.0)
    fractions = recording.iterations[1:] / recording.budget
    shape = series.shape
    lasting, spread, closing = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for c, row in enumerate(series.tolist()):
        for e, fraction in enumerate(fractions.tolist()):
            so_far = row[: e + 1]
            lasting[c, e] = unit_noise.lasting(so_far)
            spread[c, e] = unit_noise.margin(so_far, fraction)
            closing[c, e] = unit_closing.margin(so_far, fraction)
    return Lags(lasting, spread, closing)


if __name__ == "__main__":
    main()
