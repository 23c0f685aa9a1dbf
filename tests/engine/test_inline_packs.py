"""A search in packs, by the inline engine, is the search that it is without."""

from pathlib import Path

import pytest
import torch

from lrsearch.coordinator import Coordinator, Event, Noted
from lrsearch.engine.inline import InlineEngine
from lrsearch.store.memory import MemoryStore
from lrsearch.strategies import Bracketed
from lrsearch.task import parse_task
from lrsearch.trial import Failed, SearchId
from lrsearch.verdict import Verdict

WORKLOAD = """
import torch
from torch import nn

from lrsearch import Batches, Mean, Workload


def loss(model, batch):
    x, y = batch
    if RAISES:
        raise ValueError("mend me")
    return (model(x) - y).square().mean()


def make():
    fixed = torch.Generator().manual_seed(0)
    x = torch.randn(64, 6, generator=fixed)
    y = x[:, :1] * 2 - x[:, 1:2] + 0.1 * torch.randn(64, 1, generator=fixed)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    return Workload(model, Batches(x, y, batch_size=8), loss, {"train_loss": Mean(loss, x, y)})
"""
TASK = """
name: packed
workload: packed.py:make
budget: {iterations: 40, evaluate_every: 10}
metric: {name: train_loss, lower_bound: 0}
seeds: 2
resources: {pack: PACK}
optimizers:
  sgd: {lr: {start: 0.03}}
  adam: {lr: {start: 0.01}}
  cprop: {base: sgd, cprop: {c: {start: 1}, beta: 0.9}, lr: {of: sgd}}
"""


def search(folder: Path, pack: int | str, raises: bool = False) -> tuple[Coordinator, list[Event]]:
    torch.set_num_threads(1)
    folder.mkdir()
    (folder / "packed.py").write_text(WORKLOAD.replace("RAISES", str(raises)))
    task = parse_task(TASK.replace("PACK", str(pack)), folder / "task.yaml")
    events: list[Event] = []
    coordinator = Coordinator(task, MemoryStore(), observer=events.append)
    InlineEngine(folder / "checkpoints").run(task, coordinator)
    return coordinator, events


def verdicts(coordinator: Coordinator) -> dict[SearchId, Verdict]:
    return {state.search: state.verdict for state in coordinator.states if state.verdict is not None}


@pytest.fixture
def alone(tmp_path: Path) -> dict[SearchId, Verdict]:
    return verdicts(search(tmp_path / "alone", 1)[0])


@pytest.mark.parametrize("pack", [2, 6, 50])
def test_it_chooses_the_same(tmp_path: Path, alone: dict[SearchId, Verdict], pack: int) -> None:
    found = verdicts(search(tmp_path / "packed", pack)[0])
    assert found.keys() == alone.keys()
    for name, verdict in alone.items():
        assert isinstance(verdict.ending, Bracketed)
        assert found[name].ending == verdict.ending


def test_no_checkpoint_stays_behind(tmp_path: Path) -> None:
    search(tmp_path / "packed", 6)
    assert not list((tmp_path / "packed/checkpoints").rglob("*.pt"))


def test_all_that_was_handed_out_ends(tmp_path: Path) -> None:
    coordinator, _ = search(tmp_path / "packed", 6)
    assert coordinator.done()
    assert not [trial for trial in coordinator.trials if isinstance(trial.outcome, Failed)]


def test_on_cpus_auto_is_no_pack(tmp_path: Path) -> None:
    _, events = search(tmp_path / "auto", "auto")
    assert not [event for event in events if isinstance(event, Noted)]
