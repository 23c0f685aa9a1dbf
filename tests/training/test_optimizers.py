"""Optimizers by name, and the one located line for each that cannot be made."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from cprop import CProp
from lrsearch.errors import TaskError
from lrsearch.task import Entry, Task
from lrsearch.training.optimizers import check_optimizers, make_optimizer, stand_ins, torch_optimizers

MakeTask = Callable[..., Task]

OWN = """
import torch

class Mine(torch.optim.SGD):
    pass

class NoOptimizer:
    pass
"""


def made(
    name: str, hyperparameters: dict[str, float] | None = None, **options: object
) -> torch.optim.Optimizer:
    wrapped = bool(options.pop("wrapped", False))
    entry = Entry("x", name, {}, options=options, wrapped_in_cprop=wrapped)
    return make_optimizer(entry, nn.Linear(2, 2, bias=False).parameters(), hyperparameters or {"lr": 0.01})


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_optimizers.py").write_text(OWN)
    (tmp_path / "broken_optimizers.py").write_text("raise RuntimeError('no luck')\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", sorted(torch_optimizers()))
def test_every_optimizer_of_torch_is_made_by_its_name(name: str) -> None:
    optimizer = made(name)
    assert type(optimizer) is torch_optimizers()[name]
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_lists_become_tuples() -> None:
    assert made("adam", betas=[0.5, 0.9]).param_groups[0]["betas"] == (0.5, 0.9)


def test_a_whole_number_stays_whole_where_the_class_declares_one() -> None:
    optimizer = made("lbfgs", {"lr": 1.0, "max_iter": 5.0})
    assert repr(optimizer.param_groups[0]["max_iter"]) == "5"
    assert repr(optimizer.param_groups[0]["lr"]) == "1.0"


def test_options_and_numbers_reach_the_class() -> None:
    group = made("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}, nesterov=True).param_groups[0]
    assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.9, 1e-4, True)


@pytest.mark.usefixtures("own_package")
def test_a_class_of_ones_own_is_found_by_module_and_name() -> None:
    assert type(made("own_optimizers:Mine")).__name__ == "Mine"


def test_cprop_wraps_with_its_own_numbers_and_options() -> None:
    numbers = {"lr": 0.1, "cprop.c": 3.0, "cprop.beta": 0.99}
    optimizer = made("sgd", numbers, wrapped=True, **{"cprop.eps_placement": "inside"})
    assert isinstance(optimizer, CProp)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["c"], group["beta"]) == (0.1, 3.0, 0.99)
    assert optimizer.settings.eps_placement == "inside"
    assert type(optimizer.optimizer) is torch.optim.SGD


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            "adamm: {lr: 0.1}",
            "task.yaml:7:3 torch.optim has no optimizer adamm; did you mean adam? "
            "An entry of another name says what it is with base:",
        ),
        (
            "mine: {base: adamm, lr: 0.1}",
            "task.yaml:7:10 torch.optim has no optimizer adamm; did you mean adam?",
        ),
        (
            "sgd: {lr: 0.1, momentun: 0.9}",
            "7:18 optimizers.sgd.momentun is no argument of SGD; did you mean momentum?",
        ),
        (
            "sgd: {lr: 0.1, zzz: true}",
            "7:18 optimizers.sgd.zzz is no argument of SGD; it takes lr, momentum, ",
        ),
        ("sgd: {lr: 0.1, nesterov: true}", "7:3 optimizers.sgd cannot be made: Nesterov momentum requires"),
        (
            "adam: {lr: 0.1, fused: true, foreach: true}",
            "7:3 optimizers.adam cannot be made: `fused` and `foreach`",
        ),
        ("adam: {lr: 0.1, betas: [2, 0.9]}", "7:3 optimizers.adam cannot be made: Invalid beta"),
        ("adam: {lr: 0.1, amsgrad: no}", '7:19 optimizers.adam.amsgrad is "no"; give true or false'),
        ("adam: {lr: 0.1, betas: text}", "7:19 optimizers.adam.betas is "),
        (
            "m: {base: 'no_such_package.x:Y', lr: 0.1}",
            "7:7 the optimizer no_such_package.x:Y cannot be imported",
        ),
        ("m: {base: 'own_optimizers:Mime', lr: 0.1}", "7:7 own_optimizers has no Mime; mend the name"),
        (
            "m: {base: 'own_optimizers:NoOptimizer', lr: 0.1}",
            "7:7 own_optimizers:NoOptimizer is no torch.optim.Opt",
        ),
        (
            "m: {base: 'broken_optimizers:Mine', lr: 0.1}",
            "7:7 importing broken_optimizers raised RuntimeError: no luck",
        ),
        ("sgd: {lr: 0.1, params: 3}", "7:18 optimizers.sgd.params is no argument of SGD; it takes lr"),
    ],
)
@pytest.mark.usefixtures("own_package")
def test_what_cannot_be_made_is_one_line_with_its_place(make_task: MakeTask, entry: str, line: str) -> None:
    task = make_task(("sgd: {lr: {start: 0.1}}", entry))
    with pytest.raises(TaskError) as raised:
        check_optimizers(task)
    message = str(raised.value)
    assert line in message
    assert message.startswith("task.yaml:7:")
    assert "\n" not in message
    assert ";" in message


def test_good_entries_pass(make_task: MakeTask) -> None:
    entries = """sgd: {lr: {start: 0.1}}
  adam: {lr: {start: 0.001}, betas: [0.9, 0.99]}
  shared: {base: adam, lr: {of: adam, times: 0.5}, eps: 1e-6}
  cprop_sgd: {base: sgd, cprop: {c: {start: 1}, beta: 0.99}, lr: {of: sgd}}"""
    check_optimizers(make_task(("sgd: {lr: {start: 0.1}}", entries)))


def test_stand_ins_are_starts_and_shares_of_them(make_task: MakeTask) -> None:
    entries = "sgd: {lr: {start: 0.1}}\n  two: {base: sgd, lr: {of: sgd, times: 0.5}, momentum: 0.9}"
    task = make_task(("sgd: {lr: {start: 0.1}}", entries))
    assert stand_ins(task, task.entries["two"]) == {"lr": 0.05, "momentum": 0.9}
