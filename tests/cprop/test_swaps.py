"""Optimizers that swap weights for evaluations, in CProp: it has their methods, and only theirs."""

import copy
import math
import pickle

import pytest
import schedulefree
import torch
from pytorch_optimizer import (
    Lookahead,
    OrthoGrad,
    ScheduleFreeAdamW,
    ScheduleFreeRAdam,
    ScheduleFreeSGD,
    ScheduleFreeWrapper,
    SPlus,
)
from torch import nn

from cprop import CProp
from cprop.swaps import SWAP_NAMES

MODES = {
    "schedulefree SGD": schedulefree.SGDScheduleFree,
    "schedulefree AdamW": schedulefree.AdamWScheduleFree,
    "schedulefree RAdam": schedulefree.RAdamScheduleFree,
    "SGD": ScheduleFreeSGD,
    "AdamW": ScheduleFreeAdamW,
    "RAdam": ScheduleFreeRAdam,
    "SPlus": SPlus,
    "wrapper": lambda parameters, lr: ScheduleFreeWrapper(torch.optim.RMSprop(parameters, lr=lr)),
}
OTHERS = {
    "Lookahead": lambda parameters, lr: Lookahead(torch.optim.SGD(parameters, lr=lr)),
    "OrthoGrad": lambda parameters, lr: OrthoGrad(ScheduleFreeSGD(parameters, lr=lr)),
    "torch": torch.optim.SGD,
}


def weights_of(make, wrap):
    """What a model is evaluated by after each step, and what it trains on with."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    optimizer = wrap(make(model.parameters(), lr=0.1))
    optimizer.train()
    found = []
    for _ in range(8):
        optimizer.zero_grad()
        model(torch.randn(5, 4)).square().mean().backward()
        optimizer.step()
        optimizer.eval()
        found.append(model.weight.detach().clone())
        optimizer.train()
        found.append(model.weight.detach().clone())
    return found


@pytest.mark.parametrize("name", MODES)
def test_with_an_infinite_c_it_is_the_bare_optimizer_to_the_bit(name):
    bare, wrapped = (
        weights_of(MODES[name], wrap)
        for wrap in (lambda optimizer: optimizer, lambda o: CProp(o, c=math.inf))
    )
    assert all(map(torch.equal, bare, wrapped))
    assert not torch.equal(bare[-2], bare[-1]), "they are swapped"


@pytest.mark.parametrize("name", [*MODES, *OTHERS])
def test_it_has_exactly_the_methods_that_the_wrapped_optimizer_has(name):
    optimizer = (MODES | OTHERS)[name]([nn.Parameter(torch.zeros(2, 2))], lr=0.1)
    wrapped = CProp(optimizer)
    for method in [*SWAP_NAMES, "no_method"]:
        assert hasattr(wrapped, method) == hasattr(optimizer, method), method


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_has_them_too(copied):
    optimizer = copied(CProp(schedulefree.SGDScheduleFree([nn.Parameter(torch.zeros(2))])))
    optimizer.train()
    assert optimizer.param_groups[0]["train_mode"]
