"""Updates of a replica a second: one alone, and in packs, for the paper's tasks whose data is there.

On a GPU if there is one: then with ``resources: {gpus: 1}``, as a user would; else on one thread of a CPU.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from lrsearch import load_task
from lrsearch.errors import DataError, WorkloadError
from lrsearch.task import Task
from lrsearch.training.optimizers import stand_ins
from lrsearch.training.packs.check import why_not_together
from lrsearch.training.packs.size import SIZES, best_size
from lrsearch.training.packs.size import measure as measure_packs
from lrsearch.training.replica import Replica
from lrsearch.trial import TrialSpec

TASKS = Path(__file__).parents[2] / "tasks"
NAMES = (
    "digits_mlp",
    "fashion_mnist_fc",
    "fashion_mnist_cnn",
    "cifar100_vgg11",
    "cifar100_resnet18",
    "penn_treebank_awd_lstm_no_dropout",
)
ON_A_CPU = ("digits_mlp", "fashion_mnist_fc", "fashion_mnist_cnn")
_WARM_UP, _UPDATES = 5, 50


def measure(runs: int) -> dict[str, Any]:
    """Measure each task; medians over the runs."""
    cuda = torch.cuda.is_available()
    found: dict[str, Any] = {"device": torch.cuda.get_device_name() if cuda else "cpu"}
    for name in NAMES if cuda else ON_A_CPU:
        task = load_task(TASKS / f"{name}.yaml")
        task = replace(task, resources=replace(task.resources, gpus=1.0 if cuda else 0.0))
        try:
            found[name] = _measured(task, torch.device("cuda" if cuda else "cpu"), runs)
        except (DataError, WorkloadError) as error:
            found[f"{name} was left out"] = str(error)
    return found


def _measured(task: Task, device: torch.device, runs: int) -> dict[str, Any]:
    search = next(iter(task.searches()))
    spec = TrialSpec(search, 0, 0, stand_ins(task, task.entries[search.entry]))
    # In turns, so that what else the machine does slows both.
    alone, packs = [], []
    for _ in range(runs):
        alone.append(_alone(task, spec, device))
        packs.append(measure_packs(task, device, SIZES))
    row: dict[str, Any] = {"alone": median(alone)}
    for size in SIZES:
        rates = [measured[size].rate for measured in packs if size in measured]
        row[f"pack of {size}"] = median(rates) if rates else float("nan")
    row["best over alone"] = max(row[f"pack of {size}"] for size in packs[0]) / row["alone"]
    row["chosen"] = best_size(packs[0])
    row["not stacked as"] = why_not_together(task, [spec, replace(spec, seed=1)], device)
    return row


def _alone(task: Task, spec: TrialSpec, device: torch.device) -> float:
    with tempfile.TemporaryDirectory() as folder:
        replica = Replica(task, spec, Path(folder) / "none.pt")
        replica.train_to(_WARM_UP)
        _wait_for(device)
        began = time.perf_counter()
        replica.train_to(_WARM_UP + _UPDATES)
        _wait_for(device)
        return _UPDATES / (time.perf_counter() - began)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
