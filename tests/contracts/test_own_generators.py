"""Trainings that draw from generators which live longer: the same rate and seed end alike, whatever trained before."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lrsearch
from lrsearch.coordinator import Coordinator
from lrsearch.engine.inline import InlineEngine
from lrsearch.errors import WorkloadError
from lrsearch.store.memory import MemoryStore
from lrsearch.task import Task, parse_task
from lrsearch.training import loop, replica
from lrsearch.training.packs.check import why_not_together
from lrsearch.training.packs.pack import Pack
from lrsearch.training.preflight import check_trains
from lrsearch.training.train import train
from lrsearch.trial import SearchId, TrialSpec

DRAWS = """
import functools
import os
import random
import signal
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from lrsearch import Workload
from lrsearch.training import loop, replica

loop.CHECKPOINT_SECONDS = replica.CHECKPOINT_SECONDS = 0
loop.CHECKPOINT_SHARE = replica.CHECKPOINT_SHARE = 1e9

fixed = torch.Generator().manual_seed(0)
x = torch.randn(32, 4, generator=fixed)
y = x.sum(dim=1, keepdim=True)


class Noisy(Dataset):
    rng = random.Random()

    def __init__(self):
        self.own = np.random.default_rng()

    def __len__(self):
        return len(x)

    def __getitem__(self, index):
        return x[index] + 0.1 * self.own.normal() + self.rng.gauss(0, 0.1), y[index]


loader = DataLoader(Noisy(), batch_size=8, shuffle=True, generator=torch.Generator())


@functools.cache
def late():
    return np.random.RandomState(7)  # made by the first training of a process, at its first update


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 1))


def loss_of(model, batch):
    return (model(batch[0].float()) - batch[1] + 0.1 * late().normal()).square().mean()


def evaluated(model, examples=None):
    with torch.no_grad():
        return float(sum((model(a.float()) - b).square().mean() for a, b in loader))


def die(marks, at):
    if at and (Path(marks) / "die").exists():
        (Path(marks) / "die").unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def train(trial):
    model = network()
    optimizer, first = torch.optim.SGD(model.parameters(), lr=trial.lr), 0
    if (state := trial.resumed) is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"]
        (Path(trial.arguments["marks"]) / "resumed").touch()
    for epoch in range(first, 4):
        die(trial.arguments["marks"], epoch == 3)
        if trial.is_due(4 * epoch) and trial.report(4 * epoch, train_loss=evaluated(model)):
            return
        for batch in loader:
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
        trial.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1})


def make(marks):
    calls = [0]

    def counted(model, batch):
        calls[0] += 1
        die(marks, calls[0] == 10)
        return loss_of(model, batch)

    return Workload(network(), loader, counted, {"train_loss": evaluated})
"""
TASK = """
name: drawing
FORM
arguments: {marks: MARKS}
budget: {iterations: 12, evaluate_every: 4}
seeds: 2
optimizers:
  sgd: {lr: {start: 0.03}}
search: {limits: {lr: [0.01, 0.1]}}
"""
ALONE = """
import json, os, sys
from pathlib import Path
from lrsearch.task import load_task
from lrsearch.training.train import train
from lrsearch.trial import SearchId, TrialSpec

folder = Path(sys.argv[1])
task = load_task(folder / "drawing.yaml")
for number, (rate, seed) in enumerate(json.loads(sys.argv[2])):
    if os.fork() == 0:  # a process of its own for each, that has trained nothing
        spec = TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": rate})
        *_, last = train(task, spec, folder / f"alone-{number}.pt")
        (folder / f"alone-{number}.json").write_text(json.dumps([e.value for e in last.curve]))
        os._exit(0)
    os.wait()
"""
FORMS = {"loop": "loop: mine.py:train", "workload": "workload: mine.py:make"}
WHICH = [(0.03, 0), (0.03, 1), (0.1, 1)]


@pytest.fixture(autouse=True, scope="module")
def usual_checkpoints() -> Iterator[None]:
    """The code of these tests saves at every turn, also in this process: let later tests find the usual."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (loop, replica):
            for name in ("CHECKPOINT_SECONDS", "CHECKPOINT_SHARE"):
                patch.setattr(module, name, getattr(module, name))
        yield


def written(folder: Path, form: str, code: str = DRAWS) -> Task:
    (folder / "marks").mkdir()
    (folder / "mine.py").write_text(code)
    text = TASK.replace("FORM", FORMS[form]).replace("MARKS", str(folder / "marks"))
    (folder / "drawing.yaml").write_text(text)
    return parse_task(text, folder / "drawing.yaml")


def alone(folder: Path, *which: tuple[float, int]) -> list[list[float] | None]:
    """What trainings give that are the first of their processes; None of one that was killed."""
    subprocess.run([sys.executable, "-c", ALONE, str(folder), json.dumps(which)], check=True)
    results = [folder / f"alone-{number}.json" for number in range(len(which))]
    return [json.loads(result.read_text()) if result.exists() else None for result in results]


def curve(task: Task, rate: float, seed: int, checkpoint: Path) -> list[float]:
    *_, last = train(task, TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": rate}), checkpoint)
    return [evaluation.value for evaluation in last.curve]


@pytest.fixture(scope="module", params=FORMS)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """A form of task, and what its trainings give that are the first of their processes."""
    folder = tmp_path_factory.mktemp("alone")
    written(folder, request.param)
    return request.param, alone(folder, *WHICH)


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_the_same_rate_and_seed_end_alike(
    drawn: tuple[str, Any], engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    form, expected = drawn
    task, kind = written(tmp_path, form), InlineEngine
    if engine == "ray":
        request.getfixturevalue("started_ray")
        from lrsearch.engine.ray import RayEngine

        kind = RayEngine  # type: ignore[assignment]
        (tmp_path / "marks/die").touch()  # and a worker dies
    coordinator = Coordinator(task, MemoryStore())
    kind(tmp_path / "checkpoints").run(task, coordinator)
    ended = {(t.spec.hyperparameters["lr"], t.spec.seed): t.curve for t in coordinator.trials if t.outcome}
    assert [[e.value for e in ended[one]] for one in WHICH] == expected
    assert not (tmp_path / "marks/die").exists()


def test_one_that_was_killed_goes_on_to_the_bit(drawn: tuple[str, Any], tmp_path: Path) -> None:
    form, expected = drawn
    written(tmp_path, form)
    (tmp_path / "marks/die").touch()
    assert alone(tmp_path, WHICH[0]) == [None]
    assert (tmp_path / "alone-0.pt").exists()
    assert alone(tmp_path, WHICH[0]) == expected[:1]


def test_a_pack_of_them_trains_as_each_alone(drawn: tuple[str, Any], tmp_path: Path) -> None:
    form, expected = drawn
    if form == "loop":
        return  # which is never packed
    task = written(tmp_path, form)
    check_trains(task)
    specs = [TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": rate}) for rate, seed in WHICH]
    pack, curves = Pack(task), {}
    for number, spec in enumerate(specs):
        pack.add(str(number), spec, tmp_path / f"{number}.pt")
    while len(pack):
        curves |= {name: [e.value for e in progress.curve] for name, progress in pack.advance()}
    assert [curves[name] for name in sorted(curves)] == expected


def test_they_are_never_stacked(tmp_path: Path) -> None:
    task = written(tmp_path, "workload")
    specs = [TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": 0.1}) for seed in (0, 1)]
    reason = why_not_together(task, specs, torch.device("cpu"))
    assert reason == "all would draw from mine.py: Noisy.rng at the same time"


@pytest.mark.parametrize("form", FORMS)
def test_what_goes_on_in_the_middle_is_refused_before_the_search(form: str, tmp_path: Path) -> None:
    code = DRAWS.replace("\n\n\n@functools.cache", "\nbatches = iter(loader)\n\n\n@functools.cache")
    code = code.replace("in loader))", "in batches))")
    with pytest.raises(WorkloadError, match=r"mine\.py: batches is an iterator over a DataLoader"):
        check_trains(written(tmp_path, form, code))


def test_a_search_from_python_leaves_them_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)

    def train(trial: lrsearch.LiveTrial) -> None:
        for iteration in range(trial.iterations + 1):
            loss = abs(1 - trial.lr) ** iteration + 0.01 * rng.random()
            if trial.is_due(iteration) and trial.report(iteration, train_loss=torch.tensor(loss)):
                return

    lrsearch.search(train, start=0.1, iterations=4, seeds=1, progress=False)
    assert rng.random() == np.random.default_rng(3).random()
