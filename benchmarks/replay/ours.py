"""The paper's procedure, plain, and the searches of this project, each on one case."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from replay import Recording, replay, task_for

from lrsearch.ladder import LR
from lrsearch.strategies import AtLimit, Bracket, Bracketed, Standing, State
from lrsearch.strategies.candidates import LEARNED_BY
from lrsearch.strategies.range_test import suggest
from lrsearch.task.model import Task

SEEDS = 3


@dataclass(frozen=True)
class Case:
    """One search to be made.

    Attributes:
        recording: what is searched.
        start: the rung where it begins.
        order: which recorded seed stands for the search's seeds 0, 1, 2, …
        iterations: what the paper's procedure spends here, for those that get as much.
        seed: for what draws random numbers.
    """

    recording: Recording
    start: int
    order: tuple[int, ...]
    iterations: int
    seed: int


@dataclass(frozen=True)
class Found:
    """What a method came to: a rung, or None, after so many iterations."""

    rung: int | None
    iterations: int
    resolved: bool = False
    trainings: int = 0


@dataclass
class Trainer:
    """Trains candidates with the first ``SEEDS`` seeds of a case, each once, and counts the iterations."""

    recording: Recording
    order: tuple[int, ...]
    iterations: int = 0
    _trained: dict[int, float] = field(default_factory=dict)

    def standing(self, rung: int) -> Standing:
        """Train a rung; tell what the paper's rule knows of it: its mean end value, or that it did not learn."""
        mean = self.mean(rung)
        curves, ended = self._of(rung)
        initial = curves[:, 0].mean()
        if np.isfinite(ended).any() or initial - mean < LEARNED_BY * abs(initial):
            return Standing(State.FLAT)
        return Standing(State.LEARNED, mean)

    @property
    def trainings(self) -> int:
        """How many replicas were trained."""
        return len(self._trained) * len(self.order[:SEEDS])

    def mean(self, rung: int) -> float:
        """Train a rung; give its mean end value, a training that diverged counting as one that stayed at its start."""
        if rung not in self._trained:
            curves, ended = self._of(rung)
            self.iterations += int(np.where(np.isnan(ended), self.recording.budget, ended).sum())
            self._trained[rung] = float(np.where(np.isnan(ended), curves[:, -1], curves[:, 0]).mean())
        return self._trained[rung]

    @property
    def best(self) -> int:
        """The rung with the best mean so far."""
        return min(self._trained, key=lambda rung: self._trained[rung])

    def _of(self, rung: int) -> tuple[np.ndarray, np.ndarray]:
        index, seeds = self.recording.index(rung), list(self.order[:SEEDS])
        return self.recording.values[index, seeds], self.recording.diverged_at[index, seeds]


def paper(recording: Recording, start: int, order: tuple[int, ...]) -> Found:
    """The paper's procedure (arXiv:1912.11493, section 3): each candidate wholly, with all seeds, one after another."""
    bracket = Bracket(start, int(recording.rungs[0]), int(recording.rungs[-1]), SEEDS, bold=False)
    trainer = Trainer(recording, order)
    known: dict[int, Standing] = {}
    while isinstance(step := bracket.next_step(known), tuple):
        known |= {rung: trainer.standing(rung) for rung in step}
    rung = step.rung if isinstance(step, Bracketed | AtLimit) else None
    return Found(rung, trainer.iterations, trainings=trainer.trainings)


def searched(case: Case, search: str = "", metric: str = "", seeds: str = "3", auto: bool = False) -> Found:
    """A search of this project, with the settings of a task file."""
    start, cost = case.start, 0
    if auto:
        start, cost = guess(case)
    found = replay(case.recording, _task(case.recording, start, search, metric, seeds), case.order)
    return Found(found.rung, found.iterations + cost, found.resolved, found.trainings)


def guess(case: Case) -> tuple[int, int]:
    """``start: auto``: the rung that range tests of the first seeds suggest, and what they cost."""
    losses = case.recording.range_losses[list(case.order[:SEEDS])]
    lr = suggest(case.recording.range_lrs.tolist(), losses.tolist())
    rung = case.start if lr is None else LR.rung(lr)
    lowest, highest = int(case.recording.rungs[0]), int(case.recording.rungs[-1])
    return min(max(rung, lowest), highest), int(np.isfinite(losses).sum())


@cache
def _task(recording: Recording, start: int, search: str, metric: str, seeds: str) -> Task:
    return task_for(recording, start, search, metric, seeds)
