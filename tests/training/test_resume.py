"""A replica that was interrupted ends as if it had not been, to the bit (on CPU): in this process and in a new one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsearch.task import Task
from lrsearch.training.checkpoint import load_checkpoint
from lrsearch.training.replica import Replica
from lrsearch.training.train import train
from lrsearch.trial import Finished, SearchId, TrialSpec

MakeTask = Callable[..., Task]

ENTRIES = """
  sgd: {lr: {start: 0.1}, momentum: 0.9, nesterov: true}
  adam: {lr: {start: 0.01}}
  fused_adam: {base: adam, fused: true, lr: {start: 0.01}}
  amsgrad: {base: adam, amsgrad: true, foreach: true, lr: {start: 0.01}}
  rmsprop: {lr: {start: 0.01}, momentum: 0.5, centered: true}
  cprop_sgd: {base: sgd, lr: {start: 0.1}, cprop: {beta: 0.9, c: 3}}
  cprop_adam: {base: adam, lr: {start: 0.01}, cprop: {measure: normal}}
  schedule_free: {base: "schedulefree:AdamWScheduleFree", lr: {start: 0.01}}
  cprop_schedule_free: {base: "pytorch_optimizer:ScheduleFreeRAdam", lr: {start: 0.01}, cprop: {beta: 0.9}}
  loader: {base: adam, lr: {start: 0.01}, arguments: {kind: loader}}
  own_generator: {base: adam, lr: {start: 0.01}, arguments: {kind: loader with a generator}}
  carried: {base: sgd, lr: {start: 0.1}, arguments: {kind: carried}}
  cprop_loader: {base: sgd, lr: {start: 0.1}, cprop: {}, arguments: {kind: loader}}
"""
NAMES = [line.split(":")[0].strip() for line in ENTRIES.strip().splitlines()]


@pytest.fixture
def task(make_task: MakeTask) -> Task:
    return make_task(("\n  sgd: {lr: {start: 0.1}}\n", ENTRIES))


def spec_of(task: Task, entry: str, seed: int = 3) -> TrialSpec:
    values = {
        name: h if isinstance(h, float) else h.start  # type: ignore[union-attr]
        for name, h in task.entries[entry].hyperparameters.items()
    }
    return TrialSpec(SearchId(entry, "lr"), 0, seed, values)


def end_of(replica: Replica, checkpoint: Path) -> dict[str, Any]:
    """Train a replica to its end and give all of its state, but for the time that it took."""
    while replica.advance().outcome is None:
        pass
    replica.save()
    state = load_checkpoint(checkpoint)
    assert state is not None
    del state["seconds"]
    return state


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two nested states are not the same to the bit."""
    if isinstance(one, torch.Tensor):
        same = one.dtype == other.dtype and torch.equal(one.nan_to_num(7), other.nan_to_num(7))
        return [] if same else [path]
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [f"{path}: {one.keys() ^ other.keys()}"]
        return [found for key in one for found in differences(one[key], other[key], f"{path}/{key}")]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [f"{path}: {len(one)} or {len(other)}"]
        pairs = enumerate(zip(one, other, strict=True))
        return [found for key, (a, b) in pairs for found in differences(a, b, f"{path}/{key}")]
    return [] if one == other else [path]


def interrupted(task: Task, entry: str, after: int, checkpoint: Path) -> None:
    """Train to the evaluation at iteration ``after``, keep a checkpoint, and forget the replica."""
    replica = Replica(task, spec_of(task, entry), checkpoint)
    while replica.advance().curve[-1].iteration < after:
        pass
    replica.save()


@pytest.mark.parametrize("after", [0, 5, 15])
@pytest.mark.parametrize("entry", NAMES)
def test_a_replica_goes_on_to_the_same_end(task: Task, entry: str, after: int, tmp_path: Path) -> None:
    straight = end_of(Replica(task, spec_of(task, entry), tmp_path / "a.pt"), tmp_path / "a.pt")
    interrupted(task, entry, after, tmp_path / "b.pt")
    torch.manual_seed(99)  # whatever the process has drawn since
    resumed = Replica(task, spec_of(task, entry), tmp_path / "b.pt")
    assert [e.iteration for e in resumed.curve] == list(range(0, after + 1, 5))
    assert differences(straight, end_of(resumed, tmp_path / "b.pt")) == []


RECIPES = {
    "warm-up and cosine": "{warmup: 7, schedule: {name: CosineAnnealingLR, eta_min: {times: 0.1}}}",
    "one cycle": "{schedule: OneCycleLR}",
    "cyclic": "{schedule: {name: CyclicLR, base_lr: {times: 0.1}, step_size_up: 3}}",
    "steps": "{schedule: {name: MultiStepLR, milestones: [6, 12]}}",
    "plateau": "{warmup: 3, schedule: {name: ReduceLROnPlateau, patience: 0, threshold: 0.5}}",
    "accumulated": "{accumulate: 3, gradient_clip: 1}",
    "groups": '{groups: [{match: "*.bias", weight_decay: 0}, {match: "0.*", lr_times: 0.1}], warmup: 7}',
}


@pytest.mark.parametrize("after", [0, 5, 15])
@pytest.mark.parametrize("entry", ["sgd", "adam", "cprop_adam", "loader", "carried"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_replica_goes_on_with_its_recipe(
    make_task: MakeTask, recipe: str, entry: str, after: int, tmp_path: Path
) -> None:
    task = make_task(
        ("\n  sgd: {lr: {start: 0.1}}\n", ENTRIES),
        ("optimizers:", f"recipe: {RECIPES[recipe]}\noptimizers:"),
    )
    straight = end_of(Replica(task, spec_of(task, entry), tmp_path / "a.pt"), tmp_path / "a.pt")
    interrupted(task, entry, after, tmp_path / "b.pt")
    resumed = Replica(task, spec_of(task, entry), tmp_path / "b.pt")
    assert [e.iteration for e in resumed.curve] == list(range(0, after + 1, 5))
    assert differences(straight, end_of(resumed, tmp_path / "b.pt")) == []


FINISH = """
import sys
from pathlib import Path
from lrsearch.task import load_task
from lrsearch.training.replica import Replica
from lrsearch.trial import SearchId, TrialSpec

folder = Path(sys.argv[1])
task = load_task(folder / "task.yaml")
for name, entry in task.entries.items():
    values = {n: h if isinstance(h, float) else h.start for n, h in entry.hyperparameters.items()}
    spec = TrialSpec(SearchId(name, "lr"), 0, 3, values)
    replica = Replica(task, spec, folder / f"{name}.pt")
    assert replica.curve[-1].iteration == 10, f"{name} began anew"
    while replica.advance().outcome is None:
        pass
    replica.save()
"""


def test_replicas_go_on_in_a_new_process_to_the_same_end(task: Task, tmp_path: Path) -> None:
    for entry in NAMES:
        interrupted(task, entry, 10, tmp_path / f"{entry}.pt")
    subprocess.run([sys.executable, "-c", FINISH, str(tmp_path)], check=True)
    for entry in NAMES:
        straight = end_of(
            Replica(task, spec_of(task, entry), tmp_path / "straight.pt"), tmp_path / "straight.pt"
        )
        resumed = load_checkpoint(tmp_path / f"{entry}.pt")
        assert resumed is not None
        del resumed["seconds"]
        assert differences(straight, resumed) == [], entry


def test_time_spent_before_an_interruption_counts(task: Task, tmp_path: Path) -> None:
    seconds = iter(range(1000))
    clock = lambda: float(next(seconds))  # noqa: E731
    first = Replica(task, spec_of(task, "sgd"), tmp_path / "a.pt", clock)
    first.advance()
    spent = first.advance().seconds
    first.save()
    again = Replica(task, spec_of(task, "sgd"), tmp_path / "a.pt", clock)
    assert again.advance().seconds > spent


@pytest.mark.parametrize(
    "other",
    [
        TrialSpec(SearchId("sgd", "lr"), 1, 3, {"lr": 0.3, "momentum": 0.9}),
        TrialSpec(SearchId("sgd", "lr"), 0, 4, {"lr": 0.1, "momentum": 0.9}),
        TrialSpec(SearchId("sgd", "lr"), 0, 3, {"lr": 0.1, "momentum": 0.5}),
        TrialSpec(SearchId("adam", "lr"), 0, 3, {"lr": 0.01}),
    ],
    ids=["rate", "seed", "other value", "entry"],
)
def test_a_checkpoint_of_another_training_is_ignored(task: Task, other: TrialSpec, tmp_path: Path) -> None:
    """A study that was deleted and begun anew numbers its trials from 0 again, beside the old checkpoints."""
    interrupted(task, "sgd", 10, tmp_path / "sgd-lr-0.pt")
    assert Replica(task, other, tmp_path / "sgd-lr-0.pt").curve == ()


def test_a_checkpoint_of_another_task_is_ignored(task: Task, make_task: MakeTask, tmp_path: Path) -> None:
    interrupted(task, "sgd", 10, tmp_path / "sgd-lr-0.pt")
    text = task.text.replace("evaluate_every: 5", "evaluate_every: 10")
    changed = make_task(text=text)
    assert Replica(changed, spec_of(changed, "sgd"), tmp_path / "sgd-lr-0.pt").curve == ()


def test_another_entry_in_the_task_keeps_the_checkpoint(
    task: Task, make_task: MakeTask, tmp_path: Path
) -> None:
    interrupted(task, "sgd", 10, tmp_path / "sgd-lr-0.pt")
    wider = make_task(text=task.text + "  adamw: {lr: {start: 0.01}}\nseeds: 5\n")
    assert len(Replica(wider, spec_of(wider, "sgd"), tmp_path / "sgd-lr-0.pt").curve) == 3


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"PK\x03\x04 cut short"], ids=["empty", "garbage", "torn"]
)
def test_a_checkpoint_that_cannot_be_read_is_as_none(task: Task, content: bytes, tmp_path: Path) -> None:
    straight = list(train(task, spec_of(task, "sgd"), tmp_path / "a.pt"))[-1]
    (tmp_path / "b.pt").write_bytes(content)
    begun_anew = list(train(task, spec_of(task, "sgd"), tmp_path / "b.pt"))[-1]
    assert isinstance(straight.outcome, Finished)
    assert (begun_anew.outcome, begun_anew.curve) == (straight.outcome, straight.curve)


def test_a_checkpoint_outlives_its_replica_until_the_outcome_is_on_record(task: Task, tmp_path: Path) -> None:
    interrupted(task, "sgd", 10, tmp_path / "a.pt")
    list(train(task, spec_of(task, "sgd"), tmp_path / "a.pt"))
    assert (tmp_path / "a.pt").exists(), "it is the engine that removes it"
