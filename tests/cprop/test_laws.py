"""What holds for every sequence of gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn, optim

from cprop import MEASURES, CProp

measures = st.sampled_from(sorted(MEASURES))
placements = st.sampled_from(["outside", "inside"])
betas = st.sampled_from([0.0, 0.3, 0.9, 0.999])
epsilons = st.sampled_from([0.0, 1e-8, 1e-2])
numbers = st.floats(-1e6, 1e6, width=32).map(lambda x: x if abs(x) > 1e-6 else 0.0)
histories = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=12)
law = settings(max_examples=60, deadline=None)


class Unit(optim.Optimizer):
    """Moves every parameter from 0 to 1, so that around it CProp leaves the scale in the parameter."""

    def __init__(self, parameters):
        super().__init__(parameters, {})

    @torch.no_grad()
    def step(self, closure=None):
        self.param_groups[0]["params"][0].fill_(1)


def last_scale(history, **arguments):
    parameter = nn.Parameter(torch.empty(len(history[0])))
    optimizer = CProp(Unit([parameter]), **arguments)
    for gradient in history:
        parameter.data.zero_()
        parameter.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()
    return parameter.detach()


@law
@given(histories, measures, placements, betas, epsilons, st.floats(0, 1e6))
def test_a_scale_is_between_0_and_1(history, measure, placement, beta, eps, c):
    scale = last_scale(history, measure=measure, eps_placement=placement, beta=beta, eps=eps, c=c)
    assert ((scale >= 0) & (scale <= 1)).all()


@law
@given(histories, measures, placements, betas, epsilons)
def test_the_gradient_s_sign_does_not_matter(history, measure, placement, beta, eps):
    arguments = {"measure": measure, "eps_placement": placement, "beta": beta, "eps": eps}
    opposite = [tuple(-g for g in gradient) for gradient in history]
    torch.testing.assert_close(last_scale(opposite, **arguments), last_scale(history, **arguments))


@law
@given(histories, measures, placements, betas, st.integers(-20, 20))
def test_without_epsilon_the_gradient_s_size_does_not_matter(history, measure, placement, beta, exponent):
    arguments = {"measure": measure, "eps_placement": placement, "beta": beta, "eps": 0.0}
    resized = [tuple(g * 2.0**exponent for g in gradient) for gradient in history]
    expected = last_scale(history, **arguments)
    torch.testing.assert_close(last_scale(resized, **arguments), expected, rtol=0, atol=1e-5)


@law
@given(st.floats(1, 1e6), st.integers(1, 50), measures, placements, betas)
def test_a_constant_gradient_keeps_the_update(size, steps, measure, placement, beta):
    scale = last_scale([(size, -size)] * steps, measure=measure, eps_placement=placement, beta=beta)
    torch.testing.assert_close(scale, torch.ones(2), rtol=0, atol=1e-5)


@law
@given(
    histories, measures, placements, betas, st.lists(st.floats(0, 100), min_size=2, max_size=2).map(sorted)
)
def test_more_overconfidence_never_scales_down(history, measure, placement, beta, cs):
    less, more = (last_scale(history, measure=measure, eps_placement=placement, beta=beta, c=c) for c in cs)
    assert (less <= more).all()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("placement", ["outside", "inside"])
def test_what_0_over_0_means_without_epsilon(measure, placement):
    arguments = {"measure": measure, "eps_placement": placement, "eps": 0.0}
    for steps in (1, 2, 10):
        scale = last_scale([(0.0, 3.0, -1e-6)] * steps, **arguments)
        torch.testing.assert_close(scale, torch.tensor([0.0, 1.0, 1.0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("implementation", ["blocks", "compile"], indirect=True)
@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1),
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: optim.AdamW(p, lr=0.01),
        lambda p: optim.Rprop(p),
    ],
    ids=["sgd", "nesterov", "adamw", "rprop"],
)
def test_infinite_overconfidence_is_the_bare_optimizer_bit_for_bit(make, implementation):
    torch.manual_seed(0)
    wrapped, bare = ([nn.Parameter(torch.ones(7, 3)), nn.Parameter(torch.ones(5))] for _ in range(2))
    optimizers = CProp(make(wrapped), c=math.inf, implementation=implementation), make(bare)
    for _ in range(50):
        for p, q in zip(wrapped, bare, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(wrapped, bare, strict=True):
        assert torch.equal(p, q)
    assert optimizers[0].mean_scale() == 1


def test_pure_noise_has_a_known_mean_scale():
    # The mean weighs about 2 / (1 - beta) gradients but its standard error counts 1 / (1 - beta): mean / error has
    # variance 1/2, and E erf(|z| / sqrt(2)) for z ~ N(0, 1/2) is (2 / pi) atan(1 / sqrt(2)).
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.zeros(40_000))
    optimizer = CProp(optim.SGD([parameter], lr=0.1), beta=0.998)
    for _ in range(4000):
        parameter.grad = torch.randn(parameter.shape)
        optimizer.step()
    sampling_error = 0.3 / math.sqrt(parameter.numel())
    assert optimizer.mean_scale() == pytest.approx(
        2 / math.pi * math.atan(math.sqrt(0.5)), abs=3 * sampling_error
    )


@pytest.mark.parametrize("implementation", ["blocks", "compile"], indirect=True)
@pytest.mark.parametrize("measure", MEASURES)
def test_training_on_from_a_saved_state_is_training_through(measure, implementation, tmp_path):
    if implementation == "compile" and measure != "normal":
        pytest.skip("compiling one measure shows it")

    def make(model):
        inner = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return CProp(inner, beta=0.99, c=2.0, measure=measure, implementation=implementation)

    def train(model, optimizer, seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(30):
            optimizer.zero_grad()
            model(torch.randn(8, 6, generator=generator)).square().mean().backward()
            optimizer.step()

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 20), nn.Tanh(), nn.Linear(20, 3))
    optimizer = make(model)
    train(model, optimizer, seed=1)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "saved.pt")
    train(model, optimizer, seed=2)

    again = nn.Sequential(nn.Linear(6, 20), nn.Tanh(), nn.Linear(20, 3))
    resumed = make(again)
    saved = torch.load(tmp_path / "saved.pt", weights_only=True)
    again.load_state_dict(saved["model"])
    resumed.load_state_dict(saved["optimizer"])
    train(again, resumed, seed=2)
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)
    assert resumed.mean_scale() == optimizer.mean_scale()
