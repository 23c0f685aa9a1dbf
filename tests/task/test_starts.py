"""The rules that scale a learning rate, and the rung on which a search begins by them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsearch.ladder import LR
from lrsearch.task import RangeTest, ScaledStart, Scaling, Searched
from lrsearch.task.starts import POWERS, Rule, rescale

LRS = st.floats(1e-8, 1e3)
RATIOS = st.floats(1e-6, 1e6)
RULES = st.sampled_from(list(POWERS))
LIMITS = (1e-8, 1e3)


def scaled(lr: float, ratio: float, rule: Rule) -> ScaledStart:
    return ScaledStart(Scaling("chosen.yaml", rule, times=ratio), "sgd", lr)


@given(LRS, RULES)
def test_a_ratio_of_1_changes_nothing(lr: float, rule: Rule) -> None:
    assert rescale(lr, 1.0, rule) == pytest.approx(lr)


@given(LRS, RATIOS)
def test_same_changes_nothing_at_any_ratio(lr: float, ratio: float) -> None:
    assert rescale(lr, ratio, "same") == pytest.approx(lr)


@given(LRS, RATIOS, RULES)
def test_there_and_back_is_where_it_was(lr: float, ratio: float, rule: Rule) -> None:
    assert rescale(rescale(lr, ratio, rule), 1 / ratio, rule) == pytest.approx(lr)


@given(LRS, RATIOS, RATIOS, RULES)
def test_two_steps_are_one_by_the_product_of_their_ratios(lr: float, a: float, b: float, rule: Rule) -> None:
    assert rescale(rescale(lr, a, rule), b, rule) == pytest.approx(rescale(lr, a * b, rule))


@given(LRS, RATIOS)
def test_linear_is_in_proportion_to_the_ratio(lr: float, ratio: float) -> None:
    assert rescale(lr, ratio, "linear") == pytest.approx(lr * ratio)


@given(LRS, RATIOS)
def test_the_square_root_twice_is_linear(lr: float, ratio: float) -> None:
    twice = rescale(rescale(lr, ratio, "sqrt"), ratio, "sqrt")
    assert twice == pytest.approx(rescale(lr, ratio, "linear"))


@given(LRS, RATIOS)
def test_inverse_undoes_linear(lr: float, ratio: float) -> None:
    assert rescale(rescale(lr, ratio, "linear"), ratio, "inverse") == pytest.approx(lr)


@given(LRS, RATIOS, RULES)
def test_no_rung_within_the_limits_is_nearer_than_the_start(lr: float, ratio: float, rule: Rule) -> None:
    proposed = scaled(lr, ratio, rule)
    start = Searched(None, "lr", LIMITS, scaling=proposed.scaling).started([proposed]).start
    assert start is not None
    first, last = LR.rungs_within(*LIMITS)
    distances = {LR.value(r): abs(math.log(LR.value(r) / proposed.value)) for r in range(first, last + 1)}
    assert distances[start] == min(distances.values())


def test_an_argument_s_ratio_is_here_over_there() -> None:
    scaling = Scaling("chosen.yaml", "linear", by="batch_size", here=32.0)
    start = ScaledStart(scaling, "sgd", 0.1, there=8.0)
    assert (start.ratio, start.value, start.iterations) == (4.0, 0.4, 0)


OTHERS = {
    "of another rule": Scaling("chosen.yaml", "sqrt", times=4.0),
    "from another file": Scaling("other/chosen.yaml", "linear", times=4.0),
    "of another ratio": Scaling("chosen.yaml", "linear", times=2.0),
    "of another entry": Scaling("chosen.yaml", "linear", times=4.0, entry="adam"),
}


@pytest.mark.parametrize("scaling", OTHERS.values(), ids=OTHERS)
def test_a_start_that_was_asked_for_otherwise_is_not_taken(scaling: Scaling) -> None:
    searched = Searched(None, "lr", LIMITS, scaling=scaling)
    assert searched.started([scaled(0.1, 4.0, "linear")]) == searched


def test_a_range_test_does_not_start_what_scales_another_result() -> None:
    searched = Searched(None, "lr", LIMITS, scaling=OTHERS["of another rule"])
    assert searched.started([RangeTest((), (), 0.3)]) == searched


def test_a_scaled_start_does_not_start_what_awaits_a_range_test() -> None:
    searched = Searched(None, "lr", LIMITS)
    assert searched.started([scaled(0.1, 4.0, "linear")]) == searched
