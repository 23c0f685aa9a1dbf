"""Does the walk hold on trainings that nobody here made? Searches replayed on the baselines of DeepOBS.

    LRSEARCH_DATA=FOLDER python benchmarks/replay/deepobs.py [--evaluations 20]

``FOLDER/deepobs-curves.json.gz`` holds curves of DeepOBS (Schneider, Balles, Hennig 2019, arXiv:1903.05499; MIT
licence): 36 rates of a problem under an optimizer, one seed each, a training loss an epoch. The rate nearest to each
rung of the ladder stands for it. Searches begin at each rung within four of the best. A search is *right* if its rung
ends within 2 % of the best rung's loss, and *on a cliff* if the rung below the chosen one diverged or died.
"""

import argparse
import gzip
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ours import paper
from replay import Recording, replay, task_for
from rich.console import Console
from rich.table import Table

from lrsearch.ladder import LR

STARTS = range(-4, 5)
"""Rungs from the best one."""
WITHIN = 0.02


def deepobs(path: Path, evaluations: int | None = None) -> list[Recording]:
    """Read the recordings, with as many evaluations of each training after the first, or all."""
    with gzip.open(path) as file:
        problems = json.load(file)
    return [_recording(name, trainings, evaluations) for name, trainings in problems.items()]


def _recording(name: str, trainings: list[dict[str, object]], evaluations: int | None) -> Recording:
    (seed,) = {t["seed"] for t in trainings if sum(u["seed"] == t["seed"] for u in trainings) > 1}
    curves = {t["lr"]: t["train_losses"] for t in trainings if t["seed"] == seed}
    lowest, highest = LR.rungs_within(min(curves) * 0.99, max(curves) * 1.01)
    rungs = np.arange(lowest, highest + 1)
    nearest = [min(curves, key=lambda lr: abs(math.log(lr / LR.value(int(rung))))) for rung in rungs]
    values = np.array([[np.nan if v is None else v for v in curves[lr]] for lr in nearest])
    epochs = values.shape[1] - 1
    kept = np.unique(np.linspace(0, epochs, (evaluations or epochs) + 1).round().astype(int))
    each = trainings[0]["iterations"] // epochs
    # What is not finite once stays so: an evaluation of it that came back is none of a training that goes on.
    alive = np.logical_and.accumulate(np.isfinite(values), axis=1)[:, kept]
    values = np.where(alive, values[:, kept], np.nan)
    diverged_at = np.where(alive.all(axis=1), np.nan, each * kept[alive.argmin(axis=1)])
    problem, optimizer = name.split("/")
    return Recording(
        table=problem,
        optimizer=optimizer.removesuffix("Optimizer").lower(),
        rungs=rungs,
        iterations=each * kept,
        values=values[:, None],
        diverged_at=diverged_at[:, None],
        range_lrs=np.array([]),
        range_losses=np.empty((1, 0)),
        expected=None,
    )


def starts_of(recording: Recording) -> Iterator[int]:
    """Give the rungs that searches begin at."""
    return (recording.best + s for s in STARTS if recording.best + s in recording.rungs)


def is_right(recording: Recording, rung: int | None) -> bool:
    """Whether a rung is as good as the best one."""
    return rung is not None and _end(recording, rung) <= (1 + WITHIN) * _end(recording, recording.best)


def on_a_cliff(recording: Recording, rung: int | None) -> bool:
    """Whether the rung below a chosen one is too high itself: it diverged, ended above its beginning or froze."""
    if rung is None or rung - 1 not in recording.rungs:
        return False
    curve = recording.values[recording.index(rung - 1), 0]
    after = curve[1:]
    half = after[len(after) // 2 :]
    froze = abs(half[0] - half[-1]) < 0.001 * abs(curve[0] - half[-1]) and after[-1] > curve[0] / 2
    return not np.isfinite(curve[-1]) or curve[-1] > curve[0] or bool(froze)


METHODS = {"default": "", "patience 2": "patience: 2", "race": "race: true"}
"""Our searches, by their settings."""


def totals(recording: Recording, methods: Sequence[str] = tuple(METHODS)) -> np.ndarray:
    """Return, of the paper's rule and each method [m, 4]: how often right, trainings, iterations, and on a cliff.

    Iterations are in whole trainings.
    """
    found = np.zeros((1 + len(methods), 4))
    for start in starts_of(recording):
        tasks = [task_for(recording, start, METHODS[method], seeds="1") for method in methods]
        searches = [paper(recording, start, (0,)), *(replay(recording, task, (0,)) for task in tasks)]
        found += [
            [
                is_right(recording, one.rung),
                one.trainings,
                one.iterations / recording.budget,
                on_a_cliff(recording, one.rung),
            ]
            for one in searches
        ]
    return found


def _end(recording: Recording, rung: int) -> float:
    end = float(recording.values[recording.index(rung), 0, -1])
    return end if math.isfinite(end) else math.inf


def main() -> None:
    """Replay, print and say what fell short."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--evaluations", type=int, help="of each training (default: all)")
    arguments = parser.parse_args()
    folder = os.environ.get("LRSEARCH_DATA")
    path = Path(folder or ".") / "deepobs-curves.json.gz"
    if not path.is_file():
        sys.exit(f"error: {path} is not there; put it into a folder and name that in LRSEARCH_DATA")
    found = deepobs(path, arguments.evaluations)
    counts = np.array([sum(1 for _ in starts_of(recording)) for recording in found])
    rows = np.array([totals(recording) for recording in found])
    shown = Table("recording", "starts", "paper: right", "trainings")
    for method in METHODS:
        for column in (f"{method}: right", "trainings", "iterations"):
            shown.add_column(column)
    for recording, starts, (papers, *ours) in zip(found, counts, rows, strict=True):
        cells = [f"{number:.0f}" for method in ours for number in method[:3]]
        shown.add_row(recording.name, str(starts), f"{papers[0]:.0f}", f"{papers[1]:.0f}", *cells)
    Console(width=160).print(shown)
    (papers_right, papers_trainings, papers_iterations, papers_cliffs), *ours = rows.sum(axis=0)
    starts = counts.sum()
    print(
        f"of {starts} starts the paper's rule is right from {papers_right / starts:.1%}, {papers_cliffs:.0f} on a cliff"
    )
    for method, (right, trainings, iterations, cliffs) in zip(METHODS, ours, strict=True):
        relative = trainings / papers_trainings, iterations / papers_iterations
        print(
            f"{method}: from {right / starts:.1%}, {cliffs:.0f} on a cliff, at {relative[0]:.3f} times its trainings "
            f"and {relative[1]:.3f} times its iterations"
        )


if __name__ == "__main__":
    main()
