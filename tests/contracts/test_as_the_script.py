"""A script and the loop that it is made into: the evaluation at iteration 0 leaves no trace, under each engine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrsearch.coordinator import Coordinator
from lrsearch.engine.inline import InlineEngine
from lrsearch.store.memory import MemoryStore
from lrsearch.task import Task, parse_task
from lrsearch.training import loop
from lrsearch.training.loop import LoopReplica
from lrsearch.training.train import train
from lrsearch.trial import Curve, SearchId, TrialSpec

COMMON = """
import json
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCHES = 3, 4


def prepared(workers):
    fixed = torch.Generator().manual_seed(0)
    x = torch.randn(8 * BATCHES, 4, generator=fixed)
    data = TensorDataset(x, x.sum(dim=1, keepdim=True))
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
    return model, DataLoader(data, batch_size=8, shuffle=True, num_workers=workers)


def train_epoch(model, optimizer, loader):
    for x, y in loader:
        noise = float(np.random.normal(0, 0.1)) + random.gauss(0, 0.1)
        optimizer.zero_grad()
        (model(x) - y + noise).square().mean().backward()
        optimizer.step()


def evaluated(model, loader):
    with torch.no_grad():  # dropout and all: it draws from all three
        losses = [(model(x) - y).square().mean() * (1 + 0.1 * np.random.rand() * random.random()) for x, y in loader]
    return float(sum(losses))
"""
SCRIPT = """
def trained(rate, seed, workers):
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
    model, loader = prepared(workers)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(EPOCHS):
        train_epoch(model, optimizer, loader)
        yield evaluated(model, loader)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps([list(trained(*which)) for which in json.loads(sys.argv[1])]))
"""
LOOP = """
from lrsearch.training import loop

loop.CHECKPOINT_SECONDS = 0
loop.CHECKPOINT_SHARE = 1e9


def train(trial):
    marks = Path(trial.arguments["marks"])
    model, loader = prepared(trial.arguments["workers"])
    optimizer, first = torch.optim.SGD(model.parameters(), lr=trial.lr), 0
    if (state := trial.resumed) is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"]
        (marks / "resumed").touch()
    for epoch in range(first, EPOCHS + 1):
        if epoch == 2 and (marks / "die").exists():
            (marks / "die").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.is_due(BATCHES * epoch) and trial.report(BATCHES * epoch, train_loss=evaluated(model, loader)):
            return
        train_epoch(model, optimizer, loader)
        trial.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1})
"""
TASK = """
name: converted
loop: mine.py:train
arguments: {marks: MARKS, workers: WORKERS}
budget: {iterations: 12, evaluate_every: 4}
seeds: 2
optimizers:
  sgd: {lr: {start: 0.03}}
search: {limits: {lr: [0.01, 0.1]}}
"""
SPEC = TrialSpec(SearchId("sgd", "lr"), 0, 1, {"lr": 0.03})


@pytest.fixture(autouse=True, scope="module")
def usual_checkpoints() -> Iterator[None]:
    """The loop of these tests saves at every turn, also in this process: let later tests find the usual."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CHECKPOINT_SECONDS", "CHECKPOINT_SHARE"):
            patch.setattr(loop, name, getattr(loop, name))
        yield


def written(folder: Path, workers: int = 0, made: str = LOOP) -> Task:
    (folder / "marks").mkdir()
    (folder / "mine.py").write_text(COMMON + made)
    text = TASK.replace("MARKS", str(folder / "marks")).replace("WORKERS", str(workers))
    return parse_task(text, folder / "converted.yaml")


def losses_of_script(folder: Path, *which: tuple[float, int, int]) -> list[list[float]]:
    """The losses of the script's trainings, each a rate, a seed and a number of workers, one process for all."""
    (folder / "script.py").write_text(COMMON + SCRIPT)
    command = [sys.executable, str(folder / "script.py"), json.dumps(which)]
    run = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    losses: list[list[float]] = json.loads(run.stdout)
    return losses


def losses_in(curve: Curve) -> list[float]:
    return [evaluation.value for evaluation in curve if evaluation.iteration > 0]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loop_trains_as_its_script_did(workers: int, tmp_path: Path) -> None:
    *_, last = train(written(tmp_path, workers), SPEC, tmp_path / "checkpoint.pt")
    assert [losses_in(last.curve)] == losses_of_script(tmp_path, (0.03, 1, workers))


def test_a_loop_that_goes_on_does_too(tmp_path: Path) -> None:
    task = written(tmp_path)
    progress = train(task, SPEC, tmp_path / "checkpoint.pt")
    next(progress), next(progress)
    progress.close()  # type: ignore[attr-defined]
    *_, last = train(task, SPEC, tmp_path / "checkpoint.pt")
    assert [losses_in(last.curve)] == losses_of_script(tmp_path, (0.03, 1, 0))
    assert (tmp_path / "marks/resumed").exists()


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_every_training_of_a_search_does(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    task, kind = written(tmp_path), InlineEngine
    if engine == "ray":
        request.getfixturevalue("started_ray")
        from lrsearch.engine.ray import RayEngine

        kind = RayEngine  # type: ignore[assignment]
        (tmp_path / "marks/die").touch()  # and a worker dies
    coordinator = Coordinator(task, MemoryStore())
    kind(tmp_path / "checkpoints").run(task, coordinator)
    ended = {(t.spec.hyperparameters["lr"], t.spec.seed): t.curve for t in coordinator.trials if t.outcome}
    assert len(ended) >= 4
    which = [(0.03, 0), (0.03, 1), (0.1, 1)]
    assert [losses_in(ended[one]) for one in which] == losses_of_script(
        tmp_path, *((*one, 0) for one in which)
    )
    assert (tmp_path / "marks/resumed").exists() == (engine == "ray")


def first_report(made: str, folder: Path) -> LoopReplica:
    replica = LoopReplica(written(folder, made=made), SPEC, folder / "checkpoint.pt")
    replica.advance()
    replica.close()
    return replica


PLAIN = LOOP.replace("evaluated(model, loader)", "model[0].weight.sum()")


@pytest.mark.parametrize(("made", "drew"), [(LOOP, True), (PLAIN, False)], ids=["drawing", "plain"])
def test_it_says_whether_the_first_evaluation_drew(made: str, drew: bool, tmp_path: Path) -> None:
    assert first_report(made, tmp_path).drew_at_first is drew


LISTED = """
def train(trial):
    due = [n for n in range(trial.iterations + 1) if trial.is_due(n)]
    model, loader = prepared(0)
    for n in due:
        drawn = torch.rand(())
        (Path(trial.arguments["marks"]) / f"drew {n} {drawn.item()}").touch()
        if trial.report(n, train_loss=1.0 + n):
            return
"""


def test_what_is_drawn_after_a_list_of_what_is_due_is_not_put_back(tmp_path: Path) -> None:
    list(train(written(tmp_path, made=LISTED), SPEC, tmp_path / "checkpoint.pt"))
    drawn = {mark.name.split()[-1] for mark in (tmp_path / "marks").glob("drew *")}
    assert len(drawn) == 4
