"""The training of tabular.yaml: how a diabetes develops within a year, from ten features (scikit-learn's data)."""

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn

from lrsearch import LiveTrial


def train(trial: LiveTrial) -> None:
    """Train once, with what the trial says, and report to it."""
    table, targets = (torch.tensor(array, dtype=torch.float32) for array in load_diabetes(return_X_y=True))
    table = (table - table.mean(0)) / table.std(0)
    targets = ((targets - targets.mean()) / targets.std())[:, None]

    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = trial.optimizer(model)

    for iteration in range(trial.iterations + 1):
        if trial.is_due(iteration) and trial.report(iteration, train_loss=loss_of(model, table, targets)):
            return
        rows = torch.randint(0, len(table), (trial.arguments["batch_size"],))
        optimizer.zero_grad()
        nn.functional.mse_loss(model(table[rows]), targets[rows]).backward()
        optimizer.step()


@torch.no_grad()
def loss_of(model: nn.Module, table: Tensor, targets: Tensor) -> Tensor:
    """Give the mean loss over all rows."""
    return nn.functional.mse_loss(model(table), targets)
