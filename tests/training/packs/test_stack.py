"""A stack trains each replica as it trains alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from packed_tasks import SGD, TASK, WORKLOAD

from lrsearch.task import Task, parse_task
from lrsearch.training.optimizers import stand_ins
from lrsearch.training.packs.nested import StackError
from lrsearch.training.packs.passes import WAYS, Way
from lrsearch.training.packs.stack import Stack
from lrsearch.training.packs.turns import Turn
from lrsearch.training.packs.updates import AllRows, OneByOne
from lrsearch.training.replica import Replica
from lrsearch.trial import SearchId, TrialSpec

CPU = torch.device("cpu")
UPDATES = 20
OPTIMIZERS = {
    "sgd": SGD,
    "sgd with weight decay": "{base: sgd, weight_decay: 0.01, lr: {start: 0.1}}",
    "momentum": "{base: sgd, momentum: 0.9, lr: {start: 0.01}}",
    "damped momentum": "{base: sgd, momentum: 0.9, dampening: 0.5, lr: {start: 0.01}}",
    "nesterov": "{base: sgd, momentum: 0.9, nesterov: true, lr: {start: 0.01}}",
    "adam": "{lr: {start: 0.01}, base: adam, weight_decay: 0.01}",
    "amsgrad": "{base: adam, amsgrad: true, lr: {start: 0.01}}",
    "adamw": "{base: adamw, weight_decay: 0.1, lr: {start: 0.01}}",
    "rmsprop": "{base: rmsprop, lr: {start: 0.01}}",
    "centered rmsprop": "{base: rmsprop, centered: true, momentum: 0.9, weight_decay: 0.01, lr: {start: 0.001}}",
    "cprop": "{base: sgd, cprop: {c: 1, beta: 0.9}, lr: {start: 0.1}}",
    "cprop around adam": "{base: adam, cprop: {c: 3, beta: 0.9}, lr: {start: 0.01}}",
    "relative rate": "{base: sgd, cprop: {c: 3, beta: 0.9, measure: relative_rate}, lr: {start: 0.1}}",
    "moment rate": "{base: sgd, cprop: {c: 3, beta: 0.9, measure: moment_rate}, lr: {start: 0.1}}",
}
ONE_BY_ONE = {
    "adagrad": "{base: adagrad, lr: {start: 0.1}}",
    "nadam": "{base: nadam, lr: {start: 0.01}}",
    "cprop around adamax": "{base: adamax, cprop: {c: 1, beta: 0.9}, lr: {start: 0.01}}",
}
RECIPES = {
    "clipped": "gradient_clip: 0.1",
    "accumulated": "accumulate: 2",
    "scheduled": "schedule: {name: CosineAnnealingLR}, warmup: 0.2",
    "with cycled momentum": "schedule: {name: OneCycleLR}",
    "in groups": "groups: [{match: '*.bias', lr_times: 2, weight_decay: 0}]",
}

Write = Callable[..., Task]
BOTH_WAYS = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """In double precision, so that a difference is one of arithmetic and not of rounding."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(optimizer: str = SGD, recipe: str = "", kind: str = "plain") -> Task:
        (tmp_path / "packed.py").write_text(WORKLOAD)
        text = TASK.replace("OPTIMIZER", optimizer).replace("kind: plain", f"kind: {kind}")
        text += f"recipe: {{{recipe}}}\n" if recipe else ""
        return parse_task(text, tmp_path / "task.yaml")

    return write


def specs(task: Task) -> list[TrialSpec]:
    numbers = stand_ins(task, task.entries["one"])
    rates = [(0, 1.0), (1, 0.3), (2, 1.0)]
    return [
        TrialSpec(SearchId("one", "lr"), rung, seed, {**numbers, "lr": numbers["lr"] * times})
        for rung, (seed, times) in enumerate(rates)
    ]


def made(task: Task, *more: TrialSpec) -> tuple[list[Replica], list[Turn]]:
    replicas, turns = [], []
    for spec in more or specs(task):
        replicas.append(Replica(task, spec, Path("nowhere")))
        turns.append(Turn(CPU))
    return replicas, turns


def alone(task: Task, *more: TrialSpec) -> list[Replica]:
    replicas, turns = made(task, *more)
    for replica, turn in zip(replicas, turns, strict=True):
        with turn():
            replica.train_to(UPDATES)
    return replicas


def together(task: Task, way: Way, *stretches: int) -> list[Replica]:
    """Trained in stretches, each in a stack of its own."""
    replicas, turns = made(task)
    for updates in stretches:
        Stack(replicas, turns, task.recipe, CPU, way).train(updates)
    return replicas


def state_of(replica: Replica) -> dict[str, Any]:
    return {**replica.workload.model.state_dict(), "the sum of the losses": replica.loss_total}


def assert_equal(ones: list[Replica], others: list[Replica]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert one.iteration == other.iteration
        expected, found = state_of(one), state_of(other)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-8, msg=name)


@BOTH_WAYS
@pytest.mark.parametrize("optimizer", {**OPTIMIZERS, **ONE_BY_ONE}.values(), ids={**OPTIMIZERS, **ONE_BY_ONE})
def test_each_optimizer_makes_the_steps_that_it_makes_alone(write: Write, optimizer: str, way: Way) -> None:
    task = write(optimizer)
    assert_equal(alone(task), together(task, way, UPDATES))


@BOTH_WAYS
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_stack_goes_on_where_another_ended(write: Write, optimizer: str, way: Way) -> None:
    task = write(optimizer)
    assert_equal(alone(task), together(task, way, 7, 13))


@BOTH_WAYS
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_what_was_stacked_goes_on_alone(write: Write, optimizer: str, way: Way) -> None:
    task = write(optimizer)
    replicas = together(task, way, 7)
    for replica in replicas:
        replica.train_to(UPDATES)
    assert_equal(alone(task), replicas)


@BOTH_WAYS
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_each_recipe(write: Write, recipe: str, way: Way) -> None:
    task = write("{base: sgd, momentum: 0.9, lr: {start: 0.01}}", recipe)
    assert_equal(alone(task), together(task, way, 7, 13))


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["batch norm", "own batches", "carried"])
def test_each_kind_of_workload(write: Write, kind: str, way: Way) -> None:
    task = write(kind=kind)
    assert_equal(alone(task), together(task, way, 7, 13))


@BOTH_WAYS
def test_the_same_stack_twice_is_identical(write: Write, way: Way) -> None:
    torch.set_default_dtype(torch.float32)
    task = write(OPTIMIZERS["cprop around adam"])
    for one, other in zip(together(task, way, UPDATES), together(task, way, UPDATES), strict=True):
        assert all(
            torch.equal(a, b) for a, b in zip(state_of(one).values(), state_of(other).values(), strict=True)
        )


@BOTH_WAYS
def test_losses_in_single_precision_are_those_of_replicas_alone(write: Write, way: Way) -> None:
    torch.set_default_dtype(torch.float32)
    task = write(OPTIMIZERS["cprop around adam"])
    for one, other in zip(alone(task), together(task, way, UPDATES), strict=True):
        assert float(abs(one.loss_total - other.loss_total)) / UPDATES < 1e-4


@BOTH_WAYS
def test_rows_that_are_not_finite_leave_the_others_as_they_are(write: Write, way: Way) -> None:
    task = write()
    replicas, turns = made(task)
    with torch.no_grad():
        next(replicas[1].workload.model.parameters()).fill_(torch.nan)
    Stack(replicas, turns, task.recipe, CPU, way).train(UPDATES)
    expected = alone(task)
    assert_equal([expected[0], expected[2]], [replicas[0], replicas[2]])


def test_optimizers_of_torch_are_updated_in_one_pass(write: Write) -> None:
    task = write(OPTIMIZERS["adamw"])
    assert [type(update) for _, update in Stack(*made(task), task.recipe, CPU)._updates] == [AllRows]


def test_other_optimizers_make_their_steps_themselves(write: Write) -> None:
    task = write(ONE_BY_ONE["nadam"])
    assert [type(update) for _, update in Stack(*made(task), task.recipe, CPU)._updates] == [OneByOne]


def test_networks_that_differ_are_not_stacked(write: Write) -> None:
    task = write()
    replicas, turns = made(task)
    replicas[0].workload.model.add_module("more", torch.nn.Linear(1, 1))
    with pytest.raises(StackError, match="its models differ in their parameters"):
        Stack(replicas, turns, task.recipe, CPU)


def test_entries_of_one_workload_are_stacked_together(write: Write) -> None:
    task = write()
    other = write(OPTIMIZERS["adam"])
    both = replace(task, entries={**task.entries, "two": replace(other.entries["one"], name="two")})
    of_two = [
        TrialSpec(SearchId("two", "lr"), s.rung, s.seed, stand_ins(both, both.entries["two"]))
        for s in specs(task)
    ]
    every = [*specs(task), *of_two]
    found, turns = made(both, *every)
    Stack(found, turns, both.recipe, CPU).train(UPDATES)
    assert_equal(alone(both, *every), found)


def test_captured_dropout_draws_the_numbers_that_each_draws_alone(write: Write) -> None:
    task = write(kind="dropout")
    assert_equal(alone(task), together(task, "captured", 7, 13))


def test_what_was_captured_goes_on_alone_with_the_next_random_numbers(write: Write) -> None:
    task = write(kind="dropout")
    replicas, turns = made(task)
    Stack(replicas, turns, task.recipe, CPU, "captured").train(7)
    for replica, turn in zip(replicas, turns, strict=True):
        with turn():
            replica.train_to(UPDATES)
    assert_equal(alone(task), replicas)


def test_batches_of_few_kinds_are_each_captured(write: Write) -> None:
    task = write(kind="two kinds")
    assert_equal(alone(task), together(task, "captured", 7, 13))


def test_batches_of_many_kinds_are_not_captured(write: Write) -> None:
    task = write(kind="many kinds")
    with pytest.raises(StackError, match="its batches are of more than 4 kinds"):
        together(task, "captured", UPDATES)
