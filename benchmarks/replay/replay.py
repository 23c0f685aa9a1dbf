"""The third engine: answers the coordinator from a recorded table, in virtual time, without training anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lrsearch.coordinator import Coordinator
from lrsearch.ladder import LR
from lrsearch.ports import Dispatcher
from lrsearch.searches import SearchState
from lrsearch.store.memory import MemoryStore
from lrsearch.strategies import Done
from lrsearch.task.file import parse_task
from lrsearch.task.model import Task
from lrsearch.trial import Curve, Diverged, Evaluation, Finished, Outcome, Trial

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True, eq=False)
class Recording:
    """One optimizer of a table: every rung of its ladder, trained with every recorded seed.

    Attributes:
        table, optimizer: what it is of.
        rungs: [r] rungs of the ``lr`` ladder, lowest first.
        iterations: [e] after how many iterations each evaluation was.
        values: [r, s, e] the metric; NaN from divergence on.
        diverged_at: [r, s] the iteration at which divergence was noticed, or NaN.
        range_lrs: [t] the range test's learning rates.
        range_losses: [s, t] its losses, NaN after its stop.
        expected: [r] the exact expectation of the last value, where it is known.
    """

    table: str
    optimizer: str
    rungs: np.ndarray
    iterations: np.ndarray
    values: np.ndarray
    diverged_at: np.ndarray
    range_lrs: np.ndarray
    range_losses: np.ndarray
    expected: np.ndarray | None

    @property
    def name(self) -> str:
        """Table and optimizer."""
        return f"{self.table} {self.optimizer}"

    @property
    def seeds(self) -> int:
        """How many seeds were recorded."""
        return self.values.shape[1]

    @property
    def budget(self) -> int:
        """Iterations of a whole training."""
        return int(self.iterations[-1])

    @cached_property
    def truth(self) -> np.ndarray:
        """What each rung is worth [r]: its exact expectation, or its mean over all recorded seeds.

        A training that diverged counts as one that stayed where it began.
        """
        ends = np.where(np.isnan(self.diverged_at), self.values[..., -1], self.values[..., 0])
        means = ends.mean(axis=1)
        if self.expected is None:
            return means
        return np.where(np.isfinite(self.expected), self.expected, means)

    @property
    def best(self) -> int:
        """The rung that is truly best."""
        return int(self.rungs[self.truth.argmin()])

    def regret(self, rung: int | None) -> float:
        """How much worse than the best a rung truly is, as a fraction; None is no choice: nothing was gained."""
        initial = float(self.values[..., 0].mean())
        value = initial if rung is None else float(self.truth[self.index(rung)])
        return value / float(self.truth.min()) - 1

    def index(self, rung: int) -> int:
        """The place of a rung in the arrays."""
        return rung - int(self.rungs[0])

    @cached_property
    def curves(self) -> list[list[Curve]]:
        """The evaluations of each rung and seed, as an engine reports them."""
        return [
            [
                tuple(
                    Evaluation(int(iteration), float(value))
                    for iteration, value in zip(self.iterations, row, strict=True)
                    if np.isfinite(value)
                )
                for row in rung
            ]
            for rung in self.values
        ]

    def outcome(self, rung: int, seed: int) -> Outcome:
        """How a training ended."""
        diverged_at = self.diverged_at[self.index(rung), seed]
        if np.isnan(diverged_at):
            return Finished(self.curves[self.index(rung)][seed][-1].value)
        return Diverged(int(diverged_at))


def recordings(tables: Path = TABLES) -> list[Recording]:
    """Read all tables of a folder."""
    found = []
    for path in sorted(tables.glob("*.npz")):
        table: dict[str, Any] = dict(np.load(path))
        for o, optimizer in enumerate(table["optimizers"]):
            lrs = table["range_test_lr"][o]
            found.append(
                Recording(
                    table=path.stem,
                    optimizer=str(optimizer),
                    rungs=table["rungs"][o],
                    iterations=table["iterations"],
                    values=table["train_loss"][o].astype(float),
                    diverged_at=table["diverged_at"][o],
                    range_lrs=lrs[np.isfinite(lrs).sum(axis=1).argmax()],
                    range_losses=table["range_test_loss"][o].astype(float),
                    expected=table["expected_loss"][o].astype(float) if "expected_loss" in table else None,
                )
            )
    return found


class ReplayEngine:
    """Runs replicas on simulated workers: in one tick each of them trains from one evaluation to the next.

    Args:
        recording: what is answered from.
        order: which recorded seed stands for the search's seeds 0, 1, 2, …
        workers: how many replicas train at the same time.
    """

    def __init__(self, recording: Recording, order: Sequence[int], workers: int = 1) -> None:
        self._recording = recording
        self._order = order
        self.workers = workers
        self.ticks = 0

    def run(self, task: Task, dispatcher: Dispatcher) -> None:
        """Answer what the dispatcher asks for until it is done."""
        running: list[_Replica] = []
        while True:
            while len(running) < self.workers and (trial := dispatcher.ask()) is not None:
                running.append(self._begin(trial))
            if not running:
                return
            self.ticks += 1
            running = [replica for replica in running if replica.tick(dispatcher)]

    def _begin(self, trial: Trial) -> "_Replica":
        rung, seed = trial.spec.rung, self._order[trial.spec.seed]
        curve = self._recording.curves[self._recording.index(rung)][seed]
        return _Replica(trial.id, curve, self._recording.outcome(rung, seed))


@dataclass
class _Replica:
    trial: str
    curve: Curve
    outcome: Outcome
    reported: int = 0

    def tick(self, dispatcher: Dispatcher) -> bool:
        """Train to the next evaluation; give whether there is more to do."""
        if not self.reported and not self._report(dispatcher):  # before the first update
            return False
        if self.reported < len(self.curve) and not self._report(dispatcher):
            return False
        if self.reported < len(self.curve) or self._diverges_later():
            return True
        dispatcher.tell(self.trial, self.outcome, self.curve, 0.0)
        return False

    def _report(self, dispatcher: Dispatcher) -> bool:
        self.reported += 1
        return dispatcher.report(self.trial, self.curve[self.reported - 1])

    def _diverges_later(self) -> bool:
        """Divergence takes the tick after the last finite evaluation."""
        if not isinstance(self.outcome, Diverged) or self.reported > len(self.curve):
            return False
        self.reported += 1
        return True


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a search came to. ``rung`` is None where it chose nothing."""

    rung: int | None
    iterations: int
    ticks: int
    resolved: bool
    trainings: int


def task_for(recording: Recording, start: int, search: str = "", metric: str = "", seeds: str = "3") -> Task:
    """Make the task of a search that begins at a rung and may look at all that is recorded.

    Args:
        recording: what is searched.
        start: the rung to begin at.
        search: more of what the task file has under ``search``, in one line of YAML.
        metric: the same of ``metric``.
        seeds: what it has under ``seeds``.
    """
    lowest, highest = (LR.value(int(recording.rungs[i])) for i in (0, -1))
    more_search, more_metric = (f", {more}" if more else "" for more in (search, metric))
    text = f"""
name: {recording.table}
workload: recorded.py:recorded
budget: {{iterations: {recording.budget}, evaluate_every: {int(recording.iterations[1])}}}
seeds: {seeds}
metric: {{name: train_loss{more_metric}}}
search: {{limits: {{lr: [{lowest!r}, {highest!r}]}}{more_search}}}
optimizers:
  {recording.optimizer}: {{lr: {{start: {LR.value(start)!r}}}}}
"""
    return parse_task(text, Path("/recorded/task.yaml"))


def replay(recording: Recording, task: Task, order: Sequence[int], workers: int = 1) -> Replayed:
    """Search a recording as ``lrsearch run`` would, with the coordinator and its strategies as they are."""
    coordinator = Coordinator(task, MemoryStore())
    engine = ReplayEngine(recording, order, workers)
    engine.run(task, coordinator)
    (state,) = coordinator.states
    return Replayed(
        rung=chosen_rung(state),
        iterations=sum(trial.iterations for trial in coordinator.trials),
        ticks=engine.ticks,
        resolved=state.verdict is not None and state.verdict.resolved,
        trainings=len(coordinator.trials),
    )


def chosen_rung(state: SearchState) -> int | None:
    """Give the rung that a search that has ended chose."""
    assert isinstance(state.decision, Done)
    assert state.verdict is not None
    return None if state.verdict.chosen is None else LR.rung(state.verdict.chosen)
