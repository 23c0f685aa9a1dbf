"""Lightning's Trainer with the callback: what is reported and when, how it ends, and what a user may have wrong."""

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import lightning.pytorch
import pytest
import pytorch_lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lrsearch import LiveTrial
from lrsearch.errors import LoopError
from lrsearch.lightning import LRSearchCallback
from lrsearch.trial import Diverged, Finished


def data(count: int) -> TensorDataset:
    x = torch.randn(count, 4, generator=torch.Generator().manual_seed(0))
    return TensorDataset(x, x[:, :1] - x[:, 1:2])


def module_of(lightning: ModuleType, log: bool = True) -> type[Any]:
    """A regression with dropout and noise of its own in validation."""

    class Regression(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self, trial: LiveTrial) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
            self.trial = trial
            self.trained: list[int] = []

        def loss(self, batch: list[torch.Tensor]) -> torch.Tensor:
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
            self.trained.append(self.trainer.global_step)
            return self.loss(batch)

        def validation_step(self, batch: list[torch.Tensor]) -> None:
            torch.rand(3)
            if log:
                self.log("val_loss", self.loss(batch), batch_size=len(batch[0]))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return self.trial.optimizer(self.net)

    return Regression


def loop_of(
    lightning: ModuleType = lightning.pytorch,
    log: bool = True,
    validate: bool = True,
    made: list[Any] | None = None,
    kind: type[Any] | None = None,
    **changed: Any,
) -> Callable[[LiveTrial], None]:
    """A training with some arguments of the Trainer changed; the module, of ``kind``, goes to ``made``."""

    def loop(trial: LiveTrial) -> None:
        given = {
            "max_steps": trial.iterations,
            "accelerator": "cpu",
            "devices": 1,
            "logger": False,
            "enable_checkpointing": False,
            "enable_model_summary": False,
        }
        trainer = lightning.Trainer(callbacks=[LRSearchCallback(trial)], **(given | changed))
        module = (kind or module_of(lightning, log))(trial)
        if made is not None:
            made.append(module)
        loaders = DataLoader(data(40), 8, shuffle=True), DataLoader(data(40), 40) if validate else None
        trainer.fit(module, *loaders)

    return loop


@pytest.mark.parametrize("lightning", [lightning.pytorch, pytorch_lightning], ids=lambda m: m.__name__)
def test_what_validation_logs_is_reported_where_it_is_due(trained: Any, lightning: ModuleType) -> None:
    last = trained(loop_of(lightning))
    assert [e.iteration for e in last.curve] == [0, 5, 10, 12]
    assert all(e.metrics == {"val_loss": e.value} for e in last.curve)
    assert last.outcome == Finished(last.curve[-1].value)
    assert last.curve[-1].value < 0.5 * last.curve[0].value


def test_iteration_0_is_the_model_before_any_update(trained: Any) -> None:
    made: list[Any] = []
    steps = trained.steps(loop_of(made=made))
    first = next(steps)
    module = made[0].eval()
    assert module.trained == []
    with torch.no_grad():
        loss = module.loss(data(40).tensors)
    assert first.curve[0].value == pytest.approx(float(loss), rel=1e-6)
    steps.close()


def test_several_loaders_are_heard_from_the_first(trained: Any) -> None:
    class Both(module_of(lightning.pytorch)):  # type: ignore[misc]
        def validation_step(self, batch: list[torch.Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
            self.log(("train_loss", "val_loss")[dataloader_idx], self.loss(batch), add_dataloader_idx=False)

    def loop(trial: LiveTrial) -> None:
        trainer = lightning.pytorch.Trainer(
            max_steps=trial.iterations, callbacks=[LRSearchCallback(trial)], accelerator="cpu", devices=1,
            logger=False, enable_checkpointing=False, enable_model_summary=False,
        )  # fmt: skip
        loaders = [DataLoader(data(40), 40), DataLoader(data(20), 20)]
        trainer.fit(Both(trial), DataLoader(data(40), 8, shuffle=True), loaders)

    assert [sorted(e.metrics) for e in trained(loop).curve] == [["train_loss", "val_loss"]] * 4


@pytest.mark.parametrize("on_epoch", [False, True])
def test_what_training_logs_is_not_reported(trained: Any, on_epoch: bool) -> None:
    class Logging(module_of(lightning.pytorch)):  # type: ignore[misc]
        def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
            loss = self.loss(batch)
            self.log("train_loss", loss, on_step=True, on_epoch=on_epoch)
            self.log("val_loss", loss)
            return loss

    assert [sorted(e.metrics) for e in trained(loop_of(kind=Logging)).curve] == [["val_loss"]] * 4
    assert trained(loop_of(kind=Logging)).curve == trained(loop_of()).curve


def test_an_iteration_is_an_update_and_not_a_batch(trained: Any) -> None:
    made: list[Any] = []
    last = trained(loop_of(made=made, accumulate_grad_batches=2))
    assert [e.iteration for e in last.curve] == [0, 5, 10, 12]
    assert len(made[0].trained) == 20  # five batches an epoch make three updates: 2, 2 and 1


def test_validating_changes_nothing_in_the_training(trained: Any) -> None:
    once = trained(loop_of(limit_val_batches=1))
    assert once.curve == trained(loop_of(val_check_interval=2, num_sanity_val_steps=1)).curve

    def without(trial: LiveTrial) -> None:
        trainer = lightning.pytorch.Trainer(
            max_steps=12, accelerator="cpu", logger=False, enable_checkpointing=False, limit_val_batches=0,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        module = module_of(lightning.pytorch)(trial)
        trainer.fit(module, DataLoader(data(40), 8, shuffle=True))
        with torch.no_grad():
            losses.append(float(module.eval().loss(data(40).tensors)))

    losses: list[float] = []
    trained(without)
    assert once.curve[-1].value == pytest.approx(losses[0], rel=1e-6)


def test_it_stops_when_it_is_told_to(trained: Any) -> None:
    made: list[Any] = []
    steps = trained.steps(loop_of(made=made))
    assert [next(steps).curve[-1].iteration for _ in range(2)] == [0, 5]
    steps.close()
    assert len(made[0].trained) == 5


def test_a_loss_that_is_nan_is_a_divergence(trained: Any) -> None:
    last = trained(loop_of(), lr=1e30)
    assert last.outcome == Diverged(5)
    assert all(math.isfinite(e.value) for e in last.curve)


def test_it_is_silent_and_leaves_nothing_behind(
    trained: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    trained(loop_of())
    assert tuple(capfd.readouterr()) == ("", "")
    assert [str(w.message) for w in recwarn if "sklearn" not in str(w.message)] == []
    assert [p.name for p in tmp_path.iterdir() if p.name != "checkpoints"] == []


WRONG: dict[str, tuple[Callable[[LiveTrial], None], str]] = {
    "no max_steps": (
        loop_of(max_steps=-1, max_epochs=3),
        "the Trainer's max_steps is -1, and the trial's iterations are 12; give "
        "Trainer(max_steps=trial.iterations)",
    ),
    "max_epochs": (
        loop_of(max_epochs=1),
        "the Trainer ended after 5 of 12 updates; let max_steps alone end it: no max_epochs, no max_time, no early "
        "stopping",
    ),
    "nothing to validate with": (
        loop_of(validate=False),
        "the Trainer has nothing to validate with; give trainer.fit val_dataloaders, the module a validation_step, and "
        "no limit_val_batches=0: what it logs decides",
    ),
    "nothing logged": (
        loop_of(log=False),
        "the validation logged nothing; let validation_step log what decides, such as self.log('val_loss', loss)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(trained: Any, case: str) -> None:
    loop, message = WRONG[case]
    assert trained.error(loop) == message


def test_another_metric_than_what_is_logged_is_one_line(trained: Any) -> None:
    assert trained.error(loop_of(), metric="train_loss") == (
        "integrated.yaml:4:10 metric.name is train_loss, which loop does not give; did you mean val_loss?"
    )


def test_a_callback_wants_a_trial() -> None:
    with pytest.raises(LoopError, match=r"^LRSearchCallback got int; give it the trial that the loop gets"):
        LRSearchCallback(3)  # type: ignore[arg-type]
