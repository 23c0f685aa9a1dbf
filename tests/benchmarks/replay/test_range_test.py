"""The range test's training, on the noisy quadratic: what it sees, and where it stops."""

import importlib
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from lrsearch import load_task
from lrsearch.task.model import Task
from lrsearch.training.workloads import make_workload
from lrsearch.workload import indexed

REPLAY = Path(__file__).parents[3] / "benchmarks/replay"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(REPLAY)
    return importlib.import_module("range_test")


@pytest.fixture
def task() -> Task:
    return load_task(REPLAY / "noisy_quadratic.yaml")


def test_rates_rise_by_equal_ratios(module: ModuleType) -> None:
    rates = module.rates()
    assert (len(rates), rates[0], rates[-1]) == (100, 1e-7, 10)
    assert [after / before for before, after in pairwise(rates)] == pytest.approx([1e8 ** (1 / 99)] * 99)


def test_the_first_loss_is_that_of_a_replicas_first_batch(module: ModuleType, task: Task) -> None:
    workload = make_workload(task, "sgd", seed=3)
    first = workload.loss(workload.model, indexed(workload.batches).batch(3, 0)).item()
    assert module.range_test(task, "sgd", 3)[0] == first


def test_it_stops_when_the_smoothed_loss_is_four_times_its_lowest(module: ModuleType, task: Task) -> None:
    losses = module.range_test(task, "sgd", 0)
    smoothed = [
        # The debiased running mean, written out as a weighted one.
        sum(0.98 ** (n - i) * loss for i, loss in enumerate(losses[: n + 1]))
        / sum(0.98 ** (n - i) for i in range(n + 1))
        for n in range(len(losses))
    ]
    above = [value > 4 * min(smoothed[: n + 1]) for n, value in enumerate(smoothed)]
    assert above == [False] * (len(losses) - 1) + [True]
