"""How fast does each task train, and what takes the time? Data, forward and backward, optimizer, evaluation.

    LRSEARCH_DATA=DATA python benchmarks/task_speed.py [TASK ...] [--device cpu|cuda] [--seconds 10] [--optimizer sgd]
    LRSEARCH_DATA=DATA python benchmarks/task_speed.py --device cuda --variants    # channels last, TF32, bf16

Each task runs in a process of its own, at its own batch size, on one thread or one GPU. Parts are timed one by one, a
GPU awaited after each, for about ``--seconds`` of training; medians. Evaluation is what all evaluations of a training
take of it, reckoned from the time of some examples. Goals: data at most 5 % of an iteration, evaluation at most 10 %
of a training. Prints a table and writes JSON beside itself.
"""

import argparse
import json
import multiprocessing
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from lrsearch import load_task
from lrsearch.task.model import Precision, Recipe, Task
from lrsearch.training.optimizers import make_optimizer, stand_ins
from lrsearch.training.update import autocast, clip_gradient, set_precision
from lrsearch.training.workloads import make_workload
from lrsearch.workload import Workload, indexed, moved

HERE = Path(__file__).parent
TASKS = (
    "fashion_mnist_fc",
    "fashion_mnist_cnn",
    "cifar100_vgg11",
    "cifar100_resnet18",
    "tiny_imagenet_vgg16",
    "tiny_imagenet_resnet50",
    "penn_treebank_awd_lstm",
    "penn_treebank_awd_lstm_no_dropout",
)
DATA_GOAL, EVALUATION_GOAL = 0.05, 0.10
MOST_EVALUATED = 500
FEWEST = 3
"""Iterations that are timed at the least, however long they take."""


@dataclass(frozen=True)
class Variant:
    """How a task is run: the precision of its arithmetic, and whether channels come last in memory."""

    precision: Precision = "float32"
    channels_last: bool | None = None

    def __str__(self) -> str:
        layout = {None: "", True: ", channels last", False: ", channels first"}[self.channels_last]
        return f"{self.precision}{layout}"


@dataclass(frozen=True)
class Speed:
    """Medians in seconds an iteration, and what all evaluations take of a training."""

    task: str
    variant: str
    data: float
    forward_backward: float
    optimizer: float
    evaluation_share: float
    iterations: int

    @property
    def iteration(self) -> float:
        """Seconds."""
        return self.data + self.forward_backward + self.optimizer


def measure(task: Task, variant: Variant, device: torch.device, seconds: float, optimizer_name: str) -> Speed:
    """Train a task's optimizer for a while, part by part."""
    torch.set_num_threads(1)
    set_precision(variant.precision)
    task = replace(task, recipe=Recipe(task.recipe.gradient_clip, variant.precision))
    if variant.channels_last is not None:
        task = replace(task, arguments={**task.arguments, "channels_last": variant.channels_last})
    entry = task.entries[optimizer_name]
    workload = make_workload(task, entry.name, seed=0).to(device)
    batches = indexed(workload.batches)
    optimizer = make_optimizer(entry, workload.model.parameters(), stand_ins(task, entry))
    parameters = list(workload.model.parameters())
    workload.model.train()
    times: list[tuple[float, float, float]] = []
    began = time.perf_counter()
    iteration = 0
    while time.perf_counter() - began < seconds or len(times) < FEWEST:
        clock = _Clock(device)
        batch = moved(batches.batch(0, iteration), device)
        data = clock()
        optimizer.zero_grad()
        with autocast(variant.precision, device):
            loss = workload.training_loss(batch)
        loss.backward()
        forward_backward = clock()
        clip_gradient(task.recipe, parameters)
        optimizer.step()
        if iteration:  # the first one allocates
            times.append((data, forward_backward, clock()))
        iteration += 1
    data, forward_backward, step = (statistics.median(part) for part in zip(*times, strict=True))

    def evaluate(examples: int) -> object:
        with autocast(variant.precision, device):
            return workload.evaluate(examples)

    evaluating = _seconds_of_evaluations(task, workload, evaluate, device)
    training = (data + forward_backward + step) * task.budget.iterations
    share = evaluating / (training + evaluating)
    return Speed(task.name, str(variant), data, forward_backward, step, share, len(times))


class _Clock:
    """Seconds since it was last asked, with all work done."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last = 0.0
        self()

    def __call__(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        before, self._last = self._last, time.perf_counter()
        return self._last - before


def _seconds_of_evaluations(
    task: Task, workload: Workload, evaluate: Callable[[int], object], device: torch.device
) -> float:
    """What the evaluations after the first, which all candidates of a seed share, take together."""
    few = min(task.metric.curve_examples or MOST_EVALUATED, MOST_EVALUATED)
    evaluate(few)  # the first one allocates
    samples = []
    while (len(samples) < 3 or sum(samples) < 2) and sum(samples) < 30:
        clock = _Clock(device)
        evaluate(few)
        samples.append(clock())

    def seconds_for(examples: int | None) -> float:
        return statistics.median(samples) * (workload.count(examples) or 0) / (workload.count(few) or 1)

    between = len(list(task.budget.evaluations())) - 1 - task.metric.window
    return task.metric.window * seconds_for(task.metric.examples) + between * seconds_for(
        task.metric.curve_examples
    )


def variants_of(task: Task, every: bool) -> Iterator[Variant]:
    """Give the variants to measure: the task as it is, or all that it has."""
    yield Variant()
    if every:
        convolutional = "penn" not in task.name and "_fc" not in task.name
        own_layout = convolutional and "fashion" not in task.name
        if own_layout:
            yield Variant(channels_last=False)
        yield Variant("tf32")
        yield Variant("bf16")


def _in_process(arguments: tuple[Path, Variant, str, float, str]) -> Speed:
    path, variant, device, seconds, optimizer = arguments
    return measure(load_task(path), variant, torch.device(device), seconds, optimizer)


def table_of(speeds: list[Speed], device: str) -> Table:
    """Lay the numbers out."""
    table = Table(title=f"Speed of the tasks on {device}")
    table.add_column("task")
    table.add_column("variant")
    for name in ("iterations/s", "data", "forward, backward", "optimizer", "evaluation, of a training"):
        table.add_column(name, justify="right")
    for speed in speeds:
        parts = (speed.data, speed.forward_backward, speed.optimizer)
        table.add_row(
            speed.task,
            speed.variant,
            f"{1 / speed.iteration:.3g}",
            *(f"{part / speed.iteration:.1%}" for part in parts),
            f"{speed.evaluation_share:.1%}",
        )
    return table


def main() -> None:
    """Measure the tasks one after another, each in a fresh process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", default=TASKS)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--variants", action="store_true", help="also TF32, bf16 and channels first")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch sees no GPU here; run it with --device cpu")
    speeds = []
    context = multiprocessing.get_context("spawn")
    for name in arguments.tasks:
        path = HERE.parent / "tasks" / f"{name}.yaml"
        for variant in variants_of(load_task(path), arguments.variants):
            job = (path, variant, arguments.device, arguments.seconds, arguments.optimizer)
            with context.Pool(1) as pool:
                speeds.append(pool.map(_in_process, [job])[0])
            print(speeds[-1], file=sys.stderr)
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else platform.processor() or "CPU"
    Console(width=140).print(table_of(speeds, device))
    late = [
        s.task for s in speeds if s.data > DATA_GOAL * s.iteration or s.evaluation_share > EVALUATION_GOAL
    ]
    print("goals missed by: " + (", ".join(late) or "none"))
    written = {"torch": torch.__version__, "device": device, "speeds": [asdict(speed) for speed in speeds]}
    (HERE / f"task_speed_{arguments.device}.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
