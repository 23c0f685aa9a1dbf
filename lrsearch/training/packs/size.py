"""How many replicas a worker trains side by side."""

import gc
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lrsearch import users_code
from lrsearch.task.model import Task
from lrsearch.training.device import training_device
from lrsearch.training.optimizers import stand_ins
from lrsearch.training.packs.check import why_not_together
from lrsearch.training.packs.passes import WAYS, Way
from lrsearch.training.packs.stack import Stack
from lrsearch.training.packs.turns import Turn
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


@dataclass(frozen=True, slots=True)
class Packing:
    """How a worker trains its replicas: so many side by side, their passes run in the first way that serves."""

    size: int
    ways: tuple[Way, ...] = ("stacked",)


ALONE = Packing(1)
REMEMBERED = "packings"
"""The name under which what was measured is kept with a study."""


def packing_of(task: Task, known: Mapping[str, Any]) -> tuple[Packing, dict[str, Any]]:
    """Give how a worker of a task packs its replicas.

    On CPUs it trains one at a time unless the task says more, as a pack there is slower than its replicas one after the
    other, and only stacks are of use. On a GPU both ways are measured, at the size that the task gives or at several.

    Args:
        task: whose replicas they are.
        known: what was measured before, by device and size, as JSON holds it.

    Returns:
        How, and what of it is new and worth remembering.
    """
    if task.trained_by == "loop" or task.resources.pack == 1:
        return ALONE, {}
    device = training_device(task)
    if device.type == "cpu":
        return Packing(task.resources.pack or 1), {}
    size = task.resources.pack
    name = f"{torch.cuda.get_device_name(device)}, {'auto' if size is None else size}"
    if (before := packing_from(known.get(name))) is not None:
        return before, {}
    users_code.begin(users_code.PACK)
    sizes = SIZES if size is None else (size,)
    packing = best_packing({way: measure(task, device, sizes, way) for way in WAYS}, size)
    return packing, {name: asdict(packing)}


def packing_from(kept: Any) -> Packing | None:
    """Read a packing that was remembered; None if it is none, or of another version.

    >>> packing_from({"size": 9, "ways": ["captured"]})
    Packing(size=9, ways=('captured',))
    """
    match kept:
        case {"size": int(size), "ways": [*ways]} if size >= 1 and set(ways) <= set(WAYS):
            return Packing(size, tuple(ways))
    return None


def best_packing(measured: Mapping[Way, Mapping[int, Measured]], size: int | None = None) -> Packing:
    """Give the way that trains fastest at its best size, then the other; those that do not serve are left out.

    >>> stacked, captured = {1: Measured(100, 0.1), 9: Measured(500, 0.1)}, {1: Measured(200, 0.1)}
    >>> best_packing({"stacked": stacked, "captured": captured})
    Packing(size=9, ways=('stacked', 'captured'))
    """
    best = {way: size or best_size(rates) for way, rates in measured.items() if rates}
    if not best:
        return Packing(size or 1, ())

    def rate(way: Way) -> float:
        found = measured[way].get(best[way])
        return found.rate if found is not None else 0.0

    ways = sorted(best, key=rate, reverse=True)
    return Packing(best[ways[0]], tuple(ways))


def measure(
    task: Task, device: torch.device, sizes: Sequence[int], way: Way = "stacked"
) -> dict[int, Measured]:
    """Train short packs of growing size on a device, until one does not fit; none if the way does not serve."""
    specs = [_spec(task, seed) for seed in range(max(*sizes, 2))]
    if why_not_together(task, specs[:2], device, way) is not None:
        return {}
    measured = {}
    for size in sizes:
        try:
            measured[size] = _measure_one(task, device, specs[:size], way)
        except torch.OutOfMemoryError:
            break
        if measured[size].memory * 2 > MEMORY_SHARE:  # the next is three times as large
            break
    return measured


def _measure_one(task: Task, device: torch.device, specs: Sequence[TrialSpec], way: Way) -> Measured:
    cuda = device.type == "cuda"
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    with tempfile.TemporaryDirectory(prefix="lrsearch-") as folder:
        replicas, turns = [], []
        for spec in specs:
            replicas.append(Replica(task, spec, Path(folder) / "none.pt"))
            turns.append(Turn(device))
        stack = Stack(replicas, turns, task.recipe, device, way)
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
