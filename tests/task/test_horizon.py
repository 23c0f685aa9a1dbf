"""A horizon longer than a training gets a warning, and nothing else does."""

from pathlib import Path

import pytest

from lrsearch.task import Task, parse_task
from lrsearch.task.horizon import horizon_text, warnings_of
from lrsearch.trial import SearchId

TASK = """\
name: mine
workload: mine.py:workload
budget: {iterations: 1000, evaluate_every: 10}
optimizers:
  sgd: {lr: {start: 0.1}, momentum: 0.9999}
"""


def task_with(cprop: str) -> Task:
    return parse_task(TASK + f"  it: {{base: sgd, lr: 0.1, cprop: {cprop}}}\n", Path("mine.yaml"))


@pytest.mark.parametrize(
    ("cprop", "place", "value"),
    [
        ("{beta: 0.9999}", (6, 36), "optimizers.it.cprop.beta is 0.9999; its horizon of 10,000"),
        (
            "{beta: {start: 0.9997}}",
            (6, 43),
            "optimizers.it.cprop.beta.start is 0.9997; its horizon of 3,333",
        ),
    ],
)
def test_a_longer_horizon_is_warned_of_at_its_place(cprop: str, place: tuple[int, int], value: str) -> None:
    task = task_with(cprop)
    (warning,) = warnings_of(task)
    assert str(task.error(warning.sentence, *warning.key)) == (
        f"mine.yaml:{place[0]}:{place[1]} {value} iterations is longer than a training of 1,000; "
        "give at most 0.999, or train longer"
    )


@pytest.mark.parametrize("cprop", ["{}", "{beta: 0.999}", "{beta: 0}", "{beta: {start: 0.999}}", "{c: 27}"])
def test_a_horizon_as_long_as_a_training_is_fine(cprop: str) -> None:
    assert warnings_of(task_with(cprop)) == []


def test_what_cprop_takes_unless_given_is_warned_of() -> None:
    task = parse_task(
        TASK.replace("1000", "999") + "  it: {base: sgd, lr: 0.1, cprop: {}}\n", Path("mine.yaml")
    )
    (warning,) = warnings_of(task)
    assert warning.sentence.startswith("optimizers.it.cprop.beta is 0.999 unless given; its horizon of 1,000")


def test_a_shared_one_is_warned_of_where_it_comes_from() -> None:
    text = TASK + "  it: {base: sgd, lr: 0.1, cprop: {beta: 0.9999}}\n"
    text += "  other: {base: sgd, lr: 0.1, cprop: {beta: {of: it}}}\n"
    warnings = warnings_of(parse_task(text, Path("mine.yaml")))
    assert [warning.key[1] for warning in warnings] == ["it"]


def test_a_chosen_one_is_warned_of() -> None:
    task = task_with("{beta: {start: 0.99}}")
    search = SearchId("it", "cprop.beta")
    assert horizon_text(task, search, 0.999) is None
    assert (horizon_text(task, search, 0.9997) or "").startswith("its horizon of 3,333 iterations is longer")
    assert horizon_text(task, SearchId("sgd", "momentum"), 0.9999) is None


def test_the_shortest_training_has_a_remedy_on_the_ladder() -> None:
    task = parse_task(
        TASK.replace("iterations: 1000, evaluate_every: 10", "iterations: 1, evaluate_every: 1")
        + "  it: {base: sgd, lr: 0.1, cprop: {beta: 0.9}}\n",
        Path("mine.yaml"),
    )
    (warning,) = warnings_of(task)
    assert "give at most 0, or train longer" in warning.sentence
