"""What a search chose, in the Trainers: the optimizer and the schedule of chosen.yaml are those that they step."""

from pathlib import Path
from typing import Any

import lightning.pytorch
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

import lrsearch
from lrsearch.training.chosen import Chosen

ITERATIONS = 12
RECIPE = {"schedule": {"name": "CosineAnnealingLR", "T_max": ITERATIONS - 2}, "warmup": 2}
DATA = [{"x": torch.randn(4, generator=torch.Generator().manual_seed(n))} for n in range(32)]


def workload() -> lrsearch.Workload:
    def loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        (x,) = batch
        return nn.functional.mse_loss(model(x), x[:, :1])

    x = torch.stack([row["x"] for row in DATA])
    return lrsearch.Workload(
        nn.Linear(4, 1), lrsearch.Batches(x, batch_size=8), loss, {"train_loss": lrsearch.Mean(loss, x)}
    )


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Chosen:
    found = lrsearch.search(
        workload=workload, start=0.1, iterations=ITERATIONS, evaluate_every=ITERATIONS, seeds=1, recipe=RECIPE,
        studies=tmp_path_factory.mktemp("studies"), progress=False, cpus=1,
    )  # fmt: skip
    return lrsearch.load_chosen(found.folder / "chosen.yaml")["sgd"]


@pytest.fixture
def rates(chosen: Chosen) -> list[float]:
    """The rate of each update, from the schedule alone."""
    optimizer, schedule = chosen.build_with_schedule(nn.Linear(1, 1), ITERATIONS)
    assert schedule is not None
    found = []
    for _ in range(ITERATIONS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert len(set(found)) > 3
    return found


def test_lightning_trains_at_the_chosen_rates(chosen: Chosen, rates: list[float]) -> None:
    seen: list[float] = []

    class Module(lightning.pytorch.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 1)

        def training_step(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(self.trainer.optimizers[0].param_groups[0]["lr"])
            return self.net(batch).square().mean()

        def configure_optimizers(self) -> Any:
            optimizer, schedule = chosen.build_with_schedule(self, self.trainer.max_steps)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    trainer = lightning.pytorch.Trainer(
        max_steps=ITERATIONS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Module(), DataLoader([row["x"] for row in DATA], 8))  # type: ignore[arg-type]
    assert seen == rates


def test_hugging_face_trains_at_the_chosen_rates(chosen: Chosen, rates: list[float], tmp_path: Path) -> None:
    seen: list[float] = []

    class Rates(TrainerCallback):
        def on_step_begin(self, *_: Any, optimizer: torch.optim.Optimizer, **others: Any) -> None:
            seen.append(optimizer.param_groups[0]["lr"])

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": self.net(x).square().mean()}

    model = Model()
    arguments = TrainingArguments(
        str(tmp_path), max_steps=ITERATIONS, use_cpu=True, disable_tqdm=True, save_strategy="no"
    )
    Trainer(
        model, arguments, train_dataset=DATA, callbacks=[Rates()],
        optimizers=chosen.build_with_schedule(model, ITERATIONS),
    ).train()  # type: ignore[arg-type]  # fmt: skip
    assert seen == rates
