"""The least that an update can take: its arithmetic at the measured matrix rate, its bytes at the copy rate."""

import time
from dataclasses import dataclass
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from lrsearch.training.replica import Replica

PASSES_OVER_PARAMETERS = 6
"""Forward and backward read them, backward writes the gradient, and plain SGD reads both and writes them."""
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Rates:
    """What a device does at its best: floating-point operations, and bytes read or written, a second."""

    operations: float
    bytes: float

    def floor(self, work: "Work") -> float:
        """Give the seconds that some work takes at least.

        >>> Rates(100.0, 10.0).floor(Work(200, 5))
        2.0
        """
        return max(work.operations / self.operations, work.bytes / self.bytes)


@dataclass(frozen=True, slots=True)
class Work:
    """What an update of a replica has to do at least."""

    operations: int
    bytes: int


def rates_of(device: torch.device, side: int | None = None) -> Rates:
    """Measure a device by a matrix product in float32 and a copy, both large; medians."""
    side = side or (8192 if device.type == "cuda" else 2048)
    one, other = (torch.rand(side, side, device=device) for _ in range(2))
    into = torch.empty_like(one)
    product = _seconds(lambda: torch.mm(one, other, out=into), device)
    copy = _seconds(lambda: into.copy_(one), device)
    return Rates(2 * side**3 / product, 2 * one.nbytes / copy)


def work_of(replica: Replica, at: int) -> Work:
    """Count the operations of a replica's next update, which is made, and its bytes.

    Args:
        replica: one that has taken its first updates.
        at: how many.
    """
    with FlopCounterMode(display=False) as counter:
        replica.train_to(at + 1)
    parameters = sum(p.nbytes for p in replica.workload.model.parameters() if p.requires_grad)
    return Work(counter.get_total_flops(), PASSES_OVER_PARAMETERS * parameters)


def _seconds(call: object, device: torch.device) -> float:
    assert callable(call)
    taken = []
    for _ in range(_REPEATS + 1):
        began = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - began)
    return median(taken[1:])  # the first one prepares
