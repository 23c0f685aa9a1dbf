"""The fewest trainings that are left: never more than a run then takes, and exact when it is lucky."""

import pytest
from report_runs import Run, entry, lr, make_task, paper_task, valley

from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.trial import SearchId

SGD = SearchId("sgd", "lr")


def sgd_from(start: float, **changes: object):
    return make_task({"sgd": entry("sgd", hyperparameters={"lr": lr(start)})}, **changes)


def test_before_anything_three_candidates_are_left():
    run = Run(sgd_from(0.1))
    assert trainings_left(run.task, run.states()[SGD]) == 9


def test_a_closed_end_saves_a_candidate():
    run = Run(paper_task())
    assert trainings_left(run.task, run.states()[SearchId("cprop_sgd", "cprop.c")]) == 6


@pytest.mark.parametrize("start", [1e-3, 0.03, 1.0, 10.0])
def test_it_is_a_lower_bound_all_along_and_none_at_the_end(start):
    run = Run(sgd_from(start), workers=3)
    seen = []
    while not run.coordinator.done():
        state = run.coordinator.states[0]
        seen.append((trainings_ended(state), trainings_left(run.task, state)))
        run.go(evaluations=20)
    whole = trainings_ended(run.coordinator.states[0])
    assert all(ended + left <= whole for ended, left in seen), seen
    assert trainings_left(run.task, run.coordinator.states[0]) == 0


def test_it_is_exact_once_only_the_neighbours_run():
    run = Run(sgd_from(0.1), workers=3)
    run.go(evaluations=150)
    state = run.coordinator.states[0]
    left = trainings_left(run.task, state)
    before = trainings_ended(state)
    run.loss = lambda spec, iteration: valley(spec, iteration) + (0.1 if spec.rung == -3 and iteration else 0)
    run.go()
    assert trainings_ended(run.coordinator.states[0]) == before + left
