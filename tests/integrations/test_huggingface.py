"""Hugging Face's Trainer with the callback: what is reported and when, how it ends, and what a user may have wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from lrsearch import LiveTrial
from lrsearch.errors import LoopError
from lrsearch.huggingface import LRSearchCallback
from lrsearch.trial import Diverged, Finished

DATA = [{"x": torch.randn(4, generator=torch.Generator().manual_seed(n))} for n in range(40)]
for row in DATA:
    row["labels"] = row["x"][:1] - row["x"][1:2]


class Regression(nn.Module):
    """A regression with dropout, which counts its training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.trained = 0

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        self.trained += self.training
        torch.rand(3 * (not self.training))  # evaluations that draw
        prediction = self.net(x)
        return {"loss": nn.functional.mse_loss(prediction, labels), "logits": prediction}


def loop_of(
    made: list[Regression] | None = None, eval_dataset: Any = DATA, **changed: Any
) -> Callable[[LiveTrial], None]:
    """A training with some arguments changed; the model goes to ``made``."""

    def loop(trial: LiveTrial) -> None:
        given = {
            "output_dir": ".",
            "save_strategy": "no",
            "max_steps": trial.iterations,
            "seed": trial.seed,
            "use_cpu": True,
            "lr_scheduler_type": "constant",
            "max_grad_norm": 0,
            "per_device_train_batch_size": 8,
        }
        model = Regression()
        if made is not None:
            made.append(model)
        trainer = Trainer(
            model,
            TrainingArguments(**(given | changed)),  # type: ignore[arg-type]
            train_dataset=DATA,  # type: ignore[arg-type]
            eval_dataset=eval_dataset,
            optimizers=(trial.optimizer(model), None),
        )
        trainer.add_callback(LRSearchCallback(trial, trainer))
        trainer.train()

    return loop


def test_what_evaluate_gives_is_reported_where_it_is_due(trained: Any) -> None:
    last = trained(loop_of(), metric="eval_loss")
    assert [e.iteration for e in last.curve] == [0, 5, 10, 12]
    assert all(e.metrics == {"eval_loss": e.value} for e in last.curve)
    assert last.outcome == Finished(last.curve[-1].value)
    assert last.curve[-1].value < 0.5 * last.curve[0].value


def test_several_datasets_have_their_own_names(trained: Any) -> None:
    last = trained(loop_of(eval_dataset={"train": DATA[:20], "test": DATA[20:]}), metric="train_loss")
    assert [sorted(e.metrics) for e in last.curve] == [["test_loss", "train_loss"]] * 4


def test_iteration_0_is_the_model_before_any_update(trained: Any) -> None:
    made: list[Regression] = []
    steps = trained.steps(loop_of(made), metric="eval_loss")
    first = next(steps)
    assert made[0].trained == 0
    with torch.no_grad():
        batch = {name: torch.stack([row[name] for row in DATA]) for name in ("x", "labels")}
        loss = made[0].eval()(**batch)["loss"]
    assert first.curve[0].value == pytest.approx(float(loss), rel=1e-6)
    steps.close()


def test_an_iteration_is_an_update_and_not_a_batch(trained: Any) -> None:
    made: list[Regression] = []
    last = trained(loop_of(made, gradient_accumulation_steps=2), metric="eval_loss")
    assert [e.iteration for e in last.curve] == [0, 5, 10, 12]
    assert made[0].trained == 20  # five batches an epoch make three updates: 2, 2 and 1


def test_how_often_it_evaluates_changes_nothing(trained: Any) -> None:
    once = trained(loop_of(), metric="eval_loss")
    twice = trained(loop_of(eval_dataset={"eval": DATA, "again": DATA}), metric="eval_loss")
    assert [e.value for e in once.curve] == [e.value for e in twice.curve]


def test_it_stops_when_it_is_told_to(trained: Any) -> None:
    made: list[Regression] = []
    steps = trained.steps(loop_of(made), metric="eval_loss")
    assert [next(steps).curve[-1].iteration for _ in range(2)] == [0, 5]
    steps.close()
    assert made[0].trained == 5


def test_a_loss_that_is_nan_is_a_divergence(trained: Any) -> None:
    assert trained(loop_of(), metric="eval_loss", lr=1e30).outcome == Diverged(5)


def test_a_model_of_transformers_needs_no_download(trained: Any) -> None:
    def loop(trial: LiveTrial) -> None:
        model = BertForSequenceClassification(
            BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                       intermediate_size=8, num_labels=3)
        )  # fmt: skip
        rows = [{"input_ids": [n % 9, n % 3], "labels": n % 3} for n in range(24)]
        arguments = TrainingArguments(
            ".", save_strategy="no", max_steps=12, seed=trial.seed, learning_rate=trial.lr, use_cpu=True
        )
        trainer = Trainer(model, arguments, train_dataset=rows, eval_dataset=rows)  # type: ignore[arg-type]
        trainer.add_callback(LRSearchCallback(trial, trainer))
        trainer.train()

    last = trained(loop, metric="eval_loss", lr=0.01)
    assert last.curve[-1].value < last.curve[0].value


def test_it_is_silent_and_leaves_nothing_behind(
    trained: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for disable_tqdm in (True, False):
        trained(loop_of(disable_tqdm=disable_tqdm, logging_steps=2), metric="eval_loss")
    assert tuple(capfd.readouterr()) == ("", "")
    assert [p.name for p in tmp_path.iterdir() if p.name != "checkpoints"] == []


WRONG: dict[str, tuple[Callable[[LiveTrial], None], str]] = {
    "no max_steps": (
        loop_of(max_steps=-1),
        "the Trainer makes 15 updates, and the trial's iterations are 12; give "
        "TrainingArguments(max_steps=trial.iterations)",
    ),
    "no seed": (
        loop_of(seed=42),
        "TrainingArguments has seed 42, and this training's is 0; give TrainingArguments(seed=trial.seed)",
    ),
    "nothing to evaluate on": (
        loop_of(eval_dataset=None),
        "the Trainer has nothing to evaluate on; give Trainer(eval_dataset=...), or "
        "eval_dataset={'train': ..., 'test': ...}: what it gives decides",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(trained: Any, case: str) -> None:
    loop, message = WRONG[case]
    assert trained.error(loop, metric="eval_loss") == message


def test_another_metric_than_what_is_given_is_one_line(trained: Any) -> None:
    assert trained.error(loop_of(), metric="train_loss") == (
        "integrated.yaml:4:10 metric.name is train_loss, which loop does not give; did you mean eval_loss?"
    )


def test_a_callback_wants_a_trial_and_a_trainer() -> None:
    with pytest.raises(
        LoopError, match=r"^LRSearchCallback got int for a LiveTrial; give it the trial that the loop"
    ):
        LRSearchCallback(3, None)  # type: ignore[arg-type]
