"""Searches to draw, with the truth known: from the recorded tables, and from synthetic valleys."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lrsearch.strategies.candidates import LEARNED_BY
from lrsearch.trial import Mode
from lrsearch.verdict.regret import Array

TABLES = Path(__file__).parent / "replay" / "tables"
MOST_SEEDS = 10
RUNGS = 11
STARTS = 4
"""Searches begin at most this many rungs from the best."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Searches of one setting: ``values`` [searches, rungs, 10 seeds], ``truth`` [searches, rungs].

    Every training begins at ``initial``; where that is infinite all that is finite has learned.
    """

    values: Array
    truth: Array
    starts: Array
    initial: float
    mode: Mode = "min"

    def regret(self, search: int, chosen: int, among: Sequence[int]) -> float:
        """Return what a rung loses to the best of some, as a fraction of the best one's metric."""
        truth = self.truth[search]
        if self.mode == "max":
            return float(1 - truth[chosen] / truth[among].max())
        return float(truth[chosen] / truth[among].min() - 1)


Setting = Callable[[np.random.Generator, int], Drawn]


def recorded(path: Path) -> Iterator[tuple[str, Setting]]:
    """Give a setting for each optimizer of a table; none if it has too few seeds."""
    table = np.load(path)
    if len(table["seeds"]) < MOST_SEEDS:
        return
    for o, name in enumerate(table["optimizers"]):
        values = table["value"][o].astype(float)
        initial = float(np.nanmean(table["train_loss"][o, :, :, 0]))
        yield f"{path.stem} {name}", partial(_from_table, values, initial)


def _from_table(values: Array, initial: float, random: np.random.Generator, searches: int) -> Drawn:
    mean = values.mean(axis=1)
    truth = np.where(mean <= (1 - LEARNED_BY) * initial, mean, np.inf)
    seeds = random.random((searches, values.shape[1])).argsort(axis=1)[:, :MOST_SEEDS]
    starts = np.clip(truth.argmin() + random.integers(-STARTS, STARTS + 1, searches), 0, len(truth) - 1)
    drawn = values[:, seeds].transpose(1, 0, 2)
    return Drawn(drawn, np.broadcast_to(truth, (searches, len(truth))), starts, initial)


def valley(
    random: np.random.Generator,
    searches: int,
    curvature: float,
    spread: float,
    growth: float = 1.0,
    step: float = 1.0,
    shared: float = 0.1,
    bad: float = 1.0,
    bad_above_only: bool = False,
    diverges_above: bool = False,
) -> Drawn:
    """Draw losses whose logarithms are a parabola with its lowest point within half a rung of the middle.

    Args:
        random: the source.
        searches: how many.
        curvature: of the parabola, a rung squared.
        spread: standard deviation of the logarithm over seeds, at the middle.
        growth: factor on it a rung, as far as four rungs.
        step: factor on it above the middle.
        shared: standard deviation of what all candidates of a seed share.
        bad: factor on the loss of one replica in ten.
        bad_above_only: whether that happens above the middle only.
        diverges_above: whether every training above the middle does, so that all rivals are below the best.
    """
    rung = np.arange(RUNGS) - RUNGS // 2
    lowest = random.uniform(-0.5, 0.5, (searches, 1))
    depth = math.log(0.4) + curvature * (rung - lowest) ** 2
    scale = spread * growth ** np.clip(rung, -4, 4) * np.where(rung > 0, step, 1.0)
    noise = scale[:, None] * random.normal(size=(searches, RUNGS, MOST_SEEDS))
    values = np.exp(depth[:, :, None] + noise + shared * random.normal(size=(searches, 1, MOST_SEEDS)))
    chance = np.where((rung > 0) | (not bad_above_only), 0.1, 0.0)
    values = np.where(random.random(values.shape) < chance[:, None], bad * values, values)
    truth = np.exp(depth + (scale**2 + shared**2) / 2) * (1 + chance * (bad - 1))
    if diverges_above:
        values[:, rung > 0], truth[:, rung > 0] = np.inf, np.inf
    starts = RUNGS // 2 + random.integers(-STARTS, STARTS + 1, searches)
    return Drawn(values, truth, starts, np.inf)


def beginning(
    random: np.random.Generator,
    searches: int,
    initial: float,
    best: float,
    noise: str,
    spread: float = 1.0,
    width: float = 1.5,
    shared: float = 0.0,
) -> Drawn:
    """Draw metrics between where every training begins and what the best rung, about the middle, comes to.

    Args:
        random: the source.
        searches: how many.
        initial: the metric before training; above ``best`` it is a loss, below it a score.
        best: the mean of the best rung over all seeds.
        noise: how a seed differs from its rung's mean, by factors of mean 1: ``normal``, ``exponential`` or
            ``log-normal``.
        spread: the standard deviation of these factors; 1 for exponential ones.
        width: in how many rungs from the best the gain falls to 61 %.
        shared: the same of what all candidates of a seed share, log-normal.
    """
    rung = np.arange(RUNGS) - RUNGS // 2
    middle = random.uniform(-0.5, 0.5, (searches, 1))
    truth = initial + (best - initial) * np.exp(-(((rung - middle) / width) ** 2) / 2)
    size = (searches, RUNGS, MOST_SEEDS)
    sigma = math.sqrt(math.log1p(spread**2))
    factors = {
        "normal": lambda: np.maximum(1 + spread * random.normal(size=size), 0.01),
        "exponential": lambda: random.exponential(size=size),
        "log-normal": lambda: np.exp(sigma * random.normal(size=size) - sigma**2 / 2),
    }[noise]()
    common = np.exp(shared * random.normal(size=(searches, 1, MOST_SEEDS)) - shared**2 / 2)
    values = truth[:, :, None] * factors * common
    starts = RUNGS // 2 + random.integers(-STARTS, STARTS + 1, searches)
    return Drawn(values, truth, starts, initial, "min" if initial > best else "max")


BEGINNINGS: dict[str, dict[str, Any]] = {
    "score, exponential, from 20 to 200": {"initial": 20, "best": 200, "noise": "exponential"},
    "score, exponential, from 100 to 200": {"initial": 100, "best": 200, "noise": "exponential"},
    "loss, 15 %, from 0.69 to 0.60": {"initial": 0.69, "best": 0.60, "noise": "normal", "spread": 0.15},
    "loss, 1 %, from 1 to 0.989": {"initial": 1, "best": 0.989, "noise": "normal", "spread": 0.01},
    "loss, 0.3 %, from 1 to 0.989": {"initial": 1, "best": 0.989, "noise": "normal", "spread": 0.003},
    "loss, 5 %, from 1 to 0.989": {"initial": 1, "best": 0.989, "noise": "normal", "spread": 0.05},
    "loss, exponential, from 2 to 1": {"initial": 2, "best": 1, "noise": "exponential"},
    "loss, log-normal 0.5, from 2.3 to 1.5": {"initial": 2.3, "best": 1.5, "noise": "log-normal", "spread": 0.5},
    "loss, log-normal 1, from 2.3 to 0.3": {"initial": 2.3, "best": 0.3, "noise": "log-normal"},
    "loss, 20 %, from 2.3 to 0.3": {"initial": 2.3, "best": 0.3, "noise": "normal", "spread": 0.2},
    "score, 5 %, from 0.5 to 0.55": {"initial": 0.5, "best": 0.55, "noise": "normal", "spread": 0.05},
    "score, 15 %, from 0.1 to 0.7": {"initial": 0.1, "best": 0.7, "noise": "normal", "spread": 0.15},
    "score, log-normal 1, from 10 to 20": {"initial": 10, "best": 20, "noise": "log-normal"},
    "score, exponential, wide, from 100 to 200": {"initial": 100, "best": 200, "noise": "exponential", "width": 4.0},
    "loss, 15 %, wide, shared, from 0.69 to 0.60": {
        "initial": 0.69, "best": 0.60, "noise": "normal", "spread": 0.15, "width": 4.0, "shared": 0.1
    },
}  # fmt: skip
"""Where trainings begin at a finite value, near the best or far from it: what did not learn has to be judged."""


def settings() -> dict[str, dict[str, Setting]]:
    """Give all settings, by kind."""
    tables = [setting for path in sorted(TABLES.glob("*.npz")) for setting in recorded(path)]
    curvatures = (0.0, 0.001, 0.005, 0.02, 0.1)
    kinds: dict[str, dict[str, float | bool]] = {
        "spread 1 %": {"spread": 0.01},
        "spread 5 %": {"spread": 0.05},
        "spread 20 %": {"spread": 0.2},
        "spread grows 1.33x a rung": {"spread": 0.05, "growth": 10**0.125},
        "spread grows 1.8x a rung": {"spread": 0.03, "growth": 10**0.25},
        "spread 10x above": {"spread": 0.02, "step": 10},
        "spread 10x above, no shared effect": {"spread": 0.02, "step": 10, "shared": 0.0},
        "one in ten 1.3x": {"spread": 0.05, "bad": 1.3},
        "one in ten 2x": {"spread": 0.05, "bad": 2.0},
        "spread 5 %, diverges above": {"spread": 0.05, "diverges_above": True},
    }
    unseen = {"spread": 0.05, "bad": 2.0, "bad_above_only": True}
    return {
        "recorded": dict(tables),
        "synthetic": {
            f"{name}, curvature {c:g}": partial(valley, curvature=c, **kind)
            for name, kind in kinds.items()
            for c in curvatures
        },
        "beginning": {name: partial(beginning, **kind) for name, kind in BEGINNINGS.items()},
        "beyond reach": {
            f"one in ten 2x, above only, curvature {c:g}": partial(valley, curvature=c, **unseen)
            for c in curvatures
        },
    }
