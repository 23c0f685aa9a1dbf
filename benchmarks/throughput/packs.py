"""Updates of a replica a second: alone, in packs of both ways, and in processes beside each other.

On a GPU if there is one: then with ``resources: {gpus: 1}``, as a user would; else on one thread of a CPU.
"""

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from floors import Rates, rates_of, work_of
from processes import rate_of, spec_of

from lrsearch import load_task
from lrsearch.errors import DataError, WorkloadError
from lrsearch.task import Task
from lrsearch.training.packs.passes import WAYS
from lrsearch.training.packs.size import SIZES, best_packing
from lrsearch.training.packs.size import measure as measure_packs
from lrsearch.training.replica import Replica

TASKS = Path(__file__).parents[2] / "tasks"
NAMES = (
    "digits_mlp",
    "fashion_mnist_fc",
    "fashion_mnist_cnn",
    "cifar100_vgg11",
    "cifar100_resnet18",
    "tiny_imagenet_vgg16",
    "tiny_imagenet_resnet50",
    "penn_treebank_awd_lstm_no_dropout",
    "penn_treebank_awd_lstm",
)
ON_A_CPU = ("digits_mlp", "fashion_mnist_fc", "fashion_mnist_cnn")
_WARM_UP, _UPDATES = 5, 50


def measure(runs: int, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Measure each task; medians over the runs. What is not among its own numbers was not to be had there."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    torch.set_num_threads(1)
    best = rates_of(device)
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if cuda else "cpu, one thread",
        "matrix operations a second": best.operations,
        "bytes copied a second": best.bytes,
    }
    for name in names or (NAMES if cuda else ON_A_CPU):
        path = TASKS / f"{name}.yaml"
        task = load_task(path)
        task = replace(task, resources=replace(task.resources, gpus=1.0 if cuda else 0.0))
        try:
            found[name] = _measured(path, task, device, best, runs)
        except (DataError, WorkloadError) as error:
            found[f"{name} was left out"] = str(error)
    return found


def _measured(path: Path, task: Task, device: torch.device, best: Rates, runs: int) -> dict[str, Any]:
    # In turns, so that what else the machine does slows all of them.
    cuda = device.type == "cuda"
    together = (3, 9) if cuda else (len(os.sched_getaffinity(0)),)
    alone, packs, processes = [], {way: [] for way in WAYS}, {count: [] for count in together}
    floor = 0.0
    for _ in range(runs):
        rate, floor = _alone(task, device, best)
        alone.append(rate)
        for way in WAYS:
            packs[way].append(measure_packs(task, device, SIZES, way))
        for count in together:
            processes[count].append(rate_of(path, count, 1, _UPDATES, cuda))
    row: dict[str, Any] = {"alone": median(alone)}
    for way in WAYS:
        for size in SIZES:
            rates = [measured[size].rate for measured in packs[way] if size in measured]
            row[f"{way} {size}"] = median(rates) if rates else float("nan")
    for count in together:
        row[f"{count} processes"] = median(processes[count])
    chosen = best_packing({way: packs[way][0] for way in WAYS})
    fastest = max(value for name, value in row.items() if name.startswith(WAYS) and value == value)
    row["best pack over alone"] = fastest / row["alone"]
    row["chosen size"] = chosen.size
    row["alone over the floor"] = 1 / row["alone"] / floor
    row["best over the floor"] = 1 / max(fastest, row["alone"]) / floor
    row["chosen ways"] = chosen.ways
    return row


def _alone(task: Task, device: torch.device, best: Rates) -> tuple[float, float]:
    """Updates a second of one replica, and the seconds that one update takes at least."""
    with tempfile.TemporaryDirectory() as folder:
        replica = Replica(task, spec_of(task), Path(folder) / "none.pt")
        replica.train_to(_WARM_UP)
        _wait_for(device)
        began = time.perf_counter()
        replica.train_to(_WARM_UP + _UPDATES)
        _wait_for(device)
        rate = _UPDATES / (time.perf_counter() - began)
        return rate, best.floor(work_of(replica, _WARM_UP + _UPDATES))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
