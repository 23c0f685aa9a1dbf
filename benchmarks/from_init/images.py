"""The training of images.yaml: a LightningModule that reads scikit-learn's handwritten digits."""

import torch
from lightning.pytorch import LightningModule, Trainer
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lrsearch import LiveTrial
from lrsearch.lightning import LRSearchCallback


class Digits(LightningModule):
    """Two convolutions; its optimizer comes from the trial, its validation logs what decides."""

    def __init__(self, trial: LiveTrial) -> None:
        super().__init__()
        self.trial = trial
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Give the optimizer that images.yaml describes."""
        return self.trial.optimizer(self)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Give the loss on a batch."""
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Log the loss on all data."""
        self.log("train_loss", self.training_step(batch), batch_size=len(batch[0]))


def train(trial: LiveTrial) -> None:
    """Train once, with what the trial says."""
    images, digits = (torch.tensor(array) for array in load_digits(return_X_y=True))
    data = TensorDataset(images.float().reshape(-1, 1, 8, 8) / 16, digits)
    trainer = Trainer(
        max_steps=trial.iterations,
        callbacks=[LRSearchCallback(trial)],
        accelerator=trial.device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    batches = DataLoader(data, batch_size=trial.arguments["batch_size"], shuffle=True)
    trainer.fit(Digits(trial), batches, DataLoader(data, len(data)))
