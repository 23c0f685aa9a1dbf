"""What the adapters are measured by: the noisy quadratic as ``lrsearch run --engine inline`` searches it."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lrsearch.coordinator import Coordinator, Started
from lrsearch.engine.inline import InlineEngine
from lrsearch.store.memory import MemoryStore
from lrsearch.task import Task, load_task
from lrsearch.task.file import parse_task
from lrsearch.training.train import train
from lrsearch.trial import Evaluation, SearchId, TrialSpec
from lrsearch.verdict import Verdict

FILE = Path(__file__).parents[2] / "tasks" / "noisy_quadratic.yaml"
SEARCH = SearchId("sgd", "lr")
STARTS = (0.01, 3.0)
"""Below the best, and where trainings diverge."""


@dataclass(frozen=True)
class Plain:
    """A search that has ended: its replicas in the order in which they were begun, and what it concluded."""

    replicas: tuple[tuple[float, int], ...]
    verdict: Verdict


def task_from(start: float) -> Task:
    text = load_task(FILE).text
    assert "start: 0.01" in text
    return parse_task(text.replace("start: 0.01", f"start: {start}"), FILE)


@cache
def plain(start: float) -> Plain:
    """Search as the plain tool does."""
    begun: list[tuple[float, int]] = []
    task = task_from(start)

    def note(event: object) -> None:
        if isinstance(event, Started):
            begun.append((event.trial.spec.hyperparameters["lr"], event.trial.spec.seed))

    coordinator = Coordinator(task, MemoryStore(), observer=note)
    with tempfile.TemporaryDirectory() as folder:
        InlineEngine(Path(folder)).run(task, coordinator)
    (state,) = coordinator.states
    assert state.verdict is not None
    return Plain(tuple(begun), state.verdict)


def evaluations(lr: float, seed: int) -> Iterator[Evaluation]:
    """Train one replica; give its evaluations, which end early where it diverges."""
    spec = TrialSpec(SEARCH, 0, seed, {"lr": lr})
    with tempfile.TemporaryDirectory() as folder:
        for progress in train(task_from(STARTS[0]), spec, Path(folder) / "checkpoint"):
            if progress.evaluation is not None:
                yield progress.evaluation


def comparable(verdict: Verdict) -> Verdict:
    """Without what another tool counts in its own way: its name, and how far a training went that diverged."""
    rows = tuple(replace(row, diverged=dict.fromkeys(row.diverged, 0)) for row in verdict.rows)
    return replace(verdict, search=SEARCH, rows=rows, iterations=0)
