"""What CIFAR-100 and Tiny ImageNet share: augmented, normalised batches and two metrics."""

from collections.abc import Callable

import torch
from classification import loss, loss_and_accuracy
from torch import Tensor, nn

from lrsearch import Batches, CropAndFlip, Mean, Workload
from lrsearch.datasets import Images

Colour = tuple[float, float, float]
"""A value for each of red, green and blue."""


def colour_images(
    model: nn.Module,
    data: Images,
    normalise: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    *,
    padding: int,
    batch_size: int,
    channels_last: bool,
) -> Workload:
    """Train on crops of images padded by ``padding`` pixels, every other one mirrored; evaluate on them as they are."""
    train = data.train_images, data.train_labels
    test = data.test_images, data.test_labels
    return Workload(
        model=model.to(memory_format=torch.channels_last) if channels_last else model,
        batches=Batches(
            *train, batch_size=batch_size, transform=normalise, augment=CropAndFlip(padding=padding)
        ),
        loss=loss,
        metrics={
            "train_loss": Mean(loss, *train, batch_size=100, transform=normalise),
            "test": Mean(loss_and_accuracy, *test, batch_size=100, transform=normalise),
        },
    )


def normaliser(mean: Colour, std: Colour) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Give the transform from bytes [B, 3, H, W] to floats of mean 0 and standard deviation 1 in each channel.

    ``mean`` and ``std`` are those of the training images' pixels, with bytes taken for 0 to 1.
    """
    offset, scale = (torch.tensor(colour).view(3, 1, 1) for colour in (mean, std))

    def normalise(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return (images / 255 - offset.to(images.device)) / scale.to(images.device), labels

    return normalise
