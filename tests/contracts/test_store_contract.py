"""What every store promises, run over each."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lrsearch.ports import Store
from lrsearch.store.memory import MemoryStore
from lrsearch.task import ProposedStart, RangeTest, ScaledStart, Scaling, Task, parse_task
from lrsearch.task.fingerprint import identity_of
from lrsearch.trial import (
    Curve,
    Diverged,
    Evaluation,
    Failed,
    Finished,
    Outcome,
    SearchId,
    Stopped,
    Trial,
    TrialSpec,
)

RANGE_TEST = RangeTest((1e-7, 1 / 3, 10.0), ((2.3, 0.1 + 0.2), (2.4,), ()), suggested=0.03)
SCALED_START = ScaledStart(
    Scaling("../a.yaml", "linear", "batch_size", here=32.0, entry="b"), "b", 0.1, there=8.0
)

TASK = """
name: contract
workload: workload.py:make
budget: {iterations: 200, evaluate_every: 100}
optimizers:
  sgd: {lr: {start: 0.1}, momentum: 0.9}
  adam: {lr: {start: 0.001}}
"""
SGD, ADAM = SearchId("sgd", "lr"), SearchId("adam", "lr")
CURVE: Curve = (
    Evaluation(0, 2.3, {"train_loss": 2.3, "accuracy": 0.1}),
    Evaluation(100, 1 / 3, {"train_loss": 1 / 3, "accuracy": 0.7}),
)
OUTCOMES: list[Outcome] = [
    Finished(0.1 + 0.2),
    Finished(-1e-300),
    Diverged(100),
    Stopped("it cannot win"),
    Failed("ValueError: ü\nTraceback (most recent call last):\n  ..."),
]

Open = Callable[[], Store]


def spec(rung: int = -2, seed: int = 0, search: SearchId = SGD) -> TrialSpec:
    hyperparameters = {"lr": 0.1, "momentum": 0.9} if search == SGD else {"lr": 0.001}
    return TrialSpec(search, rung, seed, hyperparameters)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "workload.py").write_text("def make(): ...\n")
    return parse_task(TASK, tmp_path / "task.yaml")


STORAGES = ("sqlite", "postgresql", "journal")


@pytest.fixture
def opener(request: pytest.FixtureRequest, task: Task, tmp_path: Path) -> Iterator[Callable[[str], Open]]:
    """Give what opens a storage of a kind again and again, the store opened before being closed."""
    from lrsearch.store.optuna import open_store

    opened: list[Store] = []

    def of(kind: str) -> Open:
        url = f"{kind}:///{tmp_path / 'study.db'}"
        if kind == "postgresql":
            url = request.getfixturevalue("postgres_database")

        def open_it() -> Store:
            for store in opened:
                store.close()
            opened.append(open_store(task, identity_of(task), url, tmp_path / "run.lock"))
            return opened[-1]

        return open_it

    yield of
    for store in opened:
        store.close()


@pytest.fixture(params=STORAGES)
def open_optuna(request: pytest.FixtureRequest, opener: Callable[[str], Open]) -> Open:
    return opener(request.param)


@pytest.fixture(params=["memory", *STORAGES])
def store(request: pytest.FixtureRequest, opener: Callable[[str], Open]) -> Store:
    return MemoryStore() if request.param == "memory" else opener(request.param)()


@pytest.fixture(params=["memory", *STORAGES, *(f"{kind} reopened" for kind in STORAGES)])
def read_back(
    request: pytest.FixtureRequest, opener: Callable[[str], Open]
) -> tuple[Store, Callable[[], tuple[Trial, ...]]]:
    """A store, and how its trials are read back: from the store itself, or after it was opened anew."""
    if request.param == "memory":
        memory = MemoryStore()
        return memory, memory.trials
    kind, _, reopened = request.param.partition(" ")
    open_it = opener(kind)
    store = open_it()
    return store, (lambda: open_it().trials()) if reopened else store.trials


ReadBack = tuple[Store, Callable[[], tuple[Trial, ...]]]


def test_a_new_store_is_empty(read_back: ReadBack) -> None:
    _, trials = read_back
    assert trials() == ()


def test_a_created_trial_is_on_record_before_anything_is_known_of_it(read_back: ReadBack) -> None:
    store, trials = read_back
    created = store.create(spec(seed=2))
    assert trials() == (Trial(created, spec(seed=2)),)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_ended_trial_is_as_it_was_told(read_back: ReadBack, outcome: Outcome) -> None:
    store, trials = read_back
    trial = store.create(spec())
    store.report(trial, CURVE[0])
    store.end(trial, outcome, CURVE, seconds=1.25)
    assert trials() == (Trial(trial, spec(), CURVE, outcome, 1.25),)


def test_ids_are_unique_over_all_searches(store: Store) -> None:
    created = [store.create(spec(search=search)) for search in (SGD, ADAM, SGD, ADAM)]
    assert len(set(created)) == 4


def test_trials_come_oldest_first_whatever_their_search_and_end(read_back: ReadBack) -> None:
    store, trials = read_back
    created = [store.create(spec(search=search)) for search in (ADAM, SGD, ADAM, SGD)]
    for trial in reversed(created[1:]):
        store.end(trial, Finished(1.0), CURVE, 0.0)
    assert [trial.id for trial in trials()] == created


def test_a_trial_left_running_comes_back_with_its_curve_so_far(read_back: ReadBack) -> None:
    store, trials = read_back
    trial = store.create(spec())
    for evaluation in CURVE:
        store.report(trial, evaluation)
    (found,) = trials()
    assert found.outcome is None
    # The metrics beside the deciding one are on record when the trial has ended.
    assert [(e.iteration, e.value) for e in found.curve] == [(e.iteration, e.value) for e in CURVE]


def test_an_evaluation_replaces_the_one_at_its_iteration(read_back: ReadBack) -> None:
    store, trials = read_back
    trial = store.create(spec())
    for iteration, value in [(0, 2.3), (100, 1.0), (200, 0.5), (100, 0.9)]:
        store.report(trial, Evaluation(iteration, value))
    (found,) = trials()
    assert [(e.iteration, e.value) for e in found.curve] == [(0, 2.3), (100, 0.9), (200, 0.5)]


@pytest.mark.parametrize(
    "second", [Finished(2.0), Failed("late"), Diverged(100)], ids=lambda o: type(o).__name__
)
def test_the_first_outcome_stays(read_back: ReadBack, second: Outcome) -> None:
    store, trials = read_back
    trial = store.create(spec())
    store.end(trial, Finished(1.0), CURVE, 2.0)
    store.end(trial, second, CURVE[:1], 3.0)
    assert trials() == (Trial(trial, spec(), CURVE, Finished(1.0), 2.0),)


def test_a_metric_that_is_not_finite_comes_back_as_it_was(read_back: ReadBack) -> None:
    store, trials = read_back
    trial = store.create(spec())
    metrics = {"up": math.inf, "down": -math.inf, "nothing": math.nan, "finite": 0.5}
    store.end(trial, Finished(1.0), (Evaluation(0, 1.0, metrics),), 0.0)
    (found,) = trials()
    assert {name: repr(value) for name, value in found.curve[0].metrics.items()} == {
        "up": "inf",
        "down": "-inf",
        "nothing": "nan",
        "finite": "0.5",
    }


def test_an_interrupted_trial_goes_on_where_it_was_opened_anew(open_optuna: Open) -> None:
    store = open_optuna()
    trial = store.create(spec())
    store.report(trial, CURVE[0])
    again = open_optuna()
    again.report(trial, CURVE[1])
    again.end(trial, Finished(0.5), CURVE, 2.0)
    assert open_optuna().trials() == (Trial(trial, spec(), CURVE, Finished(0.5), 2.0),)


def test_a_new_store_has_no_proposed_starts(store: Store) -> None:
    assert dict(store.proposed_starts()) == {}


PROPOSED = {
    "a range test": RANGE_TEST,
    "a range test that suggests nothing": replace(RANGE_TEST, suggested=None),
    "a scaled start": SCALED_START,
    "a scaled start without an argument": ScaledStart(Scaling("../chosen.yaml", "same"), "sgd", 0.1 + 0.2),
}


@pytest.mark.parametrize("proposed", PROPOSED.values(), ids=PROPOSED)
def test_what_proposed_a_start_is_as_it_was_kept(store: Store, proposed: ProposedStart) -> None:
    store.keep_proposed_start(SGD, proposed)
    assert dict(store.proposed_starts()) == {SGD: (proposed,)}


def test_the_newest_of_each_kind_is_kept(store: Store) -> None:
    newer = replace(SCALED_START, lr=0.3)
    for proposed in (SCALED_START, RANGE_TEST, newer):
        store.keep_proposed_start(SGD, proposed)
    assert {*store.proposed_starts()[SGD]} == {RANGE_TEST, newer}


@pytest.mark.parametrize("proposed", [RANGE_TEST, SCALED_START], ids=["range test", "scaled start"])
def test_proposed_starts_are_there_when_the_store_is_opened_anew(
    open_optuna: Open, proposed: ProposedStart
) -> None:
    open_optuna().keep_proposed_start(ADAM, proposed)
    assert dict(open_optuna().proposed_starts()) == {ADAM: (proposed,)}


def test_a_new_store_remembers_nothing(store: Store) -> None:
    assert store.remembered("packings") is None


def test_the_newest_that_was_remembered_is_given_back(store: Store) -> None:
    store.remember("packings", {"a device": {"size": 3, "ways": ["stacked"]}})
    store.remember("packings", {"a device": {"size": 9, "ways": []}})
    store.remember("another", [1])
    assert store.remembered("packings") == {"a device": {"size": 9, "ways": []}}


def test_what_was_remembered_is_there_when_the_store_is_opened_anew(open_optuna: Open) -> None:
    open_optuna().remember("packings", {"a device": 1})
    assert open_optuna().remembered("packings") == {"a device": 1}


def test_a_closed_store_may_be_closed_again(store: Store) -> None:
    store.close()
    store.close()
