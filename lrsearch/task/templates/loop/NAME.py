"""The training of NAME.yaml: on which of two spirals does a point lie? Replace it by your own."""

import torch
from torch import Tensor, nn

from lrsearch import LiveTrial


def train(trial: LiveTrial) -> None:
    """Train once, with what the trial says, and report to it.

    torch, NumPy and Python's random are seeded before the call: each seed of a search has its own initial weights
    and data order, the same for every candidate.
    """
    # Your data. What is to be the same for all seeds (the data itself, a split) has a generator of its own.
    points, spirals = two_spirals(2000, torch.Generator().manual_seed(0))
    points, spirals = points.to(trial.device), spirals.to(trial.device)
    train_set = points[:1500], spirals[:1500]
    test_set = points[1500:], spirals[1500:]

    # Your model, and the optimizer that NAME.yaml describes (or one of your own, with lr=trial.lr).
    model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    model.to(trial.device)
    optimizer = trial.optimizer(model)

    for iteration in range(trial.iterations + 1):
        if trial.is_due(iteration):  # at 0, before any update; every evaluate_every; at the end
            metrics = {"train_loss": loss_of(model, *train_set), "test_loss": loss_of(model, *test_set)}
            if trial.report(iteration, **metrics):
                return
        # Your update.
        rows = torch.randint(0, 1500, (trial.arguments["batch_size"],), device=trial.device)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(train_set[0][rows]), train_set[1][rows]).backward()
        optimizer.step()


@torch.no_grad()
def loss_of(model: nn.Module, points: Tensor, spirals: Tensor) -> Tensor:
    """Give the mean loss over all of some examples: far less noisy than that of the last batch."""
    model.eval()
    loss = nn.functional.cross_entropy(model(points), spirals)
    model.train()
    return loss


def two_spirals(examples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make points of the plane, and on which spiral each lies."""
    spirals = torch.randint(0, 2, (examples,), generator=generator)
    turns = torch.rand(examples, generator=generator)
    angles = 3 * torch.pi * turns + torch.pi * spirals
    noise = 0.06 * torch.randn(examples, 2, generator=generator)
    return turns[:, None] * torch.stack([angles.cos(), angles.sin()], dim=1) + noise, spirals
