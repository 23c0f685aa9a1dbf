"""SIGKILL within trainings of the paper's tasks; resumed, they end with the same weights to the bit."""

import hashlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers import HERE
from rows import Found, Repetition, Row

from lrsearch import load_task
from lrsearch.searches import hyperparameters_of
from lrsearch.task.model import Budget, Task
from lrsearch.training import replica
from lrsearch.trial import SearchId, TrialSpec

TASKS = HERE.parents[1] / "tasks"
SMALL: dict[str, dict[str, Any]] = {
    "fashion_mnist_fc": {},
    "fashion_mnist_cnn": {"batch_size": 8, "dropout": 0.3},
    "cifar100_vgg11": {"batch_size": 4, "width": 0.25},
    "cifar100_resnet18": {"batch_size": 4, "width": 0.25},
    "tiny_imagenet_vgg16": {"batch_size": 4, "width": 0.25},
    "tiny_imagenet_resnet50": {"batch_size": 4, "width": 0.25},
    "penn_treebank_awd_lstm": {"batch_size": 4, "length": 10},
    "penn_treebank_awd_lstm_no_dropout": {"batch_size": 4, "length": 10},
}
"""The paper's tasks, and the arguments that make their trainings short."""
ITERATIONS, EXAMPLES, KILLS = 12, 100, 3
os.environ.setdefault("LRSEARCH_DATA", str(HERE.parents[2] / "shared/data"))


def kill_and_resume(repetition: Repetition) -> Found:
    """Kill one training a few times and resume it; compare its weights with those of one that was left alone."""
    found = Found()
    name = list(SMALL)[repetition.number % len(SMALL)]
    task = load_task(TASKS / f"{name}.yaml")
    entry = repetition.moments.choice(list(task.entries))
    task = replace(
        task,
        budget=Budget(ITERATIONS, 1),
        metric=replace(task.metric, examples=EXAMPLES, curve_examples=EXAMPLES),
        arguments={**task.arguments, **SMALL[name]},
    )
    began = time.perf_counter()
    alone = _train(task, entry, repetition.scratch / "alone", None)
    whole = time.perf_counter() - began
    kills = 0
    disturbed = None
    while kills < KILLS:
        after = repetition.moments.uniform(0.2, 0.9) * whole
        disturbed = _train(task, entry, repetition.scratch / "killed", after)
        if disturbed is not None:
            break
        kills += 1
    disturbed = disturbed or _train(task, entry, repetition.scratch / "killed", None)
    found.count("trainings")
    found.count("kills", kills)
    found.expect(kills > 0, f"{name}/{entry}: it ended before it was killed")
    found.expect(disturbed == alone, f"{name}/{entry}: other weights")
    return found


def _train(task: Task, entry: str, folder: Path, kill_after: float | None) -> str | None:
    """Train in a fork, killed after some seconds; give the hash of the last weights, None if it was killed."""
    folder.mkdir(exist_ok=True)
    pid = os.fork()
    if not pid:
        try:
            (folder / "hash").write_text(_hash_of_training(task, entry, folder / "a.pt"))
            os._exit(0)
        except BaseException as error:
            (folder / "error").write_text(f"{type(error).__name__}: {error}")
            os._exit(1)
    until = time.perf_counter() + (1e9 if kill_after is None else kill_after)
    while time.perf_counter() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            if status:
                raise RuntimeError((folder / "error").read_text())
            return (folder / "hash").read_text()
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _hash_of_training(task: Task, entry: str, checkpoint: Path) -> str:
    replica.CHECKPOINT_SECONDS = 0
    replica.CHECKPOINT_SHARE = 1e9
    starts = {search: searched.start for search, searched in task.searches().items()}
    values = hyperparameters_of(task, entry, starts)
    one = replica.Replica(task, TrialSpec(SearchId(entry, "lr"), 0, 3, values), checkpoint)
    while one.advance().outcome is None:
        pass
    digest = hashlib.sha256()
    for name, tensor in one.workload.model.state_dict().items():
        digest.update(name.encode() + tensor.detach().numpy().tobytes())
    return digest.hexdigest()


ROWS = (
    Row(
        "resuming",
        "replicas resume exactly",
        f"SIGKILL within {ITERATIONS} iterations of each of the paper's {len(SMALL)} tasks on the CPU, up to {KILLS} "
        "times a training, real data, small batches and narrow networks: the last weights have the hash of a training "
        "that was left alone",
        "trainings",
        3 * len(SMALL),
        kill_and_resume,
    ),
)
