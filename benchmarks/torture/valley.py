"""The workload of valley.yaml. A checkpoint is due after every evaluation, so that kills fall into writing them too."""

import os
import time

import torch
from torch import nn

from lrsearch import Workload
from lrsearch.training import replica
from lrsearch.workload import seed_of

replica.CHECKPOINT_SECONDS = 0
replica.CHECKPOINT_SHARE = 1e9
PACE = float(os.environ.get("TORTURE_PACE", "0"))
"""Seconds that a batch takes, so that there is something to be killed in."""


class Model(nn.Module):
    """Eight numbers that are to be small."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.randn(8))


class Noise:
    """A batch is noise, by seed and iteration."""

    def batch(self, seed: int, iteration: int) -> torch.Tensor:
        """Give the noise of an iteration."""
        if PACE:
            time.sleep(PACE)
        return 0.1 * torch.randn(8, generator=torch.Generator().manual_seed(seed_of(seed, iteration)))


def loss(model: Model, noise: torch.Tensor) -> torch.Tensor:
    """A quadratic bowl, tilted by the noise."""
    return (model.x**2 / 2 + noise * model.x).sum()


def valley() -> Workload:
    """Make the model and its noise."""
    return Workload(
        model=Model(),
        batches=Noise(),
        loss=loss,
        metrics={"train_loss": lambda model, examples: float((model.x.detach() ** 2).sum() / 2)},
    )
