"""A search in packs is the search that it is without, by each engine: real Ray, and a worker that really dies."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lrsearch.coordinator import Coordinator, Event, Noted
from lrsearch.engine.inline import InlineEngine
from lrsearch.ports import Engine
from lrsearch.store.memory import MemoryStore
from lrsearch.strategies import Bracketed
from lrsearch.task import parse_task
from lrsearch.trial import Curve, Failed, SearchId
from lrsearch.verdict import Verdict

WORKLOAD = """
import os
import signal
from pathlib import Path

import torch
from torch import nn

from lrsearch import Batches, Mean, Workload
from lrsearch.training import replica

replica.CHECKPOINT_SECONDS = 0  # one after each evaluation
replica.CHECKPOINT_SHARE = 1e9
HERE = Path(__file__).parent
calls = []


def loss(model, batch):
    x, y = batch
    calls.append(1)
    if DIES and len(calls) == 100 and not (HERE / "died").exists():
        (HERE / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
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
seeds: 2
resources: {pack: PACK}
optimizers:
  sgd: {lr: {start: 0.03}}
  adam: {lr: {start: 0.01}}
  cprop: {base: sgd, cprop: {c: {start: 1}, beta: 0.9}, lr: {of: sgd}}
"""
MakeEngine = Callable[[Path], Engine]


@pytest.fixture(scope="module", params=["inline", "ray"])
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    if request.param == "inline":
        return InlineEngine
    request.getfixturevalue("started_ray")
    from lrsearch.engine.ray import RayEngine

    return RayEngine


def search(
    make_engine: MakeEngine, folder: Path, pack: int | str, dies: bool = False
) -> tuple[Coordinator, list[Event]]:
    torch.set_num_threads(1)
    folder.mkdir()
    (folder / "packed.py").write_text(WORKLOAD.replace("DIES", str(dies)))
    task = parse_task(TASK.replace("PACK", str(pack)), folder / "task.yaml")
    events: list[Event] = []
    coordinator = Coordinator(task, MemoryStore(), observer=events.append)
    make_engine(folder / "checkpoints").run(task, coordinator)
    return coordinator, events


def verdicts(coordinator: Coordinator) -> dict[SearchId, Verdict]:
    return {state.search: state.verdict for state in coordinator.states if state.verdict is not None}


def curves(coordinator: Coordinator) -> dict[tuple[str, int, int], Curve]:
    return {(str(t.spec.search), t.spec.rung, t.spec.seed): t.curve for t in coordinator.trials}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Coordinator:
    return search(InlineEngine, tmp_path_factory.mktemp("packs") / "alone", 1)[0]


@pytest.fixture(scope="module")
def packed(
    make_engine: MakeEngine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Coordinator, list[Event]]:
    folder = tmp_path_factory.mktemp("packs") / "packed"
    return (folder, *search(make_engine, folder, 4))


def test_it_chooses_the_same(packed: tuple[Path, Coordinator, list[Event]], alone: Coordinator) -> None:
    found, expected = verdicts(packed[1]), verdicts(alone)
    assert found.keys() == expected.keys()
    for name, verdict in expected.items():
        assert isinstance(verdict.ending, Bracketed)
        assert found[name].ending == verdict.ending


def test_each_replica_is_as_alone(packed: tuple[Path, Coordinator, list[Event]], alone: Coordinator) -> None:
    found, expected = curves(packed[1]), curves(alone)
    for key in found.keys() & expected.keys():
        for one, other in zip(found[key], expected[key], strict=False):
            assert one.iteration == other.iteration
            assert one.value == pytest.approx(other.value, rel=1e-4), key


def test_each_is_trained_once(packed: tuple[Path, Coordinator, list[Event]]) -> None:
    trained = Counter((str(t.spec.search), t.spec.rung, t.spec.seed, str(t.spec)) for t in packed[1].trials)
    assert set(trained.values()) == {1}


def test_all_ends_without_a_word(packed: tuple[Path, Coordinator, list[Event]]) -> None:
    _, coordinator, events = packed
    assert coordinator.done()
    assert not [trial for trial in coordinator.trials if isinstance(trial.outcome, Failed)]
    assert not [event for event in events if isinstance(event, Noted)]


def test_no_checkpoint_stays_behind(packed: tuple[Path, Coordinator, list[Event]]) -> None:
    assert not list((packed[0] / "checkpoints").rglob("*.pt"))


def test_a_pack_larger_than_the_search(make_engine: MakeEngine, tmp_path: Path, alone: Coordinator) -> None:
    found = verdicts(search(make_engine, tmp_path / "large", 50)[0])
    assert {n: v.ending for n, v in found.items()} == {n: v.ending for n, v in verdicts(alone).items()}


def test_on_cpus_auto_is_no_pack(tmp_path: Path, alone: Coordinator) -> None:
    assert curves(search(InlineEngine, tmp_path / "auto", "auto")[0]) == curves(alone)


def test_a_pack_whose_worker_dies_goes_on(started_ray: None, tmp_path: Path, alone: Coordinator) -> None:
    from lrsearch.engine.ray import RayEngine

    coordinator, events = search(RayEngine, tmp_path / "dies", 4, dies=True)
    assert (tmp_path / "dies/died").exists()
    assert any("its process ended" in event.line for event in events if isinstance(event, Noted))
    assert {n: v.ending for n, v in verdicts(coordinator).items()} == {
        n: v.ending for n, v in verdicts(alone).items()
    }
