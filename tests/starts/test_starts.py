"""Range tests are made once, for the searches of a run, and kept."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from lrsearch.errors import TaskError
from lrsearch.starts import propose_starts
from lrsearch.store.memory import MemoryStore
from lrsearch.task import RangeTest, Task, parse_task
from lrsearch.trial import SearchId

WORKLOAD = """
import torch
from torch import nn

from lrsearch import Batches, Workload


def bowl():
    x = torch.linspace(-1, 1, 32)[:, None]
    loss = lambda model, batch: (model(batch[0]) - batch[1]).square().mean()
    whole = lambda model, examples: float(loss(model, (x, 3 * x + 1)).detach())
    return Workload(nn.Linear(1, 1), Batches(x, 3 * x + 1, batch_size=8), loss, {"train_loss": whole})
"""
TASK = """\
name: bowl
workload: bowl.py:bowl
budget: {iterations: 20, evaluate_every: 10}
seeds: 2
optimizers:
  sgd: {lr: {start: auto}}
  adam: {lr: {start: auto}}
  shared: {base: sgd, lr: {of: sgd}}
  given: {base: sgd, lr: {start: 0.3}}
"""
SGD, ADAM, GIVEN = (SearchId(entry, "lr") for entry in ("sgd", "adam", "given"))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "bowl.py").write_text(WORKLOAD)
    return parse_task(TASK, tmp_path / "bowl.yaml")


def quiet() -> Console:
    return Console(quiet=True)


def starts(task: Task) -> dict[SearchId, float | None]:
    return {search: searched.start for search, searched in task.searches().items()}


def range_tests(store: MemoryStore) -> dict[SearchId, RangeTest]:
    """The range tests on record, one a search."""
    found = {}
    for search, (proposed,) in store.proposed_starts().items():
        assert isinstance(proposed, RangeTest)
        found[search] = proposed
    return found


def test_each_open_start_is_proposed_and_a_given_one_is_left(task: Task) -> None:
    store = MemoryStore()
    found = starts(propose_starts(task, store, task.searches(), quiet()))
    tests = range_tests(store)
    assert tests.keys() == {SGD, ADAM}
    assert found == {SGD: tests[SGD].suggested, ADAM: tests[ADAM].suggested, GIVEN: 0.3}


def test_what_is_kept_is_not_made_again(task: Task) -> None:
    store = MemoryStore()
    first = propose_starts(task, store, task.searches(), quiet())

    def never() -> None:
        raise AssertionError("a range test was made again")

    assert propose_starts(task, store, task.searches(), quiet(), never) == first


def test_only_the_searches_of_the_run_are_tested(task: Task) -> None:
    found = starts(propose_starts(task, store := MemoryStore(), [ADAM], quiet()))
    assert (range_tests(store).keys(), found[SGD]) == ({ADAM}, None)


def test_nothing_is_kept_of_one_that_was_interrupted(task: Task) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    store = MemoryStore()
    with pytest.raises(KeyboardInterrupt):
        propose_starts(task, store, [SGD], quiet(), interrupted)
    assert not range_tests(store)


def test_it_says_what_was_suggested(task: Task) -> None:
    written = io.StringIO()
    found = propose_starts(task, store := MemoryStore(), [SGD], Console(file=written, width=40))
    iterations = range_tests(store)[SGD].iterations
    assert written.getvalue() == (
        f"sgd/lr: starts from {found.searches()[SGD].start:g}, as its range test "
        f"({iterations} iterations on 2 seeds) suggests\n"
    )


@pytest.fixture
def scaling(task: Task) -> Task:
    """The task with one search that begins where another study's result points, and one that a range test begins."""
    content = """\
lrsearch: 0.1.0
task: there
metric: {name: train_loss, iteration: 20}
chosen: {adam: {optimizer: adam, hyperparameters: {lr: 0.01}}}
"""
    (task.folder / "chosen.yaml").write_text(content)
    start = "{from: chosen.yaml, rule: sqrt, times: 4}"
    text = TASK.replace("adam: {lr: {start: auto}}", f"adam: {{lr: {{start: {start}}}}}")
    return parse_task(text, task.path, shown_as="bowl.yaml")


def test_another_result_is_read_once(scaling: Task) -> None:
    store = MemoryStore()
    first = propose_starts(scaling, store, [ADAM], quiet())
    (scaling.folder / "chosen.yaml").unlink()
    assert propose_starts(scaling, store, [ADAM], quiet()) == first
    assert first.searches()[ADAM].start == 0.03


def test_a_file_that_is_not_there_is_found_out_before_any_range_test(scaling: Task) -> None:
    (scaling.folder / "chosen.yaml").unlink()

    def never() -> None:
        raise AssertionError("a range test was made")

    with pytest.raises(
        TaskError, match=r"^bowl.yaml:7:23 optimizers.adam.lr.start.from is chosen.yaml, which does"
    ):
        propose_starts(scaling, MemoryStore(), [SGD, ADAM], quiet(), never)
