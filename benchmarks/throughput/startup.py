"""How long from the command line to the first training iteration, with Ray and in one process."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GOALS = {"ray": 8.0, "inline": 3.0}
_PATIENCE = 120.0


def measure(runs: int) -> dict[str, Any]:
    """Start the command anew ``runs`` times with each engine; the engines take turns."""
    found: dict[str, list[float]] = {engine: [] for engine in GOALS}
    loads = []
    first_iteration("inline")  # decodes the data, which a machine does once
    for _ in range(runs):
        for engine, seconds in found.items():
            loads.append(os.getloadavg()[0])
            seconds.append(first_iteration(engine))
    return {
        engine: {
            "median": statistics.median(seconds),
            "goal": GOALS[engine],
            "seconds": [round(s, 3) for s in seconds],
            "load_before": [round(load, 2) for load in loads[i :: len(GOALS)]],
        }
        for i, (engine, seconds) in enumerate(found.items())
    }


def first_iteration(engine: str) -> float:
    """Give the seconds from the start of the command to the first iteration of a training; then stop it."""
    with tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder) / "stamps"
        stamps.touch()
        task = ["run", str(HERE / "startup.yaml"), "--engine", engine, "--studies", f"{folder}/studies"]
        began = time.time()
        with subprocess.Popen(
            [sys.executable, "-m", "lrsearch.cli", *task],
            env=os.environ | {"LRSEARCH_STAMPS": str(stamps)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as command:
            try:
                return _first(stamps, command) - began
            finally:
                command.send_signal(signal.SIGTERM)
                command.communicate()


def _first(stamps: Path, command: "subprocess.Popen[bytes]") -> float:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and command.poll() is None:
        lines = [line.split() for line in stamps.read_text(encoding="ascii").splitlines()]
        own = [float(moment) for pid, moment in lines if int(pid) == command.pid]
        others = [float(moment) for pid, moment in lines if int(pid) != command.pid]
        if trained := others + own[1:]:
            return min(trained)
        time.sleep(0.02)
    assert command.stderr is not None
    raise SystemExit(
        f"no training began: {command.stderr.read().decode() if command.poll() is not None else ''}"
    )
