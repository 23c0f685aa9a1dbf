"""Loops of one's own under each engine: the same curves to the bit, also where a worker dies or a race stops them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lrsearch.coordinator import Coordinator
from lrsearch.engine.inline import InlineEngine
from lrsearch.ports import Engine
from lrsearch.store.memory import MemoryStore
from lrsearch.task import Task, parse_task
from lrsearch.training import loop
from lrsearch.trial import Curve, Finished, Stopped

MakeEngine = Callable[[Path], Engine]

LOOP = """
import os
import signal
from pathlib import Path

import torch
from torch import nn

from lrsearch.training import loop

loop.CHECKPOINT_SECONDS = 0
loop.CHECKPOINT_SHARE = 1e9


def train(trial):
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 1))
    fixed = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    optimizer, first = trial.optimizer(model), 0
    if (state := trial.resumed) is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["iteration"]
    marks = Path(trial.arguments["marks"])
    for iteration in range(first, trial.iterations + 1):
        if trial.is_due(iteration):
            if iteration == 15 and (marks / "die").exists():
                (marks / "die").rename(marks / "died")
                os.kill(os.getpid(), signal.SIGKILL)
            model.eval()
            loss = (model(fixed) - fixed.sum(dim=1, keepdim=True)).square().mean()
            model.train()
            if trial.report(iteration, train_loss=loss):
                (marks / f"ended at {iteration}").touch()
                return
            trial.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "iteration": iteration})
        batch = torch.randn(8, 4)
        optimizer.zero_grad()
        (model(batch) - batch.sum(dim=1, keepdim=True)).square().mean().backward()
        optimizer.step()
"""
TASK = """
name: looped
loop: mine.py:train
arguments: {marks: MARKS}
budget: {iterations: 30, evaluate_every: 5}
seeds: 2
optimizers:
  sgd: {lr: {start: 0.03}, momentum: 0.9}
"""


@pytest.fixture(scope="module", params=["inline", "ray"])
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    if request.param == "inline":
        return InlineEngine
    request.getfixturevalue("started_ray")
    from lrsearch.engine.ray import RayEngine

    return RayEngine


@pytest.fixture(autouse=True, scope="module")
def usual_checkpoints() -> Iterator[None]:
    """The loop of these tests saves at every turn, also in this process: let later tests find the usual."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CHECKPOINT_SECONDS", "CHECKPOINT_SHARE"):
            patch.setattr(loop, name, getattr(loop, name))
        yield


def written(folder: Path, more: str = "") -> Task:
    (folder / "marks").mkdir()
    (folder / "mine.py").write_text(LOOP)
    return parse_task(TASK.replace("MARKS", str(folder / "marks")) + more, folder / "looped.yaml")


def finished(task: Task, engine: Engine) -> dict[tuple[int, int], Curve]:
    """Run a search; give the curves that ran to their ends, by rung and seed."""
    coordinator = Coordinator(task, MemoryStore())
    engine.run(task, coordinator)
    assert coordinator.done()
    return {
        (t.spec.rung, t.spec.seed): t.curve for t in coordinator.trials if isinstance(t.outcome, Finished)
    }


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], Curve]:
    folder = tmp_path_factory.mktemp("reference")
    return finished(written(folder), InlineEngine(folder / "checkpoints"))


def test_a_loop_ends_as_it_does_elsewhere_to_the_bit(
    make_engine: MakeEngine, reference: dict[tuple[int, int], Curve], tmp_path: Path
) -> None:
    assert finished(written(tmp_path), make_engine(tmp_path / "checkpoints")) == reference


@pytest.mark.parametrize("make_engine", ["ray"], indirect=True)
def test_a_loop_whose_worker_is_killed_goes_on_to_the_bit(
    make_engine: MakeEngine, reference: dict[tuple[int, int], Curve], tmp_path: Path
) -> None:
    task = written(tmp_path)
    (tmp_path / "marks/die").touch()
    assert finished(task, make_engine(tmp_path / "checkpoints")) == reference
    assert (tmp_path / "marks/died").exists()


def test_a_loop_that_a_race_stops_is_told_so(make_engine: MakeEngine, tmp_path: Path) -> None:
    task = written(tmp_path, "search: {race: true, limits: {lr: [1e-4, 0.1]}}\n")
    coordinator = Coordinator(task, MemoryStore())
    make_engine(tmp_path / "checkpoints").run(task, coordinator)
    stopped = [trial for trial in coordinator.trials if isinstance(trial.outcome, Stopped)]
    assert stopped
    ended = {int(mark.name.split()[-1]) for mark in (tmp_path / "marks").glob("ended at *")}
    assert any(iteration < 30 for iteration in ended)
