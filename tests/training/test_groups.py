"""Parameter groups by name: which parameter goes where, with which numbers, and what is refused."""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cprop import CProp
from lrsearch.task import Entry
from lrsearch.task.model import ParameterGroup
from lrsearch.training.groups import GroupError, parameter_groups
from lrsearch.training.optimizers import make_optimizer

NO_DECAY = ParameterGroup("*.bias", arguments={"weight_decay": 0.0})
SLOW = ParameterGroup("body.*", lr_times=0.1)


def model() -> nn.Module:
    return nn.Sequential(OrderedDict(body=nn.Linear(2, 3), norm=nn.LayerNorm(3), head=nn.Linear(3, 1)))


def names_in(optimizer: torch.optim.Optimizer, network: nn.Module) -> list[list[str]]:
    by_id = {id(parameter): name for name, parameter in network.named_parameters()}
    return [[by_id[id(parameter)] for parameter in group["params"]] for group in optimizer.param_groups]


def made(
    network: nn.Module, *groups: ParameterGroup, name: str = "adamw", cprop: bool = False
) -> torch.optim.Optimizer:
    entry = Entry("x", name, {}, wrapped_in_cprop=cprop)
    return make_optimizer(entry, network, {"lr": 0.5, "weight_decay": 0.25}, groups)


def test_what_nothing_matches_comes_first_with_the_optimizers_own_numbers() -> None:
    network = model()
    optimizer = made(network, NO_DECAY)
    biases = ["body.bias", "norm.bias", "head.bias"]
    assert names_in(optimizer, network) == [["body.weight", "norm.weight", "head.weight"], biases]
    assert [(g["lr"], g["weight_decay"]) for g in optimizer.param_groups] == [(0.5, 0.25), (0.5, 0.0)]


def test_the_first_match_wins() -> None:
    network = model()
    optimizer = made(network, SLOW, NO_DECAY)
    assert names_in(optimizer, network)[1:] == [["body.weight", "body.bias"], ["norm.bias", "head.bias"]]
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.05, 0.5]


def test_groups_work_inside_cprop() -> None:
    optimizer = made(model(), SLOW, NO_DECAY, cprop=True)
    assert isinstance(optimizer, CProp)
    assert [(g["lr"], g["weight_decay"], g["beta"]) for g in optimizer.param_groups] == [
        (0.5, 0.25, 0.999), (0.05, 0.25, 0.999), (0.5, 0.0, 0.999),
    ]  # fmt: skip


def test_the_ratio_is_of_the_classs_own_rate_where_none_is_given() -> None:
    optimizer = make_optimizer(Entry("x", "adamw", {}), model(), {}, (SLOW,))
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([1e-3, 1e-4])


def test_named_parameters_do_in_place_of_the_model() -> None:
    network = model()
    entry = Entry("x", "adamw", {})
    groups = make_optimizer(entry, network.named_parameters(), {"lr": 0.5}, (SLOW,)).param_groups
    assert [g["lr"] for g in groups] == [0.5, 0.05]


@given(st.lists(st.sampled_from(["*", "*.bias", "*.weight", "body.*", "norm.*", "head.?ias"]), unique=True))
def test_every_parameter_is_in_one_group(patterns: list[str]) -> None:
    network = model()
    names = [name for name, _ in network.named_parameters()]
    try:
        groups = parameter_groups(network, [ParameterGroup(pattern) for pattern in patterns], 0.1)
    except GroupError:
        return
    members = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(members) == sorted(id(parameter) for parameter in network.parameters())
    assert len(members) == len(names)


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        (
            [ParameterGroup("*.bais")],
            'recipe.groups[0].match is "*.bais", which matches no parameter of the model; '
            "it has body.bias, norm.bias, head.bias and so on",
        ),
        (
            [ParameterGroup("*"), ParameterGroup("*.bias")],
            'recipe.groups[1].match is "*.bias", which matches only parameters that groups before it take; '
            "write it before them",
        ),
    ],
)
def test_a_pattern_that_takes_nothing_is_refused(groups: list[ParameterGroup], line: str) -> None:
    with pytest.raises(GroupError) as raised:
        parameter_groups(model(), groups, 0.1)
    assert str(raised.value) == line
    assert raised.value.index == len(groups) - 1


def test_parameters_without_names_are_refused() -> None:
    with pytest.raises(GroupError, match=r"these have none; give the model, or model.named_parameters\(\)"):
        parameter_groups(model().parameters(), [NO_DECAY], 0.1)
