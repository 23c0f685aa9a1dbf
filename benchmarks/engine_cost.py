"""What does the engine cost? The wall time of a whole search over the time that its trainings took.

    LRSEARCH_DATA=DATA python benchmarks/engine_cost.py [TASK.yaml] [--runs 3]

Runs ``lrsearch run TASK`` from scratch, with Ray Tune and in one process, and compares the command's wall time with
the seconds spent training over the number of workers. The goal for Fashion-MNIST FC is at most
1.15 x (training seconds / workers) + 12 s. Prints a table and writes JSON beside itself.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
FACTOR, SECONDS = 1.15, 12.0


def measure(task: Path, engine: str) -> dict[str, float]:
    """Run a search in a fresh folder; the wall time is that of the whole command."""
    with tempfile.TemporaryDirectory() as studies:
        command = [
            sys.executable,
            "-m",
            "lrsearch.cli",
            "run",
            str(task),
            "--engine",
            engine,
            "--studies",
            studies,
            "--json",
        ]
        began = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        wall = time.perf_counter() - began
    cost = json.loads(done.stdout)
    floor = cost["training_seconds"] / cost["workers"]
    return {
        "wall_seconds": wall,
        "training_seconds": cost["training_seconds"],
        "workers": cost["workers"],
        "replicas": cost["replicas"],
        "goal_seconds": FACTOR * floor + SECONDS,
        "over_floor": wall / floor,
        "extra_seconds": wall - floor,
    }


def main() -> None:
    """Measure both engines, the median of a few runs each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path, nargs="?", default=HERE.parent / "tasks/fashion_mnist_fc.yaml")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", nargs="+", default=["ray", "inline"])
    arguments = parser.parse_args()
    table = Table(
        "engine", "workers", "replicas", "training s", "wall s", "goal s", "wall / floor", "extra s"
    )
    results = {}
    for engine in arguments.engines:
        runs = [measure(arguments.task, engine) for _ in range(arguments.runs)]
        median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        results[engine] = {"median": median, "runs": runs}
        table.add_row(
            engine,
            f"{median['workers']:g}",
            f"{median['replicas']:g}",
            *(f"{median[name]:.1f}" for name in ("training_seconds", "wall_seconds", "goal_seconds")),
            f"{median['over_floor']:.3f}",
            f"{median['extra_seconds']:.1f}",
        )
    Console().print(f"{arguments.task.stem}, median of {arguments.runs}", table)
    output = HERE / f"engine_cost_{arguments.task.stem}.json"
    output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
