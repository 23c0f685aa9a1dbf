"""The first guess that a range test gives: laws, and the recorded tests."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsearch.ladder import LR
from lrsearch.strategies.range_test import suggest

TABLES = sorted((Path(__file__).parents[2] / "benchmarks/replay/tables").glob("*.npz"))
LRS = [1e-7 * 1e8 ** (i / 99) for i in range(100)]

rates = st.floats(1e-5, 0.3)


def falling(lr: float, before: float = 2.3, fall: float = 2.0) -> list[float]:
    """Losses that have made half of their fall at a rate."""
    return [before - fall / (1 + (lr / rate) ** 2) for rate in LRS]


@given(rates)
def test_it_lies_on_the_ladder_near_the_fall(lr: float) -> None:
    suggested = suggest(LRS, [falling(lr)])
    assert suggested is not None
    assert LR.value(LR.rung(suggested)) == suggested
    assert abs(math.log10(suggested / lr)) < 0.75  # within a rung and a half


@given(rates, st.integers(-3, 3))
def test_it_moves_with_the_rates(lr: float, decades: int) -> None:
    losses = [falling(lr)]
    one = suggest(LRS, losses)
    assert one is not None
    moved = suggest([rate * 10.0**decades for rate in LRS], losses)
    assert moved == pytest.approx(one * 10.0**decades)


@given(rates, st.floats(0.1, 100))
def test_the_unit_of_the_loss_does_not_matter(lr: float, unit: float) -> None:
    losses = falling(lr)
    assert suggest(LRS, [[unit * loss for loss in losses]]) == suggest(LRS, [losses])


@given(rates)
def test_what_follows_a_loss_that_is_not_finite_does_not_matter(lr: float) -> None:
    losses = falling(lr)
    assert suggest(LRS, [[*losses[:90], math.nan, *losses[91:]]]) == suggest(LRS, [losses[:90]])


@pytest.mark.parametrize(
    "losses",
    [[], [[]], [[2.3]], [[math.nan] * 100], [[2.3] * 100], [[2.3 + 0.01 * i for i in range(100)]]],
    ids=["no seeds", "nothing", "one loss", "NaN", "flat", "rising"],
)
def test_it_suggests_nothing_where_nothing_fell(losses: list[list[float]]) -> None:
    assert suggest(LRS, losses) is None


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_it_is_within_two_rungs_of_the_best_on_recorded_tests(path: Path) -> None:
    table = np.load(path)
    for o, optimizer in enumerate(table["optimizers"]):
        means = table["value"][o].mean(axis=1)
        best = table["rungs"][o, np.nanargmin(means)]
        losses = table["range_test_loss"][o, :3].tolist()
        suggested = suggest(LRS, losses)
        assert suggested is not None, optimizer
        assert abs(LR.rung(suggested) - best) <= 2, optimizer
