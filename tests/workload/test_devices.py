"""Data on a device is held once a process, whoever asks for it."""

import gc
import weakref

import torch

from lrsearch import Batches, Mean
from lrsearch.workload import resident

OTHER = torch.device("meta")
"""A device that every machine has, and that is not the CPU."""


def test_a_tensor_has_one_copy_a_device() -> None:
    tensor = torch.arange(10)
    assert resident(tensor, OTHER) is resident(tensor, OTHER)


def test_a_tensor_that_is_there_is_not_copied() -> None:
    tensor = torch.arange(10)
    assert resident(tensor, torch.device("cpu")) is tensor


def test_equal_tensors_are_kept_apart() -> None:
    assert resident(torch.zeros(3), OTHER) is not resident(torch.zeros(3), OTHER)


def test_a_copy_goes_when_its_tensor_goes() -> None:
    tensor = torch.arange(10)
    copy = weakref.ref(resident(tensor, OTHER))
    del tensor
    gc.collect()
    assert copy() is None


def test_batches_and_metrics_of_several_replicas_share_their_data() -> None:
    images, labels = torch.zeros(10, 2), torch.zeros(10)

    def loss(model: torch.nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return batch[0].mean()

    held = [
        tensor
        for _ in range(2)
        for thing in (Batches(images, labels, batch_size=2), Mean(loss, images, labels))
        for tensor in thing.to(OTHER)._tensors
    ]
    assert len({id(tensor) for tensor in held}) == 2
