"""In what regret is measured: the laws of the units, and what they make of metrics that percentages mislead about."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import add

import numpy as np
import pytest

from lrsearch.strategies import Bracketed, candidates_of
from lrsearch.task.model import MetricKind, Mode, Searched, SearchSettings
from lrsearch.trial import Evaluation, Finished, SearchId, Trial, TrialSpec
from lrsearch.verdict import Verdict, judge
from lrsearch.verdict.units import measure_of, outside_share

SEARCH = SearchId("sgd", "lr")
SEARCHED = Searched(0.1, "lr", (1e-8, 1e3))
RUNGS = (-3, -2, -1)
Ends = Sequence[Sequence[float]]
"""Metrics at the end by rung and seed; the middle rung is the choice."""


def trials_of(
    ends: Ends, began: float, convert: Callable[[float], float] = lambda value: value
) -> list[Trial]:
    return [
        Trial(
            f"{rung}/{seed}",
            TrialSpec(SEARCH, rung, seed, {"lr": SEARCHED.ladder.value(rung)}),
            (Evaluation(0, convert(began)), Evaluation(100, convert(end))),
            Finished(convert(end)),
        )
        for rung, of_rung in zip(RUNGS, ends, strict=True)
        for seed, end in enumerate(of_rung)
    ]


def verdict_of(
    ends: Ends,
    began: float,
    mode: Mode,
    convert: Callable[[float], float] = lambda value: value,
    kind: MetricKind | None = None,
) -> Verdict:
    trials = trials_of(ends, began, convert)
    return judge(SEARCH, SEARCHED, Bracketed(-2), trials, mode, SearchSettings(kind=kind), (3,))


def said_of(verdict: Verdict) -> tuple[object, ...]:
    return verdict.chosen, verdict.regret_at_most, verdict.resolved, verdict.ties


def near_tie(best: float, spread: float, step: float, seed: int, better: int = -1) -> list[list[float]]:
    """Three rungs around ``best``, the middle one best, the upper one near it; paired noise of ``spread``."""
    noise = np.random.default_rng(seed).normal(0, spread, (3, 3))
    noise -= noise.mean(axis=1, keepdims=True)
    means = best - better * step * np.array([4, 0, 1])
    return [list(map(float, row)) for row in means[:, None] + noise]


LOSSES = near_tie(0.3, 0.01, 0.006, seed=1)
SHORT = near_tie(0.987, 0.003, 0.001, seed=2)
ACCURACIES = near_tie(0.93, 0.004, 0.004, seed=3, better=1)
LIKELIHOODS = near_tie(1050.0, 20.0, 15.0, seed=4, better=1)


@pytest.mark.parametrize(("ends", "began"), [(LOSSES, 2.3), (SHORT, 1.0)], ids=["long", "short"])
@pytest.mark.parametrize("factor", [1000, 1e-6])
def test_a_loss_in_other_units_changes_nothing(ends: Ends, began: float, factor: float) -> None:
    plain = verdict_of(ends, began, "min")
    scaled = verdict_of(ends, began, "min", lambda value: factor * value)
    assert scaled.regret_at_most == pytest.approx(plain.regret_at_most, rel=1e-9)
    assert scaled.regret_of == plain.regret_of
    assert (scaled.ties, scaled.resolved) == (plain.ties, plain.resolved)
    assert scaled.loses_at_most == pytest.approx(factor * (plain.loses_at_most or 0), rel=1e-9)


@pytest.mark.parametrize(
    ("ends", "began", "mode", "constants"),
    [(SHORT, 1.0, "min", (-1.5, -0.2, 0.2)), (LIKELIHOODS, -350.0, "max", (-1000.0, 100.0, 300.0, 5000.0))],
    ids=["loss", "likelihood"],
)
def test_a_constant_changes_almost_nothing_of_what_is_measured_by_what_was_learned(
    ends: Ends, began: float, mode: Mode, constants: Sequence[float]
) -> None:
    plain = verdict_of(ends, began, mode)
    assert plain.regret_at_most
    for constant in constants:
        moved = verdict_of(ends, began, mode, partial(add, constant))
        assert moved.regret_of == plain.regret_of == "learned"
        assert moved.regret_at_most == pytest.approx(plain.regret_at_most, rel=0.05), constant
        assert (moved.resolved, moved.ties) == (plain.resolved, plain.ties)


@pytest.mark.parametrize("began", [0.1, 0.9], ids=["of its error", "of what was learned"])
def test_an_accuracy_in_per_cent_and_its_error_give_the_same_bound(began: float) -> None:
    share = verdict_of(ACCURACIES, began, "max")
    named = verdict_of(ACCURACIES, began, "max", kind="accuracy")
    percent = verdict_of(ACCURACIES, began, "max", lambda value: 100 * value, kind="accuracy")
    error = verdict_of(ACCURACIES, began, "min", lambda value: 1 - value)
    assert share.regret_at_most
    assert [v.regret_at_most for v in (named, percent, error)] == pytest.approx([share.regret_at_most] * 3)
    assert {(v.chosen, v.resolved, v.ties) for v in (named, percent, error)} == {
        (share.chosen, share.resolved, share.ties)
    }
    assert [v.loses_at_most for v in (named, percent, error)] == pytest.approx(
        [share.loses_at_most, 100 * (share.loses_at_most or 0), share.loses_at_most]
    )


def test_a_log_likelihood_is_measured_by_what_was_learned() -> None:
    """From -350 to 1050, 1400 were learned; 30 % of its value would be what the bound is of nothing."""
    verdict = verdict_of(LIKELIHOODS, -350.0, "max")
    assert verdict.regret_of == "learned"
    assert verdict.measure is not None
    assert verdict.measure.size == pytest.approx(1400)
    assert verdict.loses_at_most == pytest.approx(1400 * (verdict.regret_at_most or 0))
    assert 0.01 < (verdict.regret_at_most or 0) < 0.15


def test_a_metric_near_0_is_measured_by_what_was_learned() -> None:
    """Its mean is 0.001: any bound as a fraction of that is thousands of per cent."""
    near_zero = near_tie(0.001, 0.01, 0.01, seed=5)
    verdict = verdict_of(near_zero, 2.0, "min")
    assert (verdict.regret_of, verdict.resolved) == ("learned", True)
    assert 0 < (verdict.regret_at_most or 0) < 0.05


def test_an_error_twice_the_best_ones_is_not_within_five_per_cent() -> None:
    """0.998 and 0.996: as accuracies they differ by 0.2 %, as errors by a factor of two."""
    spread = [[0.9958, 0.9962, 0.9960], [0.9985, 0.9970, 0.9985], [0.9950, 0.9975, 0.9955]]
    verdict = verdict_of(spread, 0.1, "max")
    assert (verdict.chosen, verdict.regret_of, verdict.resolved) == (0.1, "error", False)
    assert (verdict.regret_at_most or 0) > 0.05
    assert 0 < (verdict.loses_at_most or 0) < 0.002, "no error is below 0"


def test_of_a_short_budget_the_tolerance_is_of_what_was_learned() -> None:
    """From 1 to 0.987 with seeds that spread by 0.3 %: 0.3 % of the value, and a quarter of what was learned."""
    verdict = verdict_of(SHORT, 1.0, "min")
    assert (verdict.regret_of, verdict.resolved) == ("learned", False)
    assert (verdict.regret_at_most or 0) > 0.05
    assert (verdict.loses_at_most or 0) < 0.05 * 0.987, "it would be resolved by its value"
    assert verdict.measure is not None
    assert verdict.measure.improved == pytest.approx(0.013)


def test_of_a_short_budget_that_tells_them_apart_it_is_resolved() -> None:
    verdict = verdict_of(near_tie(0.987, 0.00001, 0.0005, seed=2), 1.0, "min")
    assert (verdict.regret_of, verdict.regret_at_most, verdict.resolved) == ("learned", 0, True)


def test_a_loss_is_measured_by_its_value_where_that_is_smaller() -> None:
    verdict = verdict_of(LOSSES, 2.3, "min")
    assert verdict.regret_of == "value"
    assert verdict.measure is not None
    assert verdict.measure.size == pytest.approx(0.3)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_where_nothing_is_known_of_its_beginning_it_is_measured_by_its_value(mode: Mode) -> None:
    unknown = float("inf") if mode == "min" else float("-inf")
    ends = LOSSES if mode == "min" else [[100 * value for value in of_rung] for of_rung in ACCURACIES]
    verdict = verdict_of(ends, unknown, mode)
    assert verdict.regret_of == "value"
    assert 0 < (verdict.regret_at_most or 0) < 0.5


PERFECT = [[0.98, 0.985, 0.99], [1.0, 1.0, 1.0], [1.0, 0.995, 0.99]]


def test_a_choice_without_any_error_is_measured_by_what_was_learned() -> None:
    verdict = verdict_of(PERFECT, 0.1, "max")
    assert verdict.regret_of == "learned"
    assert verdict.measure is not None
    assert verdict.measure.size == pytest.approx(0.9)
    assert 0 <= (verdict.regret_at_most if verdict.regret_at_most is not None else -1) < 0.05


def test_a_rival_without_any_error_leaves_the_bound_finite() -> None:
    ends = [[0.9, 0.92, 0.91], [0.98, 0.97, 0.975], [1.0, 0.95, 0.96]]
    verdict = verdict_of(ends, 0.1, "max")
    assert (verdict.regret_of, verdict.ties) == ("error", (0.3,))
    assert np.isfinite(verdict.regret_at_most or np.inf)
    assert np.isfinite(verdict.loses_at_most or np.inf)


@pytest.mark.parametrize(
    ("values", "mode", "kind", "whole"),
    [
        ([0.1, 0.9], "max", None, 1),
        ([0.0, 1.0], "max", None, None),  # it may be anything
        ([0.1, 1.5], "max", None, None),
        ([-0.1, 0.9], "max", None, None),
        ([0.1, 0.9], "min", None, None),
        ([10.0, 90.0], "max", None, None),
        ([10.0, 90.0], "max", "accuracy", 100),
        ([0.1, 0.9], "max", "accuracy", 1),
        ([0.1, 1.0000001], "max", "accuracy", 1),  # a mean in float32
        ([0.1, 0.9, float("-inf")], "max", None, 1),  # nothing is known of a beginning
    ],
)
def test_what_is_a_share_of_right_answers(
    values: list[float], mode: Mode, kind: MetricKind | None, whole: float | None
) -> None:
    chosen = candidates_of(trials_of([[], [0.5, 0.6, 0.7], []], 0.1))[-2]
    assert measure_of(chosen, values, mode, kind).whole == whole


@pytest.mark.parametrize(("value", "outside"), [(-0.01, True), (100.5, True), (100.0, False), (0.0, False)])
def test_what_is_no_accuracy_is_found(value: float, outside: bool) -> None:
    trials = trials_of([[], [value], []], 0.1)
    assert outside_share(trials) == ((trials[0], value) if outside else None)
