"""How many replicas a worker trains side by side."""

import gc
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lrsearch.task.model import Task
from lrsearch.training.device import training_device
from lrsearch.training.optimizers import stand_ins
from lrsearch.training.packs.check import why_not_stacked
from lrsearch.training.packs.stack import Stack
from lrsearch.training.replica import Replica
from lrsearch.trial import TrialSpec

SIZES = (1, 3, 9, 27, 81)
"""What is tried: one candidate's seeds, a bracket's, those of several searches."""
GOOD_ENOUGH = 0.95
"""Of the best throughput: what is smaller and as good ends sooner after an interrupt and takes less memory."""
MEMORY_SHARE = 0.8
"""Of the device's memory that a pack may take; evaluations and the allocator's gaps need the rest."""
_WARM_UP, _UPDATES = 3, 20


@dataclass(frozen=True, slots=True)
class Measured:
    """What a pack of some size did.

    Attributes:
        rate: updates of a replica, a second.
        memory: the most that was taken of the device's, a fraction; 0 where that is not known.
    """

    rate: float
    memory: float


def best_size(measured: Mapping[int, Measured]) -> int:
    """Give the smallest size whose throughput is within 5 % of the best of those that fit in 80 % of the memory.

    >>> best_size({1: Measured(100, 0.1), 3: Measured(290, 0.2), 9: Measured(300, 0.5), 27: Measured(900, 0.9)})
    3
    """
    fitting = {size: one for size, one in measured.items() if one.memory <= MEMORY_SHARE}
    if not fitting:
        return 1
    best = max(one.rate for one in fitting.values())
    return min(size for size, one in fitting.items() if one.rate >= GOOD_ENOUGH * best)


def pack_size(task: Task) -> int:
    """Give how many replicas a worker of a task trains side by side.

    On CPUs that is one unless the task says more: there, a pack is slower than its replicas one after the other.
    """
    if task.trained_by == "loop":
        return 1
    if task.resources.pack is not None:
        return task.resources.pack
    device = training_device(task)
    return 1 if device.type == "cpu" else best_size(measure(task, device, SIZES))


def measure(task: Task, device: torch.device, sizes: Sequence[int]) -> dict[int, Measured]:
    """Train short packs of growing size on a device; a size that does not fit ends it."""
    specs = [_spec(task, seed) for seed in range(max(sizes))]
    if why_not_stacked(task, specs[:2], device) is not None:
        return {1: Measured(1.0, 0.0)}
    measured = {}
    for size in sizes:
        try:
            measured[size] = _measure_one(task, device, specs[:size])
        except torch.OutOfMemoryError:
            break
        if measured[size].memory * 2 > MEMORY_SHARE:  # the next is three times as large
            break
    return measured


def _measure_one(task: Task, device: torch.device, specs: Sequence[TrialSpec]) -> Measured:
    cuda = device.type == "cuda"
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    with tempfile.TemporaryDirectory(prefix="lrsearch-") as folder:
        replicas = [Replica(task, spec, Path(folder) / "none.pt") for spec in specs]
        stack = Stack(replicas, task.recipe, device)
        stack.train(_WARM_UP)
        began = _now(device)
        stack.train(_UPDATES)
        seconds = _now(device) - began
    memory = 0.0
    if cuda:
        memory = (
            torch.cuda.max_memory_reserved(device) / torch.cuda.get_device_properties(device).total_memory
        )
    return Measured(len(specs) * _UPDATES / seconds, memory)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _spec(task: Task, seed: int) -> TrialSpec:
    """A replica at the start of the task's first search."""
    search = next(iter(task.searches()))
    return TrialSpec(search, 0, seed, stand_ins(task, task.entries[search.entry]))
