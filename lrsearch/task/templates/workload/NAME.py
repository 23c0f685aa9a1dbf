"""The workload of NAME.yaml: on which of two spirals does a point lie? Replace it by your model and data."""

import torch
from torch import Tensor, nn

from lrsearch import Batches, Mean, Workload


def workload(batch_size: int = 32, width: int = 64) -> Workload:
    """Make the model and its data; called once a training, with the arguments of the task file.

    The random state is seeded before the call: each seed of a search has its own initial weights, the same
    for every candidate.
    """
    # Your model, on the CPU: it is moved to where it trains.
    model = nn.Sequential(
        nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
    )

    # Your data, as tensors whose first dimension counts examples. What is to be the same for all seeds (the
    # data itself, a split) has a generator of its own.
    points, spirals = _two_spirals(2000, torch.Generator().manual_seed(0))
    train = points[:1500], spirals[:1500]
    test = points[1500:], spirals[1500:]

    return Workload(
        model=model,
        batches=Batches(*train, batch_size=batch_size),  # or a DataLoader
        loss=_loss,
        metrics={
            "train_loss": Mean(_loss, *train),
            "test": Mean(_loss_and_accuracy, *test),  # gives test_loss and test_accuracy
        },
    )


def _loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    # Your loss, a scalar.
    inputs, targets = batch
    return nn.functional.cross_entropy(model(inputs), targets)


def _loss_and_accuracy(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    inputs, targets = batch
    outputs = model(inputs)
    return {
        "loss": nn.functional.cross_entropy(outputs, targets),
        "accuracy": (outputs.argmax(dim=1) == targets).float().mean(),
    }


def _two_spirals(examples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    spirals = torch.randint(0, 2, (examples,), generator=generator)
    turns = torch.rand(examples, generator=generator)
    angles = 3 * torch.pi * turns + torch.pi * spirals
    noise = 0.06 * torch.randn(examples, 2, generator=generator)
    return turns[:, None] * torch.stack([angles.cos(), angles.sin()], dim=1) + noise, spirals
