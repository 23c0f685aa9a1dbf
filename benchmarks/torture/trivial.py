"""The cheapest workload there is: one number, one update, no checkpoint; what is left is the engine's own cost."""

import torch
from torch import nn

from lrsearch import Workload


class Batches:
    """There is nothing in a batch."""

    def batch(self, seed: int, iteration: int) -> None:
        """Give nothing."""


def trivial() -> Workload:
    """Make a model of one number, which is to be small."""
    model = nn.Linear(1, 1, bias=False)
    one = torch.ones(1, 1)
    return Workload(
        model=model,
        batches=Batches(),
        loss=lambda model, batch: model(one).square().sum(),
        metrics={"train_loss": lambda model, examples: float(model(one).square().sum())},
    )
