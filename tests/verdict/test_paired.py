"""Intervals and speed-ups over paired seeds, against scipy.stats and by laws."""

import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from lrsearch.trial import Diverged, Evaluation, Finished, SearchId, Trial, TrialSpec
from lrsearch.verdict.paired import first_reach, interval, paired, speed_up

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


def trial(losses: list[float], seed: int = 0, ended: bool = True) -> Trial:
    """A training that is evaluated every 10 iterations."""
    curve = tuple(Evaluation(10 * index, loss) for index, loss in enumerate(losses))
    outcome = Finished(losses[-1]) if ended else Diverged(curve[-1].iteration)
    return Trial(f"{seed}", TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": 0.1}), curve, outcome)


@given(VALUES)
def test_an_interval_is_student_s(values: list[float]) -> None:
    found = interval(values)
    error = scipy.stats.sem(values)
    low, high = (
        scipy.stats.t.interval(0.95, len(values) - 1, loc=found.mean, scale=error)
        if error
        else (found.mean,) * 2
    )
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    found = interval([0.3])
    assert (found.mean, found.low, found.high, found.seeds) == (0.3, None, None, 1)


def test_no_seed_has_nothing() -> None:
    assert interval([]) is None


@given(VALUES, st.floats(-10, 10))
def test_what_all_seeds_share_is_not_in_a_paired_interval(values: list[float], shift: float) -> None:
    other = dict(enumerate(values))
    found = paired({seed: value + shift for seed, value in other.items()}, other)
    assert found.mean == pytest.approx(shift, abs=1e-9)
    assert found.high - found.low == pytest.approx(0, abs=1e-9)


def test_seeds_that_only_one_has_do_not_count() -> None:
    assert paired({0: 1.0, 1: 2.0, 2: 9.0}, {0: 0.5, 1: 1.5, 3: 9.0}).seeds == 2


def test_a_level_between_evaluations_is_reached_on_a_line() -> None:
    assert first_reach(trial([1.0, 0.8, 0.4]).curve, 0.6, "min") == 15


def test_a_level_is_reached_from_below_where_high_is_good() -> None:
    assert first_reach(trial([0.0, 0.5, 0.9]).curve, 0.7, "max") == 15


def test_a_level_that_is_never_reached_has_no_iteration() -> None:
    assert first_reach(trial([1.0, 0.8]).curve, 0.5, "min") is None


@given(st.integers(2, 6), st.integers(1, 5))
def test_who_falls_so_many_times_as_fast_is_as_much_faster(times: int, seeds: int) -> None:
    base = [trial([1 - 0.01 * i for i in range(13)], seed) for seed in range(seeds)]
    other = [trial([1 - 0.01 * times * i for i in range(13)], seed) for seed in range(seeds)]
    found = speed_up(base, other, "min")
    assert found.factor.mean == pytest.approx(times)
    assert found.base == pytest.approx(120)
    assert found.iterations == pytest.approx(120 / times)


def test_a_base_that_was_there_before_its_end_is_counted_from_then() -> None:
    assert speed_up([trial([1.0, 0.4, 0.5])], [trial([1.0, 0.5, 0.1])], "min").base == pytest.approx(25 / 3)


def test_who_does_not_get_there_on_a_seed_has_no_factor() -> None:
    base = [trial([1.0, 0.5], seed) for seed in (0, 1)]
    found = speed_up(base, [trial([1.0, 0.2]), trial([1.0, 0.9], 1)], "min")
    assert (found.iterations, found.factor, found.reached, found.seeds) == (None, None, 1, 2)


def test_a_seed_that_diverged_after_it_got_there_has_got_there() -> None:
    found = speed_up([trial([1.0, 0.5, 0.4])], [trial([1.0, 0.3], ended=False)], "min")
    assert math.isclose(found.iterations, 10 * 0.6 / 0.7)


def test_a_base_of_which_no_seed_finished_has_no_end_to_reach() -> None:
    assert speed_up([trial([1.0], ended=False)], [trial([1.0, 0.5])], "min") is None
