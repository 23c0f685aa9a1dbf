"""Where a lag will end: on curves whose end is known, with noise and without, however often they are evaluated."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsearch.strategies.forecast import EARLIEST, least_lag

BUDGET = 1000
Lag = Callable[[float], float]


def after(fraction: float, lag: Lag, every: int = 10, gains_late: bool = False) -> float:
    """The least lag in the end, of one that is a function of the fraction trained, after so much of the budget."""
    at = range(every, round(fraction * BUDGET) + 1, every)
    return least_lag(at, [lag(iteration / BUDGET) for iteration in at], BUDGET, gains_late)


def closing(pace: float, end: float = 0.0) -> Lag:
    """A lag that closes by so much with each e-fold of the iterations."""
    return lambda fraction: end - pace * math.log(fraction)


@pytest.mark.parametrize("every", [10, 25, 50])
def test_a_lag_that_closes_evenly_is_known_however_often_it_is_evaluated(every: int) -> None:
    assert after(0.5, closing(0.2, end=0.1), every) == pytest.approx(0.1, abs=0.03)


def test_a_lag_that_will_be_made_up_is_none() -> None:
    assert after(0.4, closing(0.2)) < 0.02


def test_what_gains_late_is_given_time_while_it_catches_up() -> None:
    lag = closing(0.02, end=0.5)
    assert after(0.9, lag) > 0.4
    assert after(0.9, lag, gains_late=True) == -math.inf


def test_what_gains_late_and_falls_behind_further_is_given_none() -> None:
    assert after(0.5, lambda fraction: 0.5 + fraction, gains_late=True) > 0.5


def test_a_lag_that_grows_is_not_thought_to_grow_on() -> None:
    assert after(0.5, lambda fraction: fraction) <= 0.5


def test_nothing_is_said_early_or_of_few_evaluations() -> None:
    assert after(EARLIEST - 0.01, lambda fraction: 5.0) == -math.inf
    assert after(0.6, lambda fraction: 5.0, every=200) == -math.inf
    assert after(0.6, lambda fraction: 5.0) == pytest.approx(5.0)


def test_what_lasted_no_longer_than_a_stretch_is_noise() -> None:
    """A loss that jumps, and comes back."""
    assert after(0.5, lambda fraction: 3.0 if 0.4 < fraction <= 0.48 else 0.0) <= 0.0
    assert after(0.5, lambda fraction: 3.0 if fraction > 0.42 else 0.0) <= 0.0


@given(st.floats(-3, 3), st.floats(0.31, 1.0))
def test_a_constant_factor_of_the_rival_adds_to_the_lag(by: float, fraction: float) -> None:
    lag = closing(0.3)
    assert after(fraction, lambda f: lag(f) + by) == pytest.approx(after(fraction, lag) + by)


def looked_at(lags: Sequence[float], every: int, gains_late: bool) -> bool:
    """Whether any look at a training, after each of its evaluations, ends it."""
    at = [every * (i + 1) for i in range(len(lags))]
    return any(
        least_lag(at[:count], lags[:count], every * len(lags), gains_late) > 0.02
        for count in range(1, len(lags))
    )


@pytest.mark.parametrize("evaluations", [20, 50])
@pytest.mark.parametrize(("pace", "gains_late"), [(0.0, True), (0.0, False), (0.2, False)])
def test_all_looks_together_seldom_end_what_comes_to_the_same_in_the_end(
    evaluations: int, pace: float, gains_late: bool
) -> None:
    """With evaluations that spread by a tenth each: in 5 % at most, and 200 searches show up to 10 % by chance."""
    random = np.random.default_rng(1)
    fractions = (np.arange(evaluations) + 1) / evaluations
    lags = -pace * np.log(fractions) + 0.1 * random.normal(size=(200, evaluations))
    ended = sum(looked_at(row, 10, gains_late) for row in lags.tolist())
    assert ended <= 20, f"{ended} of 200"
