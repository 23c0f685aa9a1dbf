"""The training of NAME.yaml: on which of two spirals does a point lie? Replace module and data by your own."""

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lrsearch import LiveTrial
from lrsearch.lightning import LRSearchCallback


class Spirals(LightningModule):
    """Your module: its optimizer comes from the trial, its validation logs what decides."""

    def __init__(self, trial: LiveTrial) -> None:
        super().__init__()
        self.trial = trial
        self.net = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Give the optimizer that NAME.yaml describes (or one of your own, with lr=self.trial.lr)."""
        return self.trial.optimizer(self)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Give the loss on a batch."""
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the loss on all training and all test data, under names that NAME.yaml uses."""
        name = ("train_loss", "test_loss")[dataloader_idx]
        self.log(name, self.training_step(batch), batch_size=len(batch[0]), add_dataloader_idx=False)


def train(trial: LiveTrial) -> None:
    """Train once, with what the trial says. torch, NumPy and Python's random are seeded before the call."""
    # Your data. What is to be the same for all seeds (the data itself, a split) has a generator of its own.
    points, spirals = two_spirals(2000, torch.Generator().manual_seed(0))
    train_set, test_set = (
        TensorDataset(points[:1500], spirals[:1500]),
        TensorDataset(points[1500:], spirals[1500:]),
    )

    trainer = Trainer(
        max_steps=trial.iterations,
        callbacks=[LRSearchCallback(trial)],
        accelerator=trial.device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    batches = DataLoader(train_set, batch_size=trial.arguments["batch_size"], shuffle=True)
    trainer.fit(Spirals(trial), batches, [DataLoader(train_set, 1500), DataLoader(test_set, 500)])


def two_spirals(examples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make points of the plane, and on which spiral each lies."""
    spirals = torch.randint(0, 2, (examples,), generator=generator)
    turns = torch.rand(examples, generator=generator)
    angles = 3 * torch.pi * turns + torch.pi * spirals
    noise = 0.06 * torch.randn(examples, 2, generator=generator)
    return turns[:, None] * torch.stack([angles.cos(), angles.sin()], dim=1) + noise, spirals
