"""Does a search find what a plain sweep finds, and for how much less? On trainings written as a user would.

    python benchmarks/from_init/sweep.py [--workers 2]

Each task beside this file began as what ``lrsearch init`` writes. It is searched; then nine rungs, four to each side of
its start, are trained wholly with the same seeds. Prints a table and writes it as JSON beside itself. It fails if a
search's choice is not the sweep's best, or took more than a third of its iterations.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from lrsearch.run import run
from lrsearch.searches import hyperparameters_of
from lrsearch.studies import Place
from lrsearch.task import load_task
from lrsearch.training.train import train
from lrsearch.trial import Finished, SearchId, TrialSpec

HERE = Path(__file__).parent
TASKS = ("text", "tabular", "images")
RUNGS = range(-4, 5)
"""From the start."""
MOST = 1 / 3
"""What a search may cost of the sweep."""


def main() -> None:
    """Search, sweep, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of the sweep (default: 2)")
    arguments = parser.parse_args()
    rows = [compared(name, arguments.workers) for name in TASKS]
    (HERE / "sweep.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = Table("task", "search", "sweep's best", "chosen", "iterations", "of the sweep's")
    for row in rows:
        cost = row["iterations"] / row["sweep_iterations"]
        table.add_row(
            row["task"],
            row["search"],
            f"{row['best']:g}",
            f"{row['chosen']:g}",
            f"{row['iterations']:,}",
            f"{cost:.0%}",
        )
    Console().print(table)
    if any(
        row["best"] != row["chosen"] or row["iterations"] > MOST * row["sweep_iterations"] for row in rows
    ):
        sys.exit("a search chose otherwise than the sweep, or cost more than a third of it")


def compared(name: str, workers: int) -> dict[str, object]:
    """Search and sweep one task."""
    task = load_task(HERE / f"{name}.yaml")
    (search,) = task.searches()
    with tempfile.TemporaryDirectory() as folder:
        (state,) = run(task, Place(name, Path(folder)), "inline", console=Console(stderr=True)).states
    assert state.verdict is not None
    means = {value: mean for value, mean in sweep(name, search, workers) if mean is not None}
    return {
        "task": name,
        "search": str(search),
        "means": means,
        "best": min(means, key=means.__getitem__),
        "chosen": state.verdict.chosen,
        "iterations": state.verdict.iterations,
        "sweep_iterations": len(RUNGS) * task.seeds * task.budget.iterations,
    }


def sweep(name: str, search: SearchId, workers: int) -> Iterator[tuple[float, float | None]]:
    """Train every rung with every seed; give values with their mean metric, None where a seed diverged."""
    task = load_task(HERE / f"{name}.yaml")
    searched = task.searches()[search]
    first = searched.ladder.rung(searched.guess)
    jobs = [(name, first + offset, seed) for offset in RUNGS for seed in range(task.seeds)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        ends = dict(zip(jobs, pool.map(trained, *zip(*jobs, strict=True)), strict=True))
    for offset in RUNGS:
        values = [ends[name, first + offset, seed] for seed in range(task.seeds)]
        finite = [value for value in values if value is not None]
        yield searched.ladder.value(first + offset), fmean(finite) if len(finite) == len(values) else None


def trained(name: str, rung: int, seed: int) -> float | None:
    """Train one replica wholly; give its metric, None if it diverged."""
    task = load_task(HERE / f"{name}.yaml")
    ((search, searched),) = task.searches().items()
    numbers = hyperparameters_of(task, search.entry, {search: searched.ladder.value(rung)})
    with tempfile.TemporaryDirectory() as folder:
        *_, last = train(task, TrialSpec(search, rung, seed, numbers), Path(folder) / "checkpoint.pt")
    if isinstance(last.outcome, Finished):
        return last.outcome.value
    assert last.evaluation is None, last.outcome
    return None


if __name__ == "__main__":
    main()
