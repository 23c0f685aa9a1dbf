"""What sets two entries apart, word for word."""

from dataclasses import replace
from typing import Any

import pytest
from report_runs import entry, make_task

from lrsearch.report.versus import direction, versus_text
from lrsearch.task import Metric, Task


@pytest.fixture
def task() -> Task:
    return make_task({"sgd": entry("sgd", "sgd", hyperparameters={"lr": 0.1})})


def difference(mean: float, low: float | None, high: float | None, seeds: int = 3) -> dict[str, Any]:
    return {"mean": mean, "low": low, "high": high, "seeds": seeds}


LOWER, OPEN, HIGHER = difference(-0.2, -0.3, -0.1), difference(-0.1, -0.3, 0.1), difference(0.2, 0.1, 0.3)
FASTER = {
    "base_iterations": 1000.0,
    "iterations": 400.0,
    "reached": 3,
    "seeds": 3,
    "factor": difference(2.5, 2.0, 3.0),
}
NEVER = {"base_iterations": 1000.0, "iterations": None, "reached": 1, "seeds": 3, "factor": None}


def said(task: Task, found: dict[str, Any], **more: Any) -> str:
    return versus_text(task, "cprop", {"against": "sgd", "differences": {"train_loss": found}, **more})


def test_a_lower_loss_with_its_speed(task: Task) -> None:
    assert said(task, LOWER, speed_up=FASTER) == (
        "cprop against sgd: train_loss ends 0.2000 lower (95 % interval 0.1000 to 0.3000, 3 paired seeds); it is where "
        "sgd ends after 400 iterations in place of 1000, 2.5 times as fast (2 to 3)."
    )


def test_a_higher_loss_that_does_not_get_there(task: Task) -> None:
    assert said(task, HIGHER, speed_up=NEVER) == (
        "cprop against sgd: train_loss ends 0.2000 higher (95 % interval 0.1000 to 0.3000, 3 paired seeds); it gets "
        "where sgd ends on 1 of 3 seeds."
    )


def test_an_interval_around_0_shows_no_difference(task: Task) -> None:
    assert said(task, OPEN) == (
        "cprop against sgd: train_loss ends 0.1000 lower (95 % interval of the difference -0.3000 to 0.1000, 3 paired "
        "seeds), which shows no difference."
    )


def test_one_seed_has_no_interval(task: Task) -> None:
    line = "cprop against sgd: train_loss ends 0.1000 lower with 1 seed, too few for an interval."
    assert said(task, difference(-0.1, None, None, 1)) == line


def test_other_metrics_follow(task: Task) -> None:
    pair = {"against": "sgd", "differences": {"train_loss": LOWER, "test_accuracy": HIGHER}}
    assert versus_text(task, "cprop", pair).endswith(
        " Of the others test_accuracy ends 0.2000 higher (95 % interval 0.1000 to 0.3000, 3 paired seeds)."
    )


@pytest.mark.parametrize(
    ("found", "meaning"),
    [
        (LOWER, "so cprop is more than that smaller learning rate."),
        (OPEN, "so cprop is not shown to be more than that smaller learning rate."),
        (HIGHER, "so that smaller learning rate alone does better."),
    ],
)
def test_the_control_says_what_the_gain_is(task: Task, found: dict[str, Any], meaning: str) -> None:
    control = {"lr": 0.03, "differences": {"train_loss": found}}
    line = said(task, LOWER, control=control)
    assert " Against sgd at 0.03, its rate times cprop's mean scale: train_loss ends " in line
    assert line.endswith(meaning)


def test_a_control_without_a_seed_says_so(task: Task) -> None:
    assert said(task, LOWER, control={"lr": 0.03, "differences": {}}).endswith(": no seed ended with both.")


def test_better_is_higher_where_the_metric_is_to_be_high(task: Task) -> None:
    high = replace(task, metric=Metric("accuracy", mode="max"))
    assert [direction(high, found) for found in (LOWER, OPEN, HIGHER)] == [-1, 0, 1]
    assert [direction(task, found) for found in (LOWER, OPEN, HIGHER)] == [1, 0, -1]
