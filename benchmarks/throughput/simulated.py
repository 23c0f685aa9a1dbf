"""A search of very many replicas without any training: what the coordinator and its store take by themselves.

Entries beside each other, many seeds a candidate: a valley a rung wide for each entry, whose lowest point lies a few
rungs from where it starts, so that every search trains six candidates. What a replica reports is a function of its
entry, rung and seed.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrsearch.task.file import parse_task
from lrsearch.task.model import Task
from lrsearch.trial import Evaluation, Finished, Outcome, Trial

EVALUATE_EVERY, ITERATIONS = 100, 200
CANDIDATES = 6
"""What each search of ``task_of`` trains: its optimum lies three rungs below its start."""
_START, _BEST = 0.1, -5


def task_of(entries: int, seeds: int, **settings: Any) -> Task:
    """Make a task of ``entries`` x 6 candidates x ``seeds`` replicas."""
    search = "".join(f", {name}: {value}" for name, value in settings.items())
    text = f"""
name: simulated
workload: nothing.py:nothing
budget: {{iterations: {ITERATIONS}, evaluate_every: {EVALUATE_EVERY}}}
seeds: {seeds}
metric: {{name: loss}}
search: {{limits: {{lr: [1e-8, 1e3]}}{search}}}
optimizers:
""" + "".join(f"  sgd_{i}: {{base: sgd, lr: {{start: {_START}}}}}\n" for i in range(entries))
    return parse_task(text, Path("/simulated/task.yaml"))


def curve_of(trial: Trial) -> tuple[Evaluation, ...]:
    """Give what a replica reports: a parabola over the rungs, with noise that is its own."""
    rung, seed = trial.spec.rung, trial.spec.seed
    noise = 1e-3 * math.sin(12.9898 * seed + 78.233 * rung)
    value = 0.3 + 0.1 * (rung - _BEST) ** 2 + noise
    return tuple(
        Evaluation(i, 9.0 if i == 0 else value * (1 + (ITERATIONS - i) / ITERATIONS))
        for i in range(0, ITERATIONS + 1, EVALUATE_EVERY)
    )


@dataclass
class Spent:
    """Seconds of each call of a kind, in the order in which they came."""

    calls: dict[str, list[float]] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    """Seconds of the processor by kind: what other programs take meanwhile is not in them."""

    def call(self, kind: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function and note what it takes."""
        began, computed = time.perf_counter(), time.thread_time()
        result = function(*arguments)
        self.processor[kind] = self.processor.get(kind, 0.0) + time.thread_time() - computed
        self.calls.setdefault(kind, []).append(time.perf_counter() - began)
        return result


class SimulatedEngine:
    """Answers for ``workers`` at once, in turns: each running replica gives one evaluation a turn."""

    def __init__(self, workers: int, spent: Spent) -> None:
        self.workers = workers
        self._spent = spent

    def run(self, task: Task, dispatcher: Any) -> None:
        """Answer what the dispatcher asks for until it is done."""
        running: list[tuple[Trial, Iterator[Evaluation]]] = []
        while True:
            while len(running) < self.workers:
                trial = self._spent.call("ask", dispatcher.ask)
                if trial is None:
                    break
                running.append((trial, iter(curve_of(trial))))
            if not running:
                return
            running = [one for one in running if self._turn(dispatcher, *one)]

    def _turn(self, dispatcher: Any, trial: Trial, left: Iterator[Evaluation]) -> bool:
        evaluation = next(left)
        if not self._spent.call("report", dispatcher.report, trial.id, evaluation, 1.0):
            return False
        if evaluation.iteration < ITERATIONS:
            return True
        outcome: Outcome = Finished(evaluation.value)
        self._spent.call("tell", dispatcher.tell, trial.id, outcome, curve_of(trial), 1.0)
        return False
