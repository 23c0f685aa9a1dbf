"""Handwritten digits of 8 x 8 pixels, bundled with scikit-learn: nothing to download."""

import functools

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsearch import Batches, Mean, Workload

TEST_EXAMPLES = 297  # of 1,797; leaves 1,500 to train on


def mlp(hidden: int = 32, batch_size: int = 64) -> Workload:
    """Two layers on 64 pixels."""
    images, labels = digits()
    train = images[TEST_EXAMPLES:], labels[TEST_EXAMPLES:]
    test = images[:TEST_EXAMPLES], labels[:TEST_EXAMPLES]
    return Workload(
        model=nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10)),
        batches=Batches(*train, batch_size=batch_size),
        loss=loss,
        metrics={"train_loss": Mean(loss, *train), "test": Mean(loss_and_accuracy, *test)},
    )


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """Pixels of 0 to 1 and labels, shuffled once: the file has the writers one after another."""
    bunch = load_digits()
    images = torch.tensor(bunch.data, dtype=torch.float32) / 16
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order], torch.tensor(bunch.target)[order]


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    images, labels = batch
    return cross_entropy(model(images), labels)


def loss_and_accuracy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    images, labels = batch
    logits = model(images)
    return {
        "loss": cross_entropy(logits, labels),
        "accuracy": (logits.argmax(dim=1) == labels).to(torch.float32).mean(),
    }
