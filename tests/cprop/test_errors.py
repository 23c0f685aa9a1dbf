"""What CProp refuses, and that it says which argument, which value and what instead."""

import doctest
import importlib
import subprocess
import sys

import pytest
import torch
from torch import nn, optim

from cprop import CProp

ARGUMENTS = [
    ({"beta": 1.0}, ValueError, r"beta is 1\.0; give a number in \[0, 1\)"),
    ({"beta": -0.1}, ValueError, r"beta is -0\.1; give a number in \[0, 1\)"),
    ({"beta": float("nan")}, ValueError, r"beta is nan; give a number in \[0, 1\)"),
    ({"beta": "0.9"}, TypeError, r"beta is '0\.9'; give a number in \[0, 1\)"),
    ({"c": -1}, ValueError, r"c is -1; give a number in \[0, inf\]"),
    ({"c": float("nan")}, ValueError, r"c is nan; give a number in \[0, inf\]"),
    ({"c": None}, TypeError, r"c is None; give a number in \[0, inf\]"),
    ({"eps": -1e-8}, ValueError, r"eps is -1e-08; give a number in \[0, inf\)"),
    ({"eps": float("inf")}, ValueError, r"eps is inf; give a number in \[0, inf\)"),
    ({"eps_placement": "below"}, ValueError, "eps_placement is 'below'; give one of 'outside', 'inside'"),
    (
        {"measure": "student"},
        ValueError,
        "measure is 'student'; give one of 'normal', 'logistic', 'relative_rate'",
    ),
    (
        {"implementation": "cuda"},
        ValueError,
        "implementation is 'cuda'; give one of 'auto', 'blocks', 'compile'",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "message"), ARGUMENTS)
def test_arguments(arguments, error, message):
    inner = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    with pytest.raises(error, match=message):
        CProp(inner, **arguments)
    assert "beta" not in inner.param_groups[0]


@pytest.mark.parametrize("optimizer", [None, nn.Linear(2, 2), optim.SGD, "SGD"])
def test_what_is_no_optimizer(optimizer):
    with pytest.raises(TypeError, match=r"optimizer is .*; give an instance of torch\.optim\.Optimizer"):
        CProp(optimizer)


def test_a_wrapped_optimizer():
    wrapped = CProp(optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1))
    with pytest.raises(TypeError, match="optimizer is a CProp, so it is wrapped already"):
        CProp(wrapped)


def test_options_of_groups():
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"beta is 2; give a number in \[0, 1\)"):
        CProp(optim.SGD([{"params": layer.parameters(), "beta": 2}], lr=0.1))
    optimizer = CProp(optim.SGD([layer.weight], lr=0.1))
    with pytest.raises(ValueError, match=r"c is -3; give a number in \[0, inf\]"):
        optimizer.add_param_group({"params": [layer.bias], "c": -3})
    assert len(optimizer.param_groups) == 1


def test_sparse_gradients():
    embedding = nn.Embedding(10, 3, sparse=True)
    optimizer = CProp(optim.SGD(embedding.parameters(), lr=0.1))
    embedding(torch.tensor([1, 2])).sum().backward()
    before = embedding.weight.detach().clone()
    with pytest.raises(TypeError, match=r"a gradient of shape \(10, 3\) is sparse"):
        optimizer.step()
    assert torch.equal(embedding.weight, before)


@pytest.mark.parametrize("with_closure", [False, True])
def test_complex_gradients(with_closure):
    parameter = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    optimizer = CProp(optim.SGD([parameter], lr=0.1))
    parameter.grad = torch.ones_like(parameter)
    with pytest.raises(TypeError, match=r"a gradient of shape \(3,\) is complex"):
        optimizer.step(*[lambda: 1.0] * with_closure)
    assert torch.equal(parameter, torch.ones_like(parameter))


def test_importing_cprop_loads_nothing_else():
    code = "import cprop, sys; print(*{'ray', 'optuna', 'lrsearch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("module", ["cprop", "cprop.measures", "cprop.optimizer"])
def test_the_examples_in_docstrings(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried > 0
    assert failed == 0
