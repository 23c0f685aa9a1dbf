"""Is it the same search, whatever trains? One training written as a workload, a loop, for Lightning and Hugging Face.

    python benchmarks/four_ways.py [--iterations 300] [--seeds 3]

A small network on scikit-learn's digits with AdamW: the same initial weights, batches and evaluations for a seed, by
each framework's own loop. Prints what each way chose, the mean end losses of all candidates and the largest difference
of any training's to the workload's; writes JSON beside itself. Needs
``pip install "lrsearch[examples,lightning,huggingface]"``.
"""

import argparse
import functools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch
import torch
import transformers
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset

import lrsearch
from lrsearch.huggingface import LRSearchCallback as HuggingFaceCallback
from lrsearch.lightning import LRSearchCallback as LightningCallback

BATCH_SIZE = 32
START = 1e-3
SAME = 1e-5
"""Relative: what float32 rounding may differ by, where nothing else does."""


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """Pixels of 0 to 1, and labels."""
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)


def network() -> nn.Module:
    """Two layers."""
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of a batch."""
    return cross_entropy(model(batch[0]), batch[1])


def batches_of(trial: lrsearch.LiveTrial) -> Iterator[tuple[Tensor, ...]]:
    """The batches that a workload of the same seed trains on."""
    batches = lrsearch.Batches(*digits(), batch_size=BATCH_SIZE)
    return (batches.batch(trial.seed, iteration) for iteration in range(trial.iterations))


class Stream(IterableDataset[Any]):
    """What a function yields, in its order."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Any]:
        return self._make()


def workload() -> lrsearch.Workload:
    """As a workload: lrsearch trains."""
    return lrsearch.Workload(
        model=network(),
        batches=lrsearch.Batches(*digits(), batch_size=BATCH_SIZE),
        loss=loss_of,
        metrics={"train_loss": lrsearch.Mean(loss_of, *digits())},
    )


def loop(trial: lrsearch.LiveTrial) -> None:
    """As a loop in plain PyTorch."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=trial.lr)
    batches = batches_of(trial)
    for iteration in range(trial.iterations + 1):
        if trial.is_due(iteration):
            with torch.no_grad():
                loss = loss_of(model, digits())
            if trial.report(iteration, train_loss=loss):
                return
        optimizer.zero_grad()
        loss_of(model, next(batches)).backward()
        optimizer.step()


class Module(lightning.pytorch.LightningModule):
    """The network as a LightningModule."""

    def __init__(self, trial: lrsearch.LiveTrial) -> None:
        super().__init__()
        self.network = network()
        self.rate = trial.lr

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.rate)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return loss_of(self.network, batch)

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self.log("train_loss", loss_of(self.network, batch), batch_size=len(batch[0]))


def lightning_loop(trial: lrsearch.LiveTrial) -> None:
    """As a Lightning Trainer."""
    trainer = lightning.pytorch.Trainer(
        max_steps=trial.iterations,
        callbacks=[LightningCallback(trial)],
        accelerator=trial.device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    training = DataLoader(Stream(lambda: batches_of(trial)), batch_size=None)
    trainer.fit(Module(trial), training, DataLoader([digits()], batch_size=None))  # type: ignore[arg-type]


class WithLoss(nn.Module):
    """The network as transformers calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": loss_of(self.network, (images, labels))}


def huggingface_loop(trial: lrsearch.LiveTrial) -> None:
    """As a Trainer of transformers: no falling rate, no clipping, and no weight decay but AdamW's own."""
    arguments = transformers.TrainingArguments(
        output_dir=".",
        save_strategy="no",
        max_steps=trial.iterations,
        seed=trial.seed,
        use_cpu=True,
        lr_scheduler_type="constant",
        max_grad_norm=0,
        per_device_train_batch_size=BATCH_SIZE,
        per_device_eval_batch_size=len(digits()[0]),
    )
    model = WithLoss()
    trainer = transformers.Trainer(
        model,
        arguments,
        train_dataset=Stream(lambda: (row for batch in batches_of(trial) for row in rows_of(*batch))),
        eval_dataset={"train": list(rows_of(*digits()))},  # type: ignore[dict-item]
        optimizers=(torch.optim.AdamW(model.parameters(), lr=trial.lr), None),
    )
    trainer.add_callback(HuggingFaceCallback(trial, trainer))
    trainer.train()


def rows_of(images: Tensor, labels: Tensor) -> Iterator[dict[str, Tensor]]:
    """Examples one by one, as transformers takes them."""
    return ({"images": image, "labels": label} for image, label in zip(images, labels, strict=True))


WAYS: dict[str, dict[str, Callable[..., Any]]] = {
    "workload": {"workload": workload},
    "loop": {"train": loop},
    "lightning": {"train": lightning_loop},
    "huggingface": {"train": huggingface_loop},
}


def measure(way: str, iterations: int, seeds: int, folder: Path) -> dict[str, Any]:
    """Search the rate one way; give what was chosen, and each candidate's end losses by seed."""
    found = lrsearch.search(
        **WAYS[way],
        optimizers="adamw",
        start=START,
        iterations=iterations,
        evaluate_every=max(1, iterations // 4),
        seeds=seeds,
        cpus=1,
        name=way,
        studies=folder,
        progress=False,
    )
    (state,) = found.states
    losses: dict[float, list[float]] = {}
    for trial in sorted(state.trials, key=lambda trial: (trial.spec.hyperparameters["lr"], trial.spec.seed)):
        losses.setdefault(trial.spec.hyperparameters["lr"], []).append(trial.curve[-1].value)
    return {
        "way": way,
        "chosen": found.lr,
        "losses": losses,
        "seconds": sum(trial.seconds for trial in state.trials),
    }


def difference(one: dict[float, list[float]], other: dict[float, list[float]]) -> float:
    """Give the largest relative difference of two ways' end losses; infinite if they trained other candidates."""
    if {lr: len(found) for lr, found in one.items()} != {lr: len(found) for lr, found in other.items()}:
        return float("inf")
    return max(abs(b / a - 1) for lr, found in one.items() for a, b in zip(found, other[lr], strict=True))


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(way, given.iterations, given.seeds, Path(folder)) for way in WAYS]
    rates = sorted({lr for result in found for lr in result["losses"]})
    table = Table("way", "chosen", *(f"{lr:g}" for lr in rates), "difference", "training, s")
    for result in found:
        result["difference"] = difference(found[0]["losses"], result["losses"])
        means = {lr: sum(losses) / len(losses) for lr, losses in result["losses"].items()}
        table.add_row(
            result["way"],
            f"{result['chosen']:g}" if result["chosen"] else "none",
            *(f"{means[lr]:.6f}" if lr in means else "" for lr in rates),
            f"{result['difference']:.1e}",
            f"{result['seconds']:.1f}",
        )
    Console(width=120).print(table)
    content = {"iterations": given.iterations, "seeds": given.seeds, "ways": found}
    Path(__file__).with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if any(result["chosen"] != found[0]["chosen"] or result["difference"] > SAME for result in found):
        raise SystemExit("the ways differ")


if __name__ == "__main__":
    main()
