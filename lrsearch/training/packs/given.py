"""The batches of all replicas of a pack, each replica's own, stacked."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lrsearch.training.packs.nested import Like, StackError, together
from lrsearch.training.replica import Replica
from lrsearch.workload import Batches, moved


class StackedBatches:
    """Gives a batch of each replica at once.

    Of ``Batches`` that share their data only the examples' numbers are stacked; ``cut`` then makes a batch of them
    where it is used.

    Args:
        replicas: of one workload.
        device: that they are on.
    """

    def __init__(self, replicas: Sequence[Replica], device: torch.device) -> None:
        self._replicas = replicas
        self._device = device
        batches = [replica.batches for replica in replicas]
        one = batches[0]
        self._cutting = (
            one
            if isinstance(one, Batches) and all(isinstance(b, Batches) and one.cuts_as(b) for b in batches)
            else None
        )

    @property
    def cut(self) -> Callable[..., Any] | None:
        """What makes a batch of a replica's numbers; None where whole batches are given."""
        return None if self._cutting is None else self._cutting.cut

    def __call__(self, batches: Sequence[int]) -> tuple[list[Tensor], Like]:
        """Give the batch of each replica by its number, counted from 0, or what ``cut`` makes it of.

        Raises:
            StackError: they differ in more than numbers.
        """
        each = [self._one(replica, batch) for replica, batch in zip(self._replicas, batches, strict=True)]
        tensors, like = together(each)
        if like is None:
            raise StackError("its batches are None")
        return tensors, like

    def _one(self, replica: Replica, batch: int) -> Any:
        if self._cutting is not None:
            return replica.batches.numbers(replica.spec.seed, batch)  # type: ignore[attr-defined]
        return moved(replica.batches.batch(replica.spec.seed, batch), self._device)
