"""The replay engine against what it is to say, and the default search against the paper's procedure."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsearch.coordinator import Coordinator
from lrsearch.store.memory import MemoryStore
from lrsearch.trial import Diverged, Finished, Stopped

Load = Callable[[str], ModuleType]
ORDER = tuple(range(20))


@pytest.fixture(scope="session")
def recorded(load: Load) -> dict[str, Any]:
    return {recording.name: recording for recording in load("replay").recordings()}


def trials_of(load: Load, recording: Any, start: int, workers: int = 1, **settings: str) -> list[Any]:
    replay = load("replay")
    task = replay.task_for(recording, start, **settings)
    coordinator = Coordinator(task, MemoryStore())
    replay.ReplayEngine(recording, ORDER, workers).run(task, coordinator)
    return list(coordinator.trials)


def test_replicas_end_as_they_were_recorded(load: Load, recorded: dict[str, Any]) -> None:
    recording = recorded["noisy_quadratic sgd"]
    ends = {(t.spec.rung, t.spec.seed): t.outcome for t in trials_of(load, recording, 0)}
    assert ends[1, 0] == Diverged(int(recording.diverged_at[recording.index(1), 0]))
    assert ends[-2, 2] == Finished(recording.values[recording.index(-2), 2, -1])


def test_every_evaluation_is_reported(load: Load, recorded: dict[str, Any]) -> None:
    recording = recorded["noisy_quadratic sgd"]
    trial = next(t for t in trials_of(load, recording, -2) if t.spec.rung == -2)
    assert [e.iteration for e in trial.curve] == recording.iterations.tolist()


def test_a_stop_takes_effect_at_its_evaluation(load: Load, recorded: dict[str, Any]) -> None:
    recording = recorded["noisy_quadratic sgd"]
    stopped = [
        t for t in trials_of(load, recording, -2, search="race: true") if isinstance(t.outcome, Stopped)
    ]
    assert stopped
    assert all(f"at iteration {t.curve[-1].iteration} over" in t.outcome.reason for t in stopped)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_more_workers_choose_the_same_in_less_time(
    load: Load, recorded: dict[str, Any], workers: int
) -> None:
    replay = load("replay")
    recording = recorded["digits_mlp sgd"]
    task = replay.task_for(recording, -3)
    one, several = (replay.replay(recording, task, ORDER, n) for n in (1, workers))
    assert several.rung == one.rung
    assert several.ticks <= one.ticks
    assert several.iterations <= workers * several.ticks * int(recording.iterations[1])


@pytest.mark.parametrize("more", [{}, {"metric": "lower_bound: 0"}], ids=["default", "lower_bound"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_choice_is_the_papers_or_a_better_one_below_a_rung_that_was_too_bold(
    load: Load, data: st.DataObject, more: dict[str, str]
) -> None:
    ours, replay = load("ours"), load("replay")
    recording = data.draw(st.sampled_from(replay.recordings()), label="recording")
    start = recording.best + data.draw(st.integers(-4, 4), label="rungs from the best")
    order = tuple(data.draw(st.permutations(range(recording.seeds)), label="seeds"))
    reference = ours.paper(recording, start, order)
    found = replay.replay(recording, replay.task_for(recording, start, **more), order)
    if found.rung != reference.rung:
        assert found.rung < reference.rung
        assert recording.regret(found.rung) < recording.regret(reference.rung)


def test_the_truth_of_a_known_problem_is_its_expectation(recorded: dict[str, Any]) -> None:
    recording = recorded["noisy_quadratic sgd"]
    assert recording.regret(recording.best) == 0
    assert recording.truth.min() == recording.expected.min()


def test_no_choice_gains_nothing(recorded: dict[str, Any]) -> None:
    recording = recorded["digits_mlp sgd"]
    initial = recording.values[..., 0].mean()
    assert recording.regret(None) == pytest.approx(initial / recording.truth.min() - 1)


def test_seeds_are_trained_once_each(load: Load, recorded: dict[str, Any]) -> None:
    recording = recorded["digits_mlp adam"]
    trained = [(t.spec.rung, t.spec.seed) for t in trials_of(load, recording, -5)]
    assert len(trained) == len(set(trained))
    assert np.all([seed < 3 for _, seed in trained])


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_race_ends_and_its_choice_has_all_its_seeds(load: Load, data: st.DataObject) -> None:
    replay = load("replay")
    recording = data.draw(st.sampled_from(replay.recordings()), label="recording")
    start = recording.best + data.draw(st.integers(-4, 4), label="rungs from the best")
    order = tuple(data.draw(st.permutations(range(recording.seeds)), label="seeds"))
    workers = data.draw(st.integers(1, 6), label="workers")
    task = replay.task_for(recording, start, search="race: true")
    coordinator = Coordinator(task, MemoryStore())
    replay.ReplayEngine(recording, order, workers).run(task, coordinator)
    (state,) = coordinator.states
    rung = replay.chosen_rung(state)
    finished = {
        t.spec.seed for t in coordinator.trials if t.spec.rung == rung and t.iterations == recording.budget
    }
    assert finished == {0, 1, 2}


def test_a_first_guess_that_the_walk_left_behind_is_not_waited_for(
    load: Load, recorded: dict[str, Any]
) -> None:
    """The rung above the start neither wins nor falls so far behind that it is out."""
    replay = load("replay")
    recording = recorded["digits_mlp sgd"]
    task = replay.task_for(recording, -3, search="race: true")
    assert replay.replay(recording, task, (1, 10, 18)).rung == 0
