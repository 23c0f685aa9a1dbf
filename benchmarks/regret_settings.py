"""Searches to draw, with the truth known: from the recorded tables, and from synthetic valleys."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lrsearch.strategies.candidates import LEARNED_BY
from lrsearch.verdict.regret import Array

TABLES = Path(__file__).parent / "replay" / "tables"
MOST_SEEDS = 10
RUNGS = 11
STARTS = 4
"""Searches begin at most this many rungs from the best."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Searches of one setting: ``values`` [searches, rungs, 10 seeds], ``truth`` [searches, rungs]."""

    values: Array
    truth: Array
    starts: Array
    initial: float


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
    starts = RUNGS // 2 + random.integers(-STARTS, STARTS + 1, searches)
    return Drawn(values, truth, starts, np.inf)


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
    }
    unseen = {"spread": 0.05, "bad": 2.0, "bad_above_only": True}
    return {
        "recorded": dict(tables),
        "synthetic": {
            f"{name}, curvature {c:g}": partial(valley, curvature=c, **kind)
            for name, kind in kinds.items()
            for c in curvatures
        },
        "beyond reach": {
            f"one in ten 2x, above only, curvature {c:g}": partial(valley, curvature=c, **unseen)
            for c in curvatures
        },
    }
