"""A Trainer in Ray's workers: the same command line as for any loop."""

from pathlib import Path

import pytest
import yaml

PROGRAM = """\
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lrsearch.lightning import LRSearchCallback

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
DATA = TensorDataset(X, X[:, :1] - X[:, 1:2])


class Regression(LightningModule):
    def __init__(self, make_optimizer):
        super().__init__()
        self.net = nn.Linear(4, 1)
        self.make_optimizer = make_optimizer

    def configure_optimizers(self):
        return self.make_optimizer(self)

    def training_step(self, batch):
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch):
        self.log("val_loss", self.training_step(batch), batch_size=len(batch[0]))


def train(trial):
    trainer = Trainer(max_steps=trial.iterations, callbacks=[LRSearchCallback(trial)], accelerator="cpu", devices=1,
                      logger=False, enable_checkpointing=False, enable_model_summary=False)
    trainer.fit(Regression(trial.optimizer), DataLoader(DATA, 8, shuffle=True), DataLoader(DATA, 64))
"""
TASK = """\
name: NAME
loop: regression.py:train
budget: {iterations: 16, evaluate_every: 8}
seeds: 2
metric: {name: val_loss}
optimizers:
  sgd: {lr: {start: 0.1}}
"""


def test_ray_finds_what_one_process_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started_ray: None
) -> None:
    from lrsearch.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "regression.py").write_text(PROGRAM)
    found = {}
    for engine in ("inline", "ray"):
        (tmp_path / f"{engine}.yaml").write_text(TASK.replace("NAME", engine))
        assert main(["run", f"{engine}.yaml", "--engine", engine]) == 0
        found[engine] = yaml.safe_load((tmp_path / "studies" / engine / "chosen.yaml").read_text())["chosen"]
    assert found["ray"] == found["inline"]
