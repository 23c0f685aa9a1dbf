"""What the commands take of a finished search of 1,000 trials, in SQLite."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from simulated import SimulatedEngine, Spent, task_of

from lrsearch.coordinator import Coordinator
from lrsearch.store.optuna import open_store
from lrsearch.studies import Place
from lrsearch.task import load_task
from lrsearch.task.fingerprint import identity_of

ENTRIES, SEEDS = 14, 12
GOAL = 2.0


def measure(runs: int) -> dict[str, Any]:
    """Make the study with the real store, then run each command on it ``runs`` times."""
    with tempfile.TemporaryDirectory() as folder:
        task_file = Path(folder) / "simulated.yaml"
        task_file.write_text(task_of(ENTRIES, SEEDS).text, encoding="utf-8")
        (Path(folder) / "nothing.py").write_text("def nothing():\n    raise SystemExit('it was run')\n")
        task, place = load_task(task_file), Place("simulated", Path(folder) / "studies")
        store = open_store(task, identity_of(task), place.url, place.lock)
        coordinator = Coordinator(task, store)
        SimulatedEngine(2, Spent()).run(task, coordinator)
        trials = len(coordinator.trials)
        store.close()
        commands = {
            "run": ["run", str(task_file)],
            "status": ["status", "simulated"],
            "export": ["export", "simulated"],
            "report": ["report", "simulated"],
        }
        _seconds(commands["run"], place.root)  # writes the report and the chosen values
        found: dict[str, Any] = {"trials": trials, "goal": GOAL}
        for name, command in commands.items():
            taken = []
            for _ in range(runs):
                load = os.getloadavg()[0]
                taken.append({"load_before": round(load, 2), **_seconds(command, place.root)})
            found[name] = {"median": median(one["wall"] for one in taken), "runs": taken}
            found[name]["processor_median"] = median(one["processor"] for one in taken)
        return found


def _seconds(command: list[str], root: Path) -> dict[str, float]:
    before, began = os.times(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "lrsearch.cli", *command, "--studies", str(root)],
        check=True,
        capture_output=True,
    )
    wall, after = time.perf_counter() - began, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": round(wall, 3), "processor": round(spent, 3)}
