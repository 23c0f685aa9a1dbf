"""A small task for packs, as a user would write it, in several kinds."""

WORKLOAD = '''
import torch
from torch import nn

from lrsearch import Batches, Mean, Workload


def loss(model, batch):
    x, y = batch
    return (model(x) - y).square().mean()


def loss_with_memory(model, batch, memory):
    x, y = batch
    return (model(x) - y - 0.1 * memory["mean"]).square().mean(), {"mean": 0.9 * memory["mean"] + 0.1 * y.mean()}


class Shuffled:
    """Batches that are the user's own, of one size or several."""

    def __init__(self, x, y, kinds=1):
        self.x, self.y, self.kinds = x, y, kinds

    def batch(self, seed, iteration):
        rows = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(1000 * seed + iteration))
        rows = rows[: 8 + iteration % self.kinds]
        return self.x[rows], self.y[rows]


KINDS = {"own batches": 1, "two kinds": 2, "many kinds": 7}


def make(kind="plain"):
    fixed = torch.Generator().manual_seed(0)
    x = torch.randn(64, 6, generator=fixed)
    y = x[:, :1] * 2 - x[:, 1:2] + 0.1 * torch.randn(64, 1, generator=fixed)
    middle = nn.BatchNorm1d(8) if kind == "batch norm" else nn.Dropout(0.5) if kind == "dropout" else nn.Identity()
    model = nn.Sequential(nn.Linear(6, 8), middle, nn.Tanh(), nn.Linear(8, 1))
    return Workload(
        model=model,
        batches=Shuffled(x, y, KINDS[kind]) if kind in KINDS else Batches(x, y, batch_size=8),
        loss=loss_with_memory if kind == "carried" else loss,
        metrics={"train_loss": Mean(loss, x, y)},
        carried={"mean": torch.zeros(())} if kind == "carried" else None,
    )
'''
TASK = """
name: packs
workload: packed.py:make
arguments: {kind: plain}
budget: {iterations: 20, evaluate_every: 5}
optimizers:
  one: OPTIMIZER
"""
SGD = "{base: sgd, lr: {start: 0.1}}"
