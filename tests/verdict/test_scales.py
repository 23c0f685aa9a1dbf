"""The mean scale of a training, and the rates of a control that follow from it."""

import pytest

from lrsearch.task.comparison import MEAN_SCALE
from lrsearch.task.model import Compared
from lrsearch.trial import Evaluation, SearchId, Trial, TrialSpec
from lrsearch.verdict import at_scale, mean_scale, scale_of

SEARCH = SearchId("cprop", "lr")
CONTROL = Compared(0.3, "lr", (1e-30, 1e30), scaled_by="cprop")


def trial(seed: int, *scales: float) -> Trial:
    curve = (
        Evaluation(0, 1.0),
        *(Evaluation(i, 1.0, {MEAN_SCALE: s}) for i, s in enumerate(scales, start=1)),
    )
    return Trial(f"{seed}", TrialSpec(SEARCH, 0, seed, {"lr": 0.3}), curve)


def test_each_seed_counts_alike_however_many_evaluations_it_has() -> None:
    assert mean_scale([trial(0, 0.2, 0.4), trial(1, 0.7)]) == pytest.approx(0.5)


def test_a_seed_without_scales_does_not_count() -> None:
    assert mean_scale([trial(0), trial(1, 0.7)]) == 0.7


def test_without_any_there_is_none() -> None:
    assert mean_scale([trial(0)]) is None
    assert scale_of(CONTROL, {SEARCH: 0.3}) is None


def test_a_control_s_rate_is_scaled_to_four_digits() -> None:
    scale = scale_of(CONTROL, {SearchId("cprop", MEAN_SCALE): 1 / 3})
    searched, _ = at_scale(CONTROL, {}, scale)
    assert (searched.start, searched.scaled_by) == (0.1, None)
    assert at_scale(CONTROL, {}, 0.123456)[0].start == 0.03704


def test_every_learning_rate_of_a_control_is_scaled_and_nothing_else() -> None:
    assert at_scale(CONTROL, {"final_lr": 0.1, "momentum": 0.9}, 0.5)[1] == {
        "final_lr": 0.05,
        "momentum": 0.9,
    }


def test_an_entry_of_its_own_rate_keeps_it() -> None:
    own = Compared(0.3, "lr", (1e-30, 1e30))
    assert scale_of(own, {}) == 1.0
    assert at_scale(own, {"final_lr": 0.123456}, 1.0) == (own, {"final_lr": 0.123456})
