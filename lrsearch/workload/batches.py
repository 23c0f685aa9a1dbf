"""Batches cut from tensors in memory."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lrsearch.workload.devices import resident
from lrsearch.workload.interfaces import Augmentation, Transform
from lrsearch.workload.seeds import seed_of


class Batches:
    """Batches cut from tensors in memory, shuffled anew each epoch by the replica's seed.

    Args:
        tensors: one or more of the same first dimension (examples).
        batch_size: examples a batch; an epoch's last, incomplete batch is left out.
        transform: gets a batch's tensors, gives those that the loss gets.
        augment: changes the first tensor of each batch at random, before ``transform``; ``CropAndFlip`` does
            so with images.

    Raises:
        ValueError: the tensors differ in length, or are shorter than one batch.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        transform: Transform | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self._tensors = tensors
        self._batch_size = batch_size
        self._transform = transform
        self._augment = augment
        self._examples = common_length(tensors)
        if not 1 <= batch_size <= self._examples:
            raise ValueError(
                f"batch_size is {batch_size}; give 1 to {self._examples}, the number of examples"
            )
        self._epoch: tuple[tuple[int, int], tuple[Tensor, ...]] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """How many full batches one pass over the data gives."""
        return self._examples // self._batch_size

    def batch(self, seed: int, iteration: int) -> tuple[Tensor, ...]:
        """Give the batch of an iteration, counted from 0."""
        return self.cut(*self.numbers(seed, iteration))

    def numbers(self, seed: int, iteration: int) -> tuple[Tensor, ...]:
        """Give what tells a batch from others: its examples' indices ``[batch_size]``, and what was drawn for them."""
        epoch, position = divmod(iteration, self.batches_per_epoch)
        first = position * self._batch_size
        return tuple(numbers[first : first + self._batch_size] for numbers in self._numbers_of(seed, epoch))

    def cut(self, order: Tensor, *drawn: Tensor) -> tuple[Tensor, ...]:
        """Give the batch of what ``numbers`` gave."""
        # index_select takes half the time of tensor[order].
        tensors = tuple(tensor.index_select(0, order) for tensor in self._tensors)
        if self._augment:
            tensors = (self._augment(tensors[0], *drawn), *tensors[1:])
        return self._transform(*tensors) if self._transform else tensors

    def cuts_as(self, other: "Batches") -> bool:
        """Whether the other's ``cut`` gives the same: both hold the same tensors, and change them by the same."""
        return (
            len(self._tensors) == len(other._tensors)
            and all(a is b or _one_memory(a, b) for a, b in zip(self._tensors, other._tensors, strict=True))
            and self._batch_size == other._batch_size
            and self._transform == other._transform
            and self._augment == other._augment
        )

    def to(self, device: torch.device) -> "Batches":
        """Give the same batches, cut on another device; its copy of the data is shared by all in this process."""
        tensors = (resident(tensor, device) for tensor in self._tensors)
        return Batches(
            *tensors, batch_size=self._batch_size, transform=self._transform, augment=self._augment
        )

    def _numbers_of(self, seed: int, epoch: int) -> tuple[Tensor, ...]:
        """An epoch's order, and what its augmentation drew, in that order."""
        if self._epoch is None or self._epoch[0] != (seed, epoch):
            # Drawn on the CPU whatever the device, so that every device sees the same numbers.
            generator = torch.Generator().manual_seed(seed_of(seed, epoch))
            numbers = [torch.randperm(self._examples, generator=generator)]
            if self._augment:
                numbers += self._augment.draw(self._examples, generator)
            device = self._tensors[0].device
            self._epoch = (seed, epoch), tuple(tensor.to(device) for tensor in numbers)
        return self._epoch[1]


def common_length(tensors: Sequence[Tensor]) -> int:
    """Give how many examples tensors hold, all the same number.

    Raises:
        ValueError: they differ, or there are none.
    """
    lengths = {len(tensor) for tensor in tensors}
    if len(lengths) != 1:
        raise ValueError(
            f"the tensors hold {sorted(lengths)} examples; give one or more tensors of one length"
        )
    return lengths.pop()


def _one_memory(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are the same numbers in the same memory."""
    return (a.data_ptr(), a.shape, a.stride(), a.dtype, a.device) == (
        b.data_ptr(),
        b.shape,
        b.stride(),
        b.dtype,
        b.device,
    )
