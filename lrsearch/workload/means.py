"""Metrics that are means over examples in memory."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from lrsearch.workload.batches import common_length
from lrsearch.workload.devices import resident
from lrsearch.workload.interfaces import Transform


class Mean:
    """A metric: the mean of a function over the examples of tensors in memory.

    Args:
        function: gets the model and a batch of the tensors, gives the batch's mean (a scalar tensor), or
            several by name.
        tensors: one or more of the same first dimension (examples).
        batch_size: examples evaluated at a time.
        transform: as for ``Batches``, without augmentation.

    Asked for fewer examples than there are, it takes a fixed sample: the same for every model, seed and run.

    Raises:
        ValueError: the tensors differ in length, or are empty.
    """

    def __init__(
        self,
        function: Callable[[nn.Module, tuple[Tensor, ...]], Tensor | Mapping[str, Tensor]],
        *tensors: Tensor,
        batch_size: int = 1000,
        transform: Transform | None = None,
    ) -> None:
        self._function = function
        self._tensors = tensors
        self._batch_size = batch_size
        self._transform = transform
        self._examples = common_length(tensors)
        if not self._examples:
            raise ValueError("there are no examples to take a mean over")
        self._samples: dict[int, Sequence[Tensor]] = {}

    def count(self, examples: int | None) -> int:
        """Give how many examples it evaluates when asked for ``examples`` (None: all)."""
        return self._examples if examples is None else min(examples, self._examples)

    def __call__(self, model: nn.Module, examples: int | None) -> Tensor | dict[str, Tensor]:
        """Give the mean over ``examples`` examples (None: all)."""
        tensors = self._sample(examples)
        total: dict[str | None, Tensor] = {}
        count = len(tensors[0])
        for batch in zip(*(torch.split(tensor, self._batch_size) for tensor in tensors), strict=True):
            weight = len(batch[0]) / count
            result = self._function(model, self._transform(*batch) if self._transform else batch)
            parts = result.items() if isinstance(result, Mapping) else [(None, result)]
            for name, value in parts:
                # Summed in double precision: a float32 sum over many batches loses digits that rates differ in.
                total[name] = total.get(name, 0) + value.double() * weight
        return total[None] if None in total else {str(name): value for name, value in total.items()}

    def to(self, device: torch.device) -> "Mean":
        """Give the same metric over tensors on another device."""
        tensors = (resident(tensor, device) for tensor in self._tensors)
        return Mean(self._function, *tensors, batch_size=self._batch_size, transform=self._transform)

    def _sample(self, examples: int | None) -> Sequence[Tensor]:
        if examples is None or examples >= self._examples:
            return self._tensors
        if examples not in self._samples:
            order = torch.randperm(self._examples, generator=torch.Generator().manual_seed(0))[:examples]
            chosen = order.to(self._tensors[0].device)
            self._samples[examples] = [tensor[chosen] for tensor in self._tensors]
        return self._samples[examples]
