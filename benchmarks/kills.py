"""Is anything lost when a run is killed? The driver and its workers get SIGKILL at random moments.

    python benchmarks/kills.py [TASK.yaml] [--kills 10] [--engine ray] [--seed 0]

Runs the task once undisturbed. Then, for each kill, starts the same command again on one study, kills it with all of
its processes at a random moment of the run, and goes on; when the kills are used up, or the search has ended before, a
new study is begun until all kills have been made. At the end of each study ``chosen.yaml`` must be the undisturbed one
but for its date, and every training that had ended before a kill must still be there, untouched. Prints a table and
writes JSON beside itself; exits with 1 if anything was lost.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from lrsearch import studies
from lrsearch.errors import StudyNotFoundError
from lrsearch.trial import Trial

HERE = Path(__file__).parent


def descendants(process: int) -> list[int]:
    """Give a process and all that it started, by what the kernel lists."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found = [process]
    for one in found:
        found += parents.get(one, [])
    return found


def start(task: Path, engine: str, root: Path) -> subprocess.Popen[bytes]:
    """Start the search, or go on with it: the same command."""
    command = [
        sys.executable,
        "-m",
        "lrsearch.cli",
        "run",
        str(task),
        "--engine",
        engine,
        "--studies",
        str(root),
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill(driver: subprocess.Popen[bytes]) -> None:
    """Kill the driver and every process that it started, at once."""
    for process in descendants(driver.pid):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    driver.wait()


def ended(root: Path, name: str) -> dict[str, Trial]:
    """Give the trainings on record that have ended."""
    try:
        study = studies.read(studies.Place(name, root))
    except StudyNotFoundError:
        return {}
    return {trial.id: trial for state in study.states.values() for trial in state.trials if trial.ended}


def chosen(root: Path, name: str) -> Any:
    """Give chosen.yaml without its date."""
    content = yaml.safe_load((root / name / "chosen.yaml").read_text())
    del content["made_with"]["date"]
    return content


def main() -> int:
    """Make the kills and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path, nargs="?", default=HERE.parent / "tasks/digits_mlp.yaml")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--engine", default="ray")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    name = arguments.task.stem
    moments = random.Random(arguments.seed)
    table = Table("kill", "study", "after s", "ended before", "kept", "trained again")
    rows: list[dict[str, Any]] = []
    same: list[bool] = []
    with tempfile.TemporaryDirectory() as scratch:
        undisturbed = Path(scratch) / "undisturbed"
        began = time.perf_counter()
        start(arguments.task, arguments.engine, undisturbed).wait()
        whole = time.perf_counter() - began
        expected = chosen(undisturbed, name)
        while len(rows) < arguments.kills:
            root = Path(scratch) / str(len(same))
            while True:
                before = ended(root, name)
                driver = start(arguments.task, arguments.engine, root)
                after = moments.uniform(0.1, 0.8) * whole
                if len(rows) == arguments.kills or _ended_within(driver, after):
                    driver.wait()
                    break
                kill(driver)
                now = ended(root, name)
                row = {
                    "study": len(same),
                    "after_seconds": round(after, 2),
                    "ended_before": len(before),
                    "kept": sum(now.get(key) == trial for key, trial in before.items()),
                    "ended_now": len(now),
                    "trained_again": _repeated(now),
                }
                rows.append(row)
                table.add_row(
                    str(len(rows)), *(str(row[key]) for key in list(row)[:4]), str(row["trained_again"])
                )
            last = ended(root, name)
            same.append(
                chosen(root, name) == expected
                and all(last.get(key) == trial for key, trial in before.items())
                and not _repeated(last)
            )
    Console().print(
        table, f"{sum(same)} of {len(same)} killed studies ended with the undisturbed chosen.yaml"
    )
    lost = sum(row["ended_before"] - row["kept"] for row in rows)
    report = {
        "task": name,
        "engine": arguments.engine,
        "seed": arguments.seed,
        "kills": rows,
        "same_chosen": same,
    }
    (HERE / f"kills_{name}_{arguments.engine}.json").write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(same) and not lost else 1


def _ended_within(driver: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        driver.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _repeated(trials: dict[str, Trial]) -> int:
    keys = [(trial.spec.search, trial.spec.rung, trial.spec.seed) for trial in trials.values()]
    return len(keys) - len(set(keys))


if __name__ == "__main__":
    sys.exit(main())
