"""The published rules against their definitions, on losses whose answers are known."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]
LRS = np.geomspace(1e-7, 10, 100)


def test_the_smoothed_loss_is_a_weighted_mean(load: Load) -> None:
    losses = np.array([3.0, 1.0, 2.0])
    weights = 0.98 ** np.arange(3)[::-1]
    assert load("lr_find").smoothed(losses)[-1] == pytest.approx(np.average(losses, weights=weights))


def test_steepest_is_where_the_loss_falls_fastest(load: Load) -> None:
    losses = 2.0 - np.tanh(np.log10(LRS) + 3)  # half of its fall at 1e-3
    assert load("lr_find").steepest(LRS, losses) == pytest.approx(1e-3, rel=0.25)


def test_the_minimum_is_divided_by_ten(load: Load) -> None:
    losses = (np.log10(LRS) + 2) ** 2
    assert load("lr_find").minimum_over_10(LRS, losses) == pytest.approx(1e-3, rel=0.15)


def test_valley_is_half_way_through_the_middle_third_of_the_fall(load: Load) -> None:
    losses = np.concatenate([np.arange(60, 0, -1.0), np.arange(41, 81)])  # falls over the first 60
    assert load("lr_find").valley(LRS, losses) == LRS[-1 + 20 + 10]


def test_lightning_looks_at_the_rate_itself(load: Load) -> None:
    losses = np.where(LRS < 1e-5, 2 - 1e4 * LRS, 1.9)  # steep early, by a little
    assert load("lr_find").lightning(LRS, losses) < 2e-5
