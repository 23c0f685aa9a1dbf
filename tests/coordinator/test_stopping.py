"""What a strategy wants ended is on record at once, whoever trains it learns of it, and nothing is left over."""

from dataclasses import replace
from pathlib import Path

import pytest

from lrsearch.coordinator import LEFT_OVER, Coordinator
from lrsearch.searches import survey
from lrsearch.store.memory import MemoryStore
from lrsearch.strategies import Bracketed
from lrsearch.task import Task, parse_task
from lrsearch.trial import Diverged, Evaluation, Finished, Stopped, Trial, TrialSpec

TASK = """
name: stopping
workload: x.py:y
budget: {iterations: 100, evaluate_every: 50}
seeds: 3
optimizers: {sgd: {lr: {start: 0.1}}}
"""
START = Evaluation(0, 2.3)


@pytest.fixture
def task() -> Task:
    return parse_task(TASK, Path("task.yaml"))


def asked(coordinator: Coordinator, replicas: int) -> list[Trial]:
    trials = [coordinator.ask() for _ in range(replicas)]
    return [trial for trial in trials if trial is not None]


def finish(coordinator: Coordinator, trial: Trial) -> None:
    """As the rates of a valley at 0.1 end; 0.3 diverges."""
    coordinator.report(trial.id, START)
    if trial.spec.rung > -2:
        coordinator.tell(trial.id, Diverged(50), (START,), 1.0)
    else:
        end = Evaluation(100, 0.3 - 0.1 * (trial.spec.rung + 2))
        coordinator.tell(trial.id, Finished(end.value), (START, end), 1.0)


def test_the_other_seeds_of_a_rate_that_diverged_are_stopped(task: Task) -> None:
    store = MemoryStore()
    coordinator = Coordinator(task, store)
    trials = asked(coordinator, 6)
    for trial in trials:
        assert coordinator.report(trial.id, START, seconds=0.5)
    first, second, third = (trial for trial in trials if trial.spec.rung == -1)
    coordinator.tell(first.id, Diverged(50), (START,), 1.0)
    by_id = {trial.id: trial for trial in store.trials()}
    for stopped in (by_id[second.id], by_id[third.id]):
        assert stopped.outcome == Stopped("seed 0 diverged at iteration 50, so it did not learn")
        assert (stopped.curve, stopped.seconds) == ((START,), 0.5)


def test_who_trains_a_stopped_replica_is_told_at_its_next_evaluation(task: Task) -> None:
    store = MemoryStore()
    coordinator = Coordinator(task, store)
    trials = asked(coordinator, 6)
    first, second, third = (trial for trial in trials if trial.spec.rung == -1)
    coordinator.report(first.id, START)
    coordinator.tell(first.id, Diverged(50), (START,), 1.0)
    before = store.trials()
    assert coordinator.report(second.id, Evaluation(50, 1.0)) is False
    coordinator.tell(third.id, Finished(0.1), (START, Evaluation(100, 0.1)), 1.0)
    assert store.trials() == before, "what comes late changes nothing"


def left_unfinished(task: Task, store: MemoryStore) -> None:
    """A run that died while two seeds of 0.3 were training."""
    coordinator = Coordinator(task, store)
    for trial in asked(coordinator, 5):
        if trial.spec.rung == -2:
            finish(coordinator, trial)


def test_what_a_run_left_unfinished_and_nobody_needs_any_more_is_ended(task: Task) -> None:
    store = MemoryStore()
    left_unfinished(task, store)
    coordinator = Coordinator(task, store)
    while (trial := coordinator.ask()) is not None:
        finish(coordinator, trial)
    assert coordinator.done()
    assert all(trial.ended for trial in store.trials())
    left_over = [trial for trial in store.trials() if trial.outcome == Stopped(LEFT_OVER)]
    assert [(trial.spec.rung, trial.spec.seed) for trial in left_over] == [(-1, 1)]


def test_who_only_looks_sees_the_search_ended_before_that(task: Task) -> None:
    """A run may die between the last outcome and the ending of what it left over."""
    store = MemoryStore()
    left_unfinished(task, store)
    end = Evaluation(100, 0.9)
    search = store.trials()[0].spec.search
    lower = [
        Trial(f"lower {seed}", TrialSpec(search, -3, seed, {"lr": 0.03}), (START, end), Finished(0.9))
        for seed in range(3)
    ]
    diverged = [
        replace(trial, outcome=Diverged(50)) if (trial.spec.rung, trial.spec.seed) == (-1, 0) else trial
        for trial in store.trials()
    ]
    (state,) = survey(task, [*diverged, *lower]).values()
    assert state.verdict is not None
    assert state.verdict.ending == Bracketed(-2)


def test_a_worker_that_dies_after_its_replica_was_stopped_changes_nothing(task: Task) -> None:
    store = MemoryStore()
    coordinator = Coordinator(task, store)
    trials = asked(coordinator, 6)
    first, second, _ = (trial for trial in trials if trial.spec.rung == -1)
    coordinator.report(first.id, START)
    coordinator.tell(first.id, Diverged(50), (START,), 1.0)
    before = store.trials()
    coordinator.lost(second.id, "no memory")
    assert store.trials() == before


def test_what_is_begun_is_asked_for_first(task: Task) -> None:
    """Its curve may spare others, in a race above all."""
    store = MemoryStore()
    last = asked(Coordinator(task, store), 4)[-1]
    for trial in store.trials():
        if trial.id != last.id:
            store.end(trial.id, Finished(0.3), (START, Evaluation(100, 0.3)), 1.0)
    again = Coordinator(task, store).ask()
    assert again is not None
    assert again.id == last.id
