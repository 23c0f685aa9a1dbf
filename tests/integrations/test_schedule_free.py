"""Schedule-Free optimizers under the Trainers: evaluated by their averages, trained by the others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightning.pytorch
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from lrsearch import LiveTrial
from lrsearch.huggingface import LRSearchCallback as HuggingFaceCallback
from lrsearch.lightning import LRSearchCallback

ROWS = [{"x": torch.randn(4, generator=torch.Generator().manual_seed(n))} for n in range(40)]
for row in ROWS:
    row["labels"] = row["x"][:1] - row["x"][1:2]
ENTRIES = [
    f'{{base: "{base}", lr: {{start: 0.1}}{cprop}}}'
    for base in ("schedulefree:SGDScheduleFree", "pytorch_optimizer:ScheduleFreeSGD")
    for cprop in ("", ", cprop: {}")
]
Seen = set[tuple[bool, bool]]
"""Of each pass after the first step: whether the model trained, and whether the optimizer was in its mode for that."""


class Regression(nn.Module):
    """Looks at its optimizer at each pass."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.net = nn.Linear(4, 1)
        self.seen = seen
        self.optimizer: list[torch.optim.Optimizer] = []

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        group = self.optimizer[0].param_groups[0]
        if group["weight_sum"]:
            self.seen.add((self.training, group["train_mode"]))
        prediction = self.net(x)
        return {"loss": nn.functional.mse_loss(prediction, labels), "logits": prediction}


def hugging_face(seen: Seen) -> Callable[[LiveTrial], None]:
    def loop(trial: LiveTrial) -> None:
        model = Regression(seen)
        optimizer = trial.optimizer(model)
        model.optimizer.append(optimizer)
        arguments = TrainingArguments(
            ".",
            save_strategy="no",
            max_steps=trial.iterations,
            seed=trial.seed,
            use_cpu=True,
            max_grad_norm=0,
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=ROWS,  # type: ignore[arg-type]
            eval_dataset=ROWS,  # type: ignore[arg-type]
            optimizers=(optimizer, None),
        )
        trainer.add_callback(HuggingFaceCallback(trial, trainer))
        trainer.train()

    return loop


class Module(lightning.pytorch.LightningModule):
    """Leaves the optimizer's mode to the callback."""

    def __init__(self, trial: LiveTrial, seen: Seen) -> None:
        super().__init__()
        self.net = Regression(seen)
        self.trial = trial

    def training_step(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.net(**batch)["loss"]

    def validation_step(self, batch: dict[str, torch.Tensor]) -> None:
        self.log("eval_loss", self.net(**batch)["loss"], batch_size=40)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self.trial.optimizer(self.net)
        self.net.optimizer.append(optimizer)
        return optimizer


class Early(Module):
    """Sets the optimizer's mode itself, as early as it can."""

    def on_train_start(self) -> None:
        self.trainer.optimizers[0].train()  # type: ignore[attr-defined]

    def on_validation_model_eval(self) -> None:
        super().on_validation_model_eval()
        self.trainer.optimizers[0].eval()  # type: ignore[attr-defined]

    def on_validation_epoch_end(self) -> None:
        self.trainer.optimizers[0].train()  # type: ignore[attr-defined]


class Late(Module):
    """Sets the optimizer's mode itself, as late as it can."""

    def on_train_batch_start(self, *_: Any) -> None:
        self.trainer.optimizers[0].train()  # type: ignore[attr-defined]

    def on_validation_batch_start(self, *_: Any) -> None:
        self.trainer.optimizers[0].eval()  # type: ignore[attr-defined]


def in_lightning(seen: Seen, kind: type[Module] = Module) -> Callable[[LiveTrial], None]:
    def loop(trial: LiveTrial) -> None:
        trainer = lightning.pytorch.Trainer(
            max_steps=trial.iterations, callbacks=[LRSearchCallback(trial)], accelerator="cpu", devices=1,
            logger=False, enable_checkpointing=False, enable_model_summary=False,
        )  # fmt: skip
        loaders = DataLoader(ROWS, 8, shuffle=True), DataLoader(ROWS, 40)  # type: ignore[arg-type]
        trainer.fit(kind(trial, seen), *loaders)

    return loop


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("loop_of", [hugging_face, in_lightning])
def test_passes_are_in_the_mode_that_they_are_for(
    trained: Any, loop_of: Callable[[Seen], Callable[[LiveTrial], None]], entry: str
) -> None:
    seen: Seen = set()
    last = replace(trained, entry=entry)(loop_of(seen), metric="eval_loss")
    assert [e.iteration for e in last.curve] == [0, 5, 10, 12]
    assert seen == {(True, True), (False, False)}


@pytest.mark.parametrize("kind", [Early, Late])
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_module_may_set_the_mode_itself(trained: Any, entry: str, kind: type[Module]) -> None:
    seen: Seen = set()
    entered = replace(trained, entry=entry)
    own = entered(in_lightning(seen, kind), metric="eval_loss")
    assert seen == {(True, True), (False, False)}
    left = entered(in_lightning(set()), metric="eval_loss")
    assert [e.value for e in own.curve] == pytest.approx([e.value for e in left.curve], rel=1e-5)
