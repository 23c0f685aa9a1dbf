"""Every fast path against Algorithm 1 of arXiv:1912.11493, written plainly in float64."""

import itertools
import math
import os

import pytest
import torch
from torch import nn, optim

from cprop import MEASURES, CProp
from cprop.measures import error_ratio

STEPS = 200
PLACEMENTS = ("outside", "inside")
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
ALL = bool(os.environ.get("CPROP_TEST_ALL"))  # every combination: compiling all of them takes some minutes

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd_decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.05),
    "sgd_maximize": lambda p: optim.SGD(p, lr=0.1, maximize=True, weight_decay=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "momentum_fused": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adam_foreach_maximize": lambda p: optim.Adam(p, lr=0.01, foreach=True, maximize=True),
    "adam_fused": lambda p: optim.Adam(p, lr=0.01, fused=True),
    "amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01),
    "nadam": lambda p: optim.NAdam(p, lr=0.01),
    "rprop": lambda p: optim.Rprop(p, lr=0.01),
}


class Reference:
    """Algorithm 1, line by line, for one parameter."""

    def __init__(self, beta=0.999, c=1.0, eps=1e-8, eps_placement="outside", measure="normal"):
        self.beta, self.c, self.eps, self.eps_placement, self.measure = beta, c, eps, eps_placement, measure
        self.t, self.m, self.v, self.absolute = 0, 0.0, 0.0, 0.0

    def scale(self, grad):
        g, beta, eps, inside = grad.double(), self.beta, self.eps, self.eps_placement == "inside"
        self.t += 1
        self.m = beta * self.m + (1 - beta) * g
        self.v = beta * self.v + (1 - beta) * g**2
        self.absolute = beta * self.absolute + (1 - beta) * g.abs()
        correction = 1 - beta**self.t
        m, v, absolute = self.m / correction, self.v / correction, self.absolute / correction
        n = correction / (1 - beta)
        variance = (v - m**2).clamp(min=0) / (n - 1 + eps)
        sigma = (variance + eps).sqrt() if inside else variance.sqrt() + eps
        if self.measure == "normal":
            p_below_0 = 0.5 * (1 + torch.erf(-m / (sigma * math.sqrt(2))))
            s = 2 * (p_below_0 - 0.5).abs()
        elif self.measure == "logistic":
            p_below_0 = 1 / (1 + torch.exp(m / (sigma * math.sqrt(3) / math.pi)))
            s = 2 * (p_below_0 - 0.5).abs()
        elif self.measure == "relative_rate":
            s = m.abs() / (absolute + eps)
        else:
            s = m.abs() / ((v + eps).sqrt() if inside else v.sqrt() + eps)
        return (self.c * s).clamp(max=1)


class Unit(optim.Optimizer):
    """Moves every parameter from 0 to 1, so that around it CProp leaves the scale in the parameter."""

    def __init__(self, parameters):
        super().__init__(parameters, {})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.fill_(1)


def make_parameters(dtype):
    return [nn.Parameter(torch.randn(shape).to(dtype)) for shape in ((9, 13), (41,), (5,), ())]


def gradients(parameters, steps=STEPS):
    """Noise around a drift, both of very different sizes from element to element."""
    size = [10 ** torch.empty(p.shape).uniform_(-4, 1) for p in parameters]
    drift = [torch.randn(p.shape) * 0.3 for p in parameters]
    for _ in range(steps):
        for p, s, d in zip(parameters, size, drift, strict=True):
            p.grad = (s * (d + torch.randn(p.shape))).to(p.dtype)
        yield


def scale_cases():
    cases = []
    for implementation, measure, placement, dtype in itertools.product(
        ("blocks", "compile"), MEASURES, PLACEMENTS, DTYPES
    ):
        usual = placement == "outside" and dtype is torch.float32
        rare = (measure, placement, dtype) in {
            ("normal", "inside", torch.float32),
            ("normal", "outside", torch.bfloat16),
        }
        if ALL or implementation == "blocks" or usual or rare:
            cases.append((implementation, measure, placement, dtype))
    return cases


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize(
    ("implementation", "measure", "placement", "dtype"), scale_cases(), indirect=["implementation"]
)
def test_the_applied_scale_is_the_reference_s(implementation, measure, placement, dtype):
    torch.manual_seed(0)
    parameters = make_parameters(dtype)
    optimizer = CProp(
        Unit(parameters),
        beta=0.98,
        c=1.5,
        eps_placement=placement,
        measure=measure,
        implementation=implementation,
    )
    references = [Reference(0.98, 1.5, 1e-8, placement, measure) for _ in parameters]
    # A scale below 1 in the parameter's own precision is half a unit in the last place off at most.
    tolerance = 1e-5 + (torch.finfo(dtype).eps / 4 if dtype.itemsize == 2 else 0)
    for t, _ in enumerate(gradients(parameters), start=1):
        with torch.no_grad():
            for p in parameters:
                p.zero_()
        optimizer.step()
        for p, reference in zip(parameters, references, strict=True):
            expected = reference.scale(p.grad)
            assert (p - expected).abs().max() < tolerance, f"step {t}"
            assert (own_scale(optimizer, p) - expected).abs().max() < 1e-5, f"step {t}"


def own_scale(optimizer, parameter):
    """The scale that the parameter's moments give, in the moments' precision."""
    state, settings = optimizer.state[parameter], optimizer.settings
    second = state[f"cprop_{settings.second}"]
    return settings.scale(
        state["cprop_mean"], second, error_ratio(state["cprop_n"].item(), settings.eps), 1.5
    )


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize("implementation", ["blocks", "compile"], indirect=True)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_go_where_the_reference_s_go(implementation, name):
    torch.manual_seed(1)
    parameters = make_parameters(torch.float32)
    start = [p.detach().double() for p in parameters]
    optimizer = CProp(OPTIMIZERS[name](parameters), implementation=implementation)
    twins = [nn.Parameter(p.clone()) for p in start]
    twin_optimizer = OPTIMIZERS[name](twins)
    references = [Reference() for _ in parameters]
    for _ in gradients(parameters):
        for p, twin in zip(parameters, twins, strict=True):
            twin.grad = p.grad.double()
        optimizer.step()
        reference_step(
            twin_optimizer, twins, [r.scale(t.grad) for r, t in zip(references, twins, strict=True)]
        )
    for p, twin, first in zip(parameters, twins, start, strict=True):
        assert (p - twin).norm() < 1e-4 * (twin - first).norm()


def reference_step(optimizer, parameters, scales):
    before = [p.detach().double().clone() for p in parameters]
    optimizer.step()
    with torch.no_grad():
        for p, old, scale in zip(parameters, before, scales, strict=True):
            p.copy_(old + scale * (p.double() - old))


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["momentum", "sgd_decay"])
def test_low_precision_parameters_are_rounded_once_more_at_most(name, dtype):
    torch.manual_seed(2)
    parameters = make_parameters(dtype)
    optimizer = CProp(OPTIMIZERS[name](parameters))
    # The wrapped optimizer rounds to the parameter's precision; an SGD that is taken in does not.
    twins = [nn.Parameter(p.detach().to(dtype if name == "momentum" else torch.float64)) for p in parameters]
    twin_optimizer = OPTIMIZERS[name](twins)
    references = [Reference() for _ in parameters]
    differing = total = 0
    for _ in gradients(parameters):
        for p, twin in zip(parameters, twins, strict=True):
            twin.grad = p.grad.to(twin.dtype)
            twin.data.copy_(p.detach())  # one step's difference, not 200 steps' chaos
        optimizer.step()
        reference_step(
            twin_optimizer, twins, [r.scale(t.grad) for r, t in zip(references, twins, strict=True)]
        )
        for p, twin in zip(parameters, twins, strict=True):
            torch.testing.assert_close(p, twin.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-6)
            differing += (p != twin.to(dtype)).sum().item()
            total += p.numel()
    assert differing < 1e-3 * total  # a tie of rounding may break the other way


@pytest.mark.parametrize("implementation", ["blocks", "compile"], indirect=True)
def test_layouts_do_not_matter(implementation, tiny_blocks):
    torch.manual_seed(3)
    dense = torch.randn(4, 3, 5, 5)
    layouts = [
        dense.clone(),
        dense.to(memory_format=torch.channels_last),
        dense.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
        torch.zeros(4, 3, 5, 10)[..., ::2].copy_(dense),
    ]
    parameters = [nn.Parameter(layout) for layout in layouts]
    assert not parameters[3].is_contiguous()
    optimizer = CProp(optim.SGD(parameters, lr=0.1, momentum=0.9), implementation=implementation)
    for _ in range(20):
        grad = torch.randn(4, 3, 5, 5)
        for p in parameters:
            p.grad = torch.empty_like(p).copy_(grad)
        parameters[1].grad = grad.clone()  # laid out in another way than its parameter
        optimizer.step()
    for p in parameters[1:]:
        torch.testing.assert_close(p, parameters[0], rtol=1e-6, atol=1e-6)


def test_packing_and_blocks_change_no_bit(monkeypatch):
    ends = []
    for block, pack_below in ((131_072, 16_384), (64, 1), (48, 10_000), (1, 10)):
        torch.manual_seed(4)
        parameters = make_parameters(torch.float32)
        optimizer = CProp(optim.SGD(parameters, lr=0.1), implementation="blocks")
        monkeypatch.setattr("cprop.update.BlockUpdate.block", block)
        monkeypatch.setattr("cprop.update.BlockUpdate.pack_below", pack_below)
        for _ in gradients(parameters, steps=10):
            optimizer.step()
        ends.append([p.detach() for p in parameters])
    for end in ends[1:]:
        for p, first in zip(end, ends[0], strict=True):
            assert torch.equal(p, first)
