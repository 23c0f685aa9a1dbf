"""The tasks as a user's: the YAML read by path, the Python beside it loaded by it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lrsearch import Workload
from lrsearch.datasets.files import find
from lrsearch.errors import DataError
from lrsearch.workload import indexed

_CHECKOUT = Path(__file__).parents[2]
_BESIDE = _CHECKOUT.parent / "shared" / "data"

MakeWorkload = Callable[[], Workload]
Train = Callable[..., Workload]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """What the tasks ask for; two threads on a busy machine are tens of times slower."""
    torch.set_num_threads(1)


@pytest.fixture
def tasks() -> Path:
    """The folder of the tasks."""
    return _CHECKOUT / "tasks"


@pytest.fixture
def load(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Load the Python beside the tasks by its name; what it imports from its own folder is found there."""
    monkeypatch.syspath_prepend(str(tasks))

    def load(name: str) -> ModuleType:
        spec = spec_from_file_location(name, tasks / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def decoded() -> Iterator[Path]:
    """A cache for what is decoded of the data sets, removed after the last test."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def need(monkeypatch: pytest.MonkeyPatch, decoded: Path) -> Callable[[str], Path]:
    """Set ``$LRSEARCH_DATA`` to the folder of the real data; skips where it lacks a data set."""

    def need(name: str) -> Path:
        folder = Path(os.environ.get("LRSEARCH_DATA") or _BESIDE)
        monkeypatch.setenv("LRSEARCH_DATA", str(folder))
        monkeypatch.setenv("XDG_CACHE_HOME", str(decoded))
        try:
            find(name)
        except DataError as error:
            pytest.skip(f"{error}")
        return folder

    return need


@pytest.fixture
def real_data(need: Callable[[str], Path]) -> Path:
    """The folder of the real Fashion-MNIST, set as ``$LRSEARCH_DATA``; skips where there is none."""
    return need("fashion_mnist")


@pytest.fixture
def train() -> Train:
    """Train as anybody would: a loop, an optimizer of torch, no part of lrsearch but the workload."""

    def train(
        make: MakeWorkload,
        lr: float,
        iterations: int,
        seed: int = 0,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.SGD,
    ) -> Workload:
        torch.manual_seed(seed)
        workload = make()
        optimizer = optimizer_class(workload.model.parameters(), lr=lr)  # type: ignore[call-arg]
        batches = indexed(workload.batches)
        for iteration in range(iterations):
            optimizer.zero_grad()
            batch = batches.batch(seed, iteration)
            if workload.carried is None:
                loss = workload.loss(workload.model, batch)
            else:
                loss, workload.carried = workload.loss(workload.model, batch, workload.carried)
            loss.backward()
            optimizer.step()
        return workload

    return train
