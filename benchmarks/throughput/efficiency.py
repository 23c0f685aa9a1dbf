"""The share of the workers' time that is training, from the first iteration on: ours, and plain Ray Tune's.

Both train the same: what ``lrsearch run`` trains on Fashion-MNIST is trained again by ``plain_tune.py``.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import optuna

from lrsearch.store.optuna import read_study
from lrsearch.trial import Trial

HERE = Path(__file__).parent
TASKS = HERE.parents[1] / "tasks"
WORKERS = 2
GOALS = {"fashion_mnist_fc": 0.9, "fashion_mnist_cnn": 0.97}
ONLY = {"fashion_mnist_fc": ("sgd", "adam", "rmsprop"), "fashion_mnist_cnn": ("sgd",)}
"""What is searched: on the convolutional network one optimizer, as that takes minutes already."""


def measure(runs: int) -> dict[str, Any]:
    """Run each search ``runs`` times, and the peer after each."""
    found: dict[str, Any] = {}
    for name, goal in GOALS.items():
        pairs = [_pair(name) for _ in range(runs)]
        ours, plain = ([pair[i] for pair in pairs] for i in (0, 1))
        found[name] = {
            "goal": goal,
            "lrsearch": median(one["efficiency"] for one in ours),
            "plain Ray Tune": median(one["efficiency"] for one in plain),
            "trainings": ours[0]["trainings"],
            "seconds": median(one["wall"] for one in ours),
            "seconds of plain Ray Tune": median(one["wall"] for one in plain),
            "runs": pairs,
        }
    return found


def _pair(name: str) -> tuple[dict[str, float], dict[str, float]]:
    task = TASKS / f"{name}.yaml"
    with tempfile.TemporaryDirectory() as folder:
        only = [word for entry in ONLY[name] for word in ("--only", entry)]
        _output([sys.executable, "-m", "lrsearch.cli", "run", str(task), *only, "--studies", folder])
        url = f"sqlite:///{folder}/{name}/study.db"
        trials = read_study(url, name).trials
        began, ended = _ends(url)
        ours = _row([trial.seconds for trial in trials], began, ended)
        specs = Path(folder) / "specs.json"
        specs.write_text(json.dumps([_spec(trial) for trial in trials]), encoding="utf-8")
        said = _output([sys.executable, str(HERE / "plain_tune.py"), str(task), str(specs)])
        each = json.loads(said.splitlines()[-1])
        return ours, _row(
            [one["seconds"] for one in each], min(o["began"] for o in each), max(o["ended"] for o in each)
        )


def _ends(url: str) -> tuple[float, float]:
    """When the first training began, by its end and what it took, and when the last was on record as ended."""
    found = [
        (trial.datetime_complete.timestamp(), trial.user_attrs["result"]["seconds"])
        for name in optuna.get_all_study_names(url)
        for trial in optuna.load_study(study_name=name, storage=url).get_trials(deepcopy=False)
        if trial.datetime_complete is not None
    ]
    return min(ended - seconds for ended, seconds in found), max(ended for ended, _ in found)


def _spec(trial: Trial) -> list[Any]:
    spec = trial.spec
    return [spec.search.entry, spec.search.hyperparameter, spec.rung, spec.seed, dict(spec.hyperparameters)]


def _row(seconds: list[float], began: float, ended: float) -> dict[str, float]:
    wall = ended - began
    return {"efficiency": sum(seconds) / (WORKERS * wall), "wall": wall, "trainings": len(seconds)}


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return done.stdout
