"""What the parts of a workload have to be: any object that answers so will do."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

Batch = Any
Transform = Callable[..., tuple[Tensor, ...]]
"""Takes a batch's tensors, gives those that the loss gets (bytes to floats, say)."""
Metric = Callable[[nn.Module, int | None], "Tensor | float | Mapping[str, Tensor | float]"]
"""Takes the model in ``eval()`` mode and a number of examples (None: all); gives one value, or several by name."""


@runtime_checkable
class IndexedBatches(Protocol):
    """Batches as a function of the replica's seed and the iteration: resuming costs nothing."""

    def batch(self, seed: int, iteration: int) -> Batch:
        """Give the batch of an iteration, counted from 0."""
        ...


class Augmentation(Protocol):
    """A random change of a batch, in two halves: what is drawn, and what is done with it.

    The draws of an epoch are made at once, on the CPU, by the replica's own generator: they are the same on
    every device and at every candidate, and a batch costs an index and the operations themselves.
    """

    def draw(self, examples: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw an epoch's random numbers: one or more tensors ``[examples, ...]`` on the CPU."""
        ...

    def __call__(self, inputs: Tensor, *drawn: Tensor) -> Tensor:
        """Change a batch ``[batch, ...]`` by the rows of the draws that belong to its examples."""
        ...
