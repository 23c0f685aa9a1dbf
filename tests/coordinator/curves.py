"""Searches over made-up curves with the real coordinator and store, by one worker or several."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrsearch.coordinator import Coordinator, Event, Noted
from lrsearch.searches import SearchState
from lrsearch.store.memory import MemoryStore
from lrsearch.task import Task, parse_task
from lrsearch.trial import Diverged, Evaluation, Finished, Trial

Curves = Callable[[float, int], Sequence[float]]
"""The metric of a rate and a seed, before training and then at each evaluation; NaN from where it diverged."""
EVERY = 50
EVALUATIONS = 20


def task_of(start: float, search: str = "{}", metric: str = "{}", seeds: str = "3", entry: str = "") -> Task:
    text = f"""
name: curves
workload: none.py:none
budget: {{iterations: {EVERY * EVALUATIONS}, evaluate_every: {EVERY}}}
seeds: {seeds}
metric: {metric}
search: {search}
optimizers:
  sgd: {entry or f"{{lr: {{start: {start!r}}}}}"}
"""
    return parse_task(text, Path("/nowhere/task.yaml"))


@dataclass(frozen=True)
class Searched:
    """Where a search ended, and what was trained and noted on the way."""

    task: Task
    state: SearchState
    trials: tuple[Trial, ...]
    notes: tuple[str, ...]

    @property
    def chosen(self) -> float | None:
        assert self.state.verdict is not None
        return self.state.verdict.chosen

    @property
    def rates(self) -> list[float]:
        """The rates that were trained, as often as they were, lowest first."""
        return sorted(trial.spec.hyperparameters["lr"] for trial in self.trials)


def searched(
    task: Task,
    curves: Curves,
    workers: int = 1,
    store: MemoryStore | None = None,
    of: str = "lr",
    order: random.Random | None = None,
    killed: float = 0.0,
) -> Searched:
    """Search to the end, evaluation by evaluation, several trainings by turns.

    With an ``order`` the one that is evaluated next is drawn, each as fast as it happens; then ``killed`` is how often
    the run is killed after an evaluation, and begun again.
    """
    notes: list[str] = []
    store = store or MemoryStore()

    def observe(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.line)

    coordinator = Coordinator(task, store, observer=observe)
    running: list[Trial] = []
    at: dict[str, int] = {}
    for _ in range(100_000):
        while len(running) < workers and (trial := coordinator.ask()) is not None:
            running.append(trial)
            at[trial.id] = len(trial.curve)
        if not running:
            (state,) = coordinator.states
            return Searched(task, state, coordinator.trials, tuple(notes))
        turns = running if order is None else [order.choice(running)]
        ended = {trial.id for trial in turns if not _goes_on(coordinator, task, trial, curves, at, of)}
        running = [trial for trial in running if trial.id not in ended]
        if order is not None and order.random() < killed:
            coordinator, running = Coordinator(task, store, observer=observe), []
    raise AssertionError("the search does not end")


def _goes_on(
    coordinator: Coordinator, task: Task, trial: Trial, curves: Curves, at: dict[str, int], of: str
) -> bool:
    rate = trial.spec.hyperparameters[of]
    values, step = curves(rate, trial.spec.seed), at[trial.id]
    curve = tuple(Evaluation(EVERY * i, value) for i, value in enumerate(values[: step + 1]))
    at[trial.id] += 1
    if not math.isfinite(values[step]):
        coordinator.tell(trial.id, Diverged(EVERY * step), curve[:-1], 0.0)
        return False
    if not coordinator.report(trial.id, curve[-1]):
        return False
    if step < EVALUATIONS:
        return True
    deciding = task.metric.deciding(curve)
    value = math.fsum(evaluation.value for evaluation in deciding) / len(deciding)
    coordinator.tell(trial.id, Finished(value), curve, 0.0)
    return False


def falling(first: float, last: float) -> list[float]:
    """A training that goes the better part of its way early, as trainings do."""
    way = [first + (last - first) * (1 - math.exp(-5 * i / EVALUATIONS)) for i in range(EVALUATIONS)]
    return [first, *way[1:], last]


def crawls(first: float, last: float) -> list[float]:
    """A training that is too slow for its budget: it has hardly begun."""
    return [first + (last - first) * i / EVALUATIONS for i in range(EVALUATIONS + 1)]


def dies(first: float, level: float) -> list[float]:
    """A training that is killed at once, and stays finite."""
    return [first, *([level] * EVALUATIONS)]


def diverges(first: float, at: int = 1) -> list[float]:
    """A training that is not finite from an evaluation on."""
    return [first] * at + [math.nan] * (EVALUATIONS + 1 - at)
