"""On a GPU a pack trains as its replicas alone, whichever way its passes are run."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from packed_tasks import TASK, WORKLOAD

from lrsearch.task import Task, parse_task
from lrsearch.training.packs.check import why_not_together
from lrsearch.training.packs.passes import WAYS, Way
from lrsearch.training.packs.size import packing_of
from lrsearch.trial import SearchId, TrialSpec

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
Write = Callable[..., Task]
KINDS = ("plain", "batch norm", "own batches", "carried", "two kinds")
OPTIMIZERS = {
    "cprop": "{base: sgd, cprop: {c: 1, beta: 0.9}, lr: {start: 0.1}}",
    "adam": "{base: adam, lr: {start: 0.01}}",
    "nadam": "{base: nadam, lr: {start: 0.01}}",
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(kind: str = "plain", optimizer: str = OPTIMIZERS["cprop"]) -> Task:
        (tmp_path / "packed.py").write_text(WORKLOAD)
        text = TASK.replace("OPTIMIZER", optimizer).replace("kind: plain", f"kind: {kind}")
        return parse_task(text + "resources: {gpus: 1}\n", tmp_path / "task.yaml")

    return write


def why_not(task: Task, way: Way) -> str | None:
    specs = [TrialSpec(SearchId("one", "lr"), 0, seed, {"lr": 0.1}) for seed in range(3)]
    return why_not_together(task, specs, torch.device("cuda"), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "two kinds"])
def test_each_kind_of_workload(write: Write, kind: str, way: Way) -> None:
    assert why_not(write(kind), way) is None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_each_kind_of_optimizer(write: Write, optimizer: str, way: Way) -> None:
    assert why_not(write(optimizer=optimizer), way) is None


@pytest.mark.parametrize("kind", ["dropout", "two kinds"])
def test_what_can_only_be_captured(write: Write, kind: str) -> None:
    assert why_not(write(kind), "captured") is None


def test_what_reads_numbers_off_the_device_is_refused_and_the_device_lives(
    write: Write, tmp_path: Path
) -> None:
    task = write()
    python = tmp_path / "packed.py"
    branch = "    x, y = batch\n    if float(y.sum()) > 1e9:\n        y = 0 * y\n    return"
    python.write_text(WORKLOAD.replace("    x, y = batch\n    return", branch))
    assert why_not(task, "captured") is not None
    assert float(torch.ones(3, device="cuda").sum()) == 3


def test_a_size_is_measured(write: Write) -> None:
    assert packing_of(write(), {})[0].size > 1
