"""What a stack asks of that which runs its forward and backward passes."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from torch import Tensor

Way = Literal["stacked", "captured"]
"""How they are run: all as one by ``vmap``, or each recorded and all played back together."""
WAYS: tuple[Way, ...] = ("stacked", "captured")


class Passes(Protocol):
    """Runs the forward and backward passes of all replicas of a stack."""

    def __call__(self, batches: Sequence[int], gradient: Tensor) -> Tensor:
        """Take a gradient of every replica.

        Args:
            batches: which batch of each replica, counted from 0.
            gradient: ``[rows, columns]``, is written over.

        Returns:
            The losses ``[rows]``.
        """
        ...

    def carried(self) -> list[Any]:
        """Give what each replica carries on to its next batch, and let all else of it stand as if it was alone."""
        ...
