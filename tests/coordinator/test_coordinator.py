"""The coordinator: which trainings it hands out and when, with trainings that are a formula."""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lrsearch.coordinator import Concluded, Coordinator, Ended, Evaluated, Event, Noted, Started
from lrsearch.errors import TrainingError
from lrsearch.searches import in_order, needed_by, survey
from lrsearch.store.memory import MemoryStore
from lrsearch.strategies import AtLimit, Bracketed, NoneLearned
from lrsearch.task import Task, parse_task
from lrsearch.trial import Diverged, Evaluation, Failed, Finished, Outcome, SearchId, Trial

HEAD = """
name: formulas
workload: none.py:none
budget: {iterations: 100, evaluate_every: 50}
seeds: 2
optimizers:
"""
ONE = "  sgd: {lr: {start: 0.01}}\n"
NO_RETRY = "resources: {max_failures: 0}\n"
SHARED = """
  late: {base: sgd, cprop: {c: {start: 1}, beta: 0.99}, lr: {of: half}}
  half: {base: sgd, lr: {of: sgd, times: 0.5}}
  sgd: {lr: {start: 0.01}}
  adam: {lr: {start: 0.001}}
"""
SGD, ADAM, LATE = SearchId("sgd", "lr"), SearchId("adam", "lr"), SearchId("late", "cprop.c")

Formula = Callable[[Trial], Outcome]


def task_of(entries: str, **changes: str) -> Task:
    text = HEAD + entries
    for before, after in changes.items():
        text = text.replace(f"{before}: ", f"{before}: {after} #", 1)
    return parse_task(text, Path("/nowhere/task.yaml"))


def valley(best: float) -> Formula:
    """A loss that is least at a value, a little worse for each seed; all else equal."""

    def formula(trial: Trial) -> Outcome:
        value = trial.spec.hyperparameters[trial.spec.search.hyperparameter]
        return Finished(0.1 + 0.1 * abs(math.log10(value / best)) + 0.001 * trial.spec.seed)

    return formula


def one_by_one(message: str) -> Formula:
    """A failure that is another each time."""
    return lambda trial: Failed(f"{message} for {trial.id}")


def by_entry(**formulas: Formula) -> Formula:
    return lambda trial: formulas[trial.spec.search.entry](trial)


@dataclass
class Workers:
    """Trains by a formula, several at once; who is ready first is drawn."""

    coordinator: Coordinator
    formula: Formula
    workers: int = 3
    order: random.Random = field(default_factory=lambda: random.Random(0))
    running: list[Trial] = field(default_factory=list)
    handed_out: list[Trial] = field(default_factory=list)

    def fill(self) -> None:
        while len(self.running) < self.workers and (trial := self.coordinator.ask()) is not None:
            self.running.append(trial)
            self.handed_out.append(trial)

    def end_one(self) -> Trial:
        trial = self.running.pop(self.order.randrange(len(self.running)))
        outcome = self.formula(trial)
        start = Evaluation(0, 2.3)
        self.coordinator.report(trial.id, start)
        curve = (start, Evaluation(100, outcome.value)) if isinstance(outcome, Finished) else (start,)
        self.coordinator.tell(trial.id, outcome, curve, 1.0)
        return trial

    def go(self, until: int | None = None) -> "Workers":
        """Train until there is no more, or until so many have ended."""
        ended = 0
        while True:
            self.fill()
            if not self.running or ended == until:
                return self
            self.end_one()
            ended += 1


def run(task: Task, formula: Formula, store: MemoryStore | None = None, workers: int = 3) -> Workers:
    return Workers(Coordinator(task, store or MemoryStore()), formula, workers).go()


def chosen(coordinator: Coordinator) -> dict[str, float | None]:
    return {str(s.search): s.verdict.chosen for s in coordinator.states if s.verdict is not None}


def rates(workers: Workers, entry: str, name: str = "lr") -> list[float]:
    return sorted({t.spec.hyperparameters[name] for t in workers.handed_out if t.spec.search.entry == entry})


# -- one search --------------------------------------------------------------------------------------------------------


def test_a_search_walks_to_its_valley() -> None:
    done = run(task_of(ONE), valley(0.3))
    assert chosen(done.coordinator) == {"sgd/lr": 0.3}
    assert rates(done, "sgd") == [0.01, 0.03, 0.1, 0.3, 1.0]
    assert done.coordinator.done()
    assert done.coordinator.ask() is None


def test_a_trial_is_on_record_before_it_is_handed_out() -> None:
    store = MemoryStore()
    trial = Coordinator(task_of(ONE), store).ask()
    assert trial is not None
    assert [t.id for t in store.trials()] == [trial.id]


def test_nothing_is_handed_out_twice() -> None:
    done = run(task_of(SHARED), by_entry(sgd=valley(0.1), adam=valley(0.01), late=valley(9)))
    keys = Counter((t.spec.search, t.spec.rung, t.spec.seed) for t in done.handed_out)
    assert set(keys.values()) == {1}


def test_every_event_is_told_after_it_is_on_record() -> None:
    store = MemoryStore()
    events: list[Event] = []

    def observe(event: Event) -> None:
        events.append(event)
        if isinstance(event, Started):
            assert event.trial.id in {t.id for t in store.trials()}
        if isinstance(event, Evaluated):
            assert event.evaluation in next(t for t in store.trials() if t.id == event.trial.id).curve
        if isinstance(event, Ended):
            assert event.trial in store.trials()

    done = Workers(Coordinator(task_of(ONE), store, observer=observe), valley(0.03)).go()
    n = len(done.handed_out)
    assert Counter(type(event) for event in events) == {Started: n, Evaluated: n, Ended: n, Concluded: 1}
    assert isinstance(events[-1], Concluded)


@pytest.mark.parametrize("seed", range(10))
def test_workers_and_their_order_change_nothing(seed: int) -> None:
    formula = by_entry(sgd=valley(0.3), adam=valley(1e-4), late=valley(3))
    one = run(task_of(SHARED), formula, workers=1)
    many = Workers(
        Coordinator(task_of(SHARED), MemoryStore()), formula, workers=5, order=random.Random(seed)
    ).go()
    assert chosen(many.coordinator) == chosen(one.coordinator)
    assert rates(many, "late", "cprop.c") == rates(one, "late", "cprop.c")


# -- searches that share values ----------------------------------------------------------------------------------------


def test_searches_come_after_those_that_they_wait_for() -> None:
    assert in_order(task_of(SHARED)) == [SGD, LATE, ADAM]


def test_a_search_waits_for_the_value_that_it_shares_and_takes_it_with_its_factor() -> None:
    done = run(task_of(SHARED), by_entry(sgd=valley(0.3), adam=valley(0.01), late=valley(9)))
    late = [t for t in done.handed_out if t.spec.search == LATE]
    assert {t.spec.hyperparameters["lr"] for t in late} == {0.15}
    assert {t.spec.hyperparameters["cprop.beta"] for t in late} == {0.99}
    last_of_sgd = max(i for i, t in enumerate(done.handed_out) if t.spec.search == SGD)
    assert done.handed_out.index(late[0]) > last_of_sgd
    assert chosen(done.coordinator) == {"sgd/lr": 0.3, "late/cprop.c": 9.0, "adam/lr": 0.01}


def test_a_factor_is_taken_in_decimals() -> None:
    task = task_of(SHARED.replace("times: 0.5", "times: 0.125"))
    done = run(task, by_entry(sgd=valley(0.3), adam=valley(0.01), late=valley(9)))
    assert rates(done, "late") == [0.0375]


def test_searches_without_a_dependency_run_at_the_same_time_and_keep_step() -> None:
    coordinator = Coordinator(task_of(SHARED), MemoryStore())
    first = [coordinator.ask() for _ in range(8)]
    assert coordinator.ask() is None
    entries = [t.spec.search.entry for t in first if t is not None]
    assert entries == ["sgd", "adam"] * 4


def test_a_search_whose_shared_value_was_not_found_is_never_begun() -> None:
    formula = by_entry(sgd=lambda trial: Diverged(50), adam=valley(0.01))
    done = run(task_of(SHARED + "search: {limits: {lr: [1e-3, 0.1]}}\n"), formula)
    assert done.coordinator.done()
    endings = {s.search: s.verdict.ending if s.verdict else None for s in done.coordinator.states}
    assert endings[SGD] == NoneLearned()
    assert endings[LATE] is None
    assert not [t for t in done.handed_out if t.spec.search == LATE]


def test_two_searches_of_an_entry_run_one_after_the_other() -> None:
    entries = "  sgd: {lr: {start: 0.01}, momentum: {start: 0.9}}\n"
    lr, momentum = SearchId("sgd", "lr"), SearchId("sgd", "momentum")

    def formula(trial: Trial) -> Outcome:
        values = trial.spec.hyperparameters
        loss = abs(math.log10(values["lr"] / 0.1)) + abs(math.log10((1 - values["momentum"]) / 0.03))
        return Finished(0.1 + 0.1 * loss)

    done = run(task_of(entries), formula)
    assert chosen(done.coordinator) == {"sgd/lr": 0.1, "sgd/momentum": 0.97}
    first = [t for t in done.handed_out if t.spec.search == lr]
    second = [t for t in done.handed_out if t.spec.search == momentum]
    assert done.handed_out == first + second
    assert {t.spec.hyperparameters["momentum"] for t in first} == {0.9}, "the second stands at its start"
    assert {t.spec.hyperparameters["lr"] for t in second} == {0.1}, "the first stands at its choice"


# -- only some entries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "searched"),
    [
        ({"adam"}, [ADAM]),
        ({"sgd"}, [SGD]),
        ({"half"}, [SGD]),
        ({"late"}, [SGD, LATE]),
        ({"late", "adam"}, [SGD, LATE, ADAM]),
    ],
)
def test_only_some_entries_bring_those_whose_values_they_need(
    only: set[str], searched: list[SearchId]
) -> None:
    task = task_of(SHARED)
    assert needed_by(task, only) == searched
    coordinator = Coordinator(task, MemoryStore(), only=frozenset(only))
    formula = by_entry(sgd=valley(0.3), adam=valley(0.01), late=valley(9))
    done = Workers(coordinator, formula).go()
    assert {t.spec.search for t in done.handed_out} == set(searched)
    assert [state.search for state in coordinator.states] == searched


# -- resumption: state is a function of history ------------------------------------------------------------------------

FORMULA = by_entry(sgd=valley(0.3), adam=valley(0.01), late=valley(9))


@pytest.mark.parametrize("ended", range(0, 40, 3))
def test_a_run_that_stopped_anywhere_goes_on_to_the_same_end_without_repeating(ended: int) -> None:
    task = task_of(SHARED)
    straight = run(task, FORMULA)
    store = MemoryStore()
    before = Workers(Coordinator(task, store), FORMULA).go(until=ended)
    kept = {t.id for t in store.trials() if t.ended}
    after = run(task, FORMULA, store)
    assert chosen(after.coordinator) == chosen(straight.coordinator)
    assert not kept & {t.id for t in after.handed_out}, "what had ended was trained again"
    assert {t.id for t in before.running} <= {t.id for t in after.handed_out}, (
        "interrupted ones keep their id"
    )
    assert len(store.trials()) == len(straight.handed_out)


def test_an_interrupted_trial_comes_with_its_curve_so_far() -> None:
    store = MemoryStore()
    first = Coordinator(task_of(ONE), store)
    trial = first.ask()
    assert trial is not None
    first.report(trial.id, Evaluation(0, 2.3))
    again = Coordinator(task_of(ONE), store).ask()
    assert again is not None
    assert (again.id, again.curve) == (trial.id, (Evaluation(0, 2.3),))


def test_evaluations_of_a_stretch_that_is_trained_again_replace_the_old() -> None:
    store = MemoryStore()
    first = Coordinator(task_of(ONE), store)
    trial = first.ask()
    assert trial is not None
    for evaluation in (Evaluation(0, 2.3), Evaluation(50, 1.0)):
        first.report(trial.id, evaluation)
    second = Coordinator(task_of(ONE), store)
    assert second.ask() is not None
    second.report(trial.id, Evaluation(0, 2.3))
    assert second.running[0].curve == (Evaluation(0, 2.3),)


def test_what_failed_in_an_earlier_run_is_trained_anew() -> None:
    store = MemoryStore()
    failing = run(task_of(ONE + NO_RETRY), one_by_one("no room"), store)
    assert len(failing.coordinator.states[0].failures) == len(failing.handed_out)
    again = run(task_of(ONE), valley(0.03), store)
    assert chosen(again.coordinator) == {"sgd/lr": 0.03}
    assert not {t.id for t in failing.handed_out} & {t.id for t in again.handed_out}
    assert all(not isinstance(t.outcome, Failed) for t in again.coordinator.trials)


def test_a_search_with_a_failure_hands_out_no_more_while_others_go_on() -> None:
    def formula(trial: Trial) -> Outcome:
        return Failed("no room") if trial.spec.search == SGD else valley(0.01)(trial)

    done = run(task_of(SHARED + NO_RETRY), formula, workers=1)
    assert len([t for t in done.handed_out if t.spec.search == SGD]) == 1
    assert chosen(done.coordinator) == {"adam/lr": 0.01}
    assert done.coordinator.done()


def test_trials_at_values_that_are_no_longer_shared_do_not_count() -> None:
    store = MemoryStore()
    task = task_of(SHARED)
    run(task, FORMULA, store)
    # More seeds turn SGD's choice from 0.3 to 1: the search that shares it begins again at 0.5.
    more = task_of(SHARED, seeds="4")

    def changed(trial: Trial) -> Outcome:
        if trial.spec.search == SGD and trial.spec.seed >= 2:
            return Finished(0.1 + abs(math.log10(trial.spec.hyperparameters["lr"])))
        return FORMULA(trial)

    done = run(more, changed, store)
    assert chosen(done.coordinator)["sgd/lr"] == 1.0
    (late,) = (state for state in done.coordinator.states if state.search == LATE)
    assert {t.spec.hyperparameters["lr"] for t in late.trials} == {0.5}
    assert {t.spec.hyperparameters["lr"] for t in store.trials() if t.spec.search == LATE} == {0.15, 0.5}
    assert survey(more, done.coordinator.trials)[LATE] == late, "a look from outside sees the same"


def test_wider_limits_and_more_seeds_train_what_is_missing_alone() -> None:
    store = MemoryStore()
    narrow = task_of(ONE + "search: {limits: {lr: [0.01, 0.1]}}\n")
    first = run(narrow, valley(0.3), store)
    assert first.coordinator.states[0].verdict is not None
    assert isinstance(first.coordinator.states[0].verdict.ending, AtLimit)
    wide = run(task_of(ONE, seeds="3"), valley(0.3), store)
    assert wide.coordinator.states[0].verdict is not None
    assert isinstance(wide.coordinator.states[0].verdict.ending, Bracketed)
    assert {t.spec.seed for t in wide.handed_out if t.spec.rung <= -2} == {2}


# -- workers that die --------------------------------------------------------------------------------------------------


def test_a_lost_trial_is_handed_out_again_under_its_id_with_its_curve() -> None:
    coordinator = Coordinator(task_of(ONE), MemoryStore())
    trial = coordinator.ask()
    assert trial is not None
    coordinator.report(trial.id, Evaluation(0, 2.3))
    coordinator.lost(trial.id, "killed")
    assert coordinator.running == ()
    assert not coordinator.done()
    again = coordinator.ask()
    assert again is not None
    assert (again.id, again.spec, again.curve) == (trial.id, trial.spec, (Evaluation(0, 2.3),))


@pytest.mark.parametrize("most", [0, 2])
def test_a_trial_that_is_lost_too_often_has_failed_with_its_traceback(most: int) -> None:
    store = MemoryStore()
    coordinator = Coordinator(task_of(ONE + f"resources: {{max_failures: {most}}}\n"), store)
    for _ in range(most + 1):
        trial = coordinator.ask()
        assert trial is not None
        coordinator.lost(trial.id, "no memory left\nTraceback: here")
    (found,) = store.trials()
    times = f" ({most + 1} times)" if most else ""
    assert found.outcome == Failed(f"no memory left{times}\nTraceback: here")
    assert coordinator.ask() is None
    assert coordinator.done()


def test_a_candidate_of_which_one_failed_is_undecided_however_good_the_others_are() -> None:
    def formula(trial: Trial) -> Outcome:
        if trial.spec.rung == -3 and trial.spec.seed == 1:  # 0.003, the best if it counted
            return Failed("no room")
        return valley(0.003)(trial)

    done = run(task_of(ONE + NO_RETRY), formula)
    (state,) = done.coordinator.states
    assert state.verdict is None
    assert [trial.spec.seed for trial in state.failures] == [1]


# -- trainings that fail -----------------------------------------------------------------------------------------------

TRACEBACK = """\
task.py:3 raised ValueError: {}
Traceback (most recent call last):
  File "task.py", line {}, in train
ValueError: {}"""


def raised(message: str = "bad", line: int = 3) -> Failed:
    return Failed(TRACEBACK.format(message, line, message))


def failed(coordinator: Coordinator, outcome: Failed) -> tuple[Trial, bool]:
    trial = coordinator.ask()
    assert trial is not None
    return trial, coordinator.tell(trial.id, outcome, (), 1.0)


def test_one_that_raised_once_is_tried_again_under_its_id_and_said() -> None:
    events: list[Event] = []
    coordinator = Coordinator(task_of(ONE), MemoryStore(), observer=events.append)
    trial, ended = failed(coordinator, raised())
    assert not ended, "it keeps its checkpoint"
    assert (
        Noted("sgd/lr at 0.01, seed 0: task.py:3 raised ValueError: bad; tried again, 1 of 3 times") in events
    )
    again = coordinator.ask()
    assert again is not None
    assert again.id == trial.id


def test_one_that_raises_the_same_again_ends_the_run() -> None:
    store = MemoryStore()
    coordinator = Coordinator(task_of(ONE), store)
    failed(coordinator, raised("of 0x7f01"))
    with pytest.raises(
        TrainingError, match=r"sgd/lr at 0.01, seed 0, failed in the same way when it was tried again: "
    ):
        failed(coordinator, raised("of 0x7f02"))
    assert [type(trial.outcome) for trial in store.trials()] == [Failed], "it is on record with its traceback"


def test_another_replica_that_raises_the_same_ends_the_run() -> None:
    coordinator = Coordinator(task_of(ONE), MemoryStore())
    one, other = coordinator.ask(), coordinator.ask()
    assert one is not None
    assert other is not None
    coordinator.tell(one.id, raised(), (), 1.0)
    with pytest.raises(TrainingError, match="as another before it") as caught:
        coordinator.tell(other.id, raised(), (), 1.0)
    assert 'File "task.py", line 3, in train' in caught.value.traceback


def test_errors_that_differ_are_tried_again_and_then_a_failure() -> None:
    store = MemoryStore()
    coordinator = Coordinator(task_of(ONE), store)
    told = [failed(coordinator, raised(line=line))[1] for line in (3, 4, 5, 6)]
    assert told == [False, False, False, True]
    (found,) = store.trials()
    assert isinstance(found.outcome, Failed)
    assert found.outcome.error.startswith("task.py:3 raised ValueError: bad (4 times)\n")


def test_the_same_is_noted_once() -> None:
    events: list[Event] = []
    coordinator = Coordinator(task_of(ONE), MemoryStore(), observer=events.append)
    for _ in range(2):
        coordinator.note("the disk is full")
    assert events == [Noted("the disk is full")]
