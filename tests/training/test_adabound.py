"""AdaBound, which comes from a package, against its paper (arXiv:1902.09843, algorithm 2) and its authors' code.

Where the two differ, the package and this project go with the authors' code, which the CProp paper used: steps are
corrected for bias as Adam's are, and do not shrink as 1 / sqrt(t).
"""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from cprop import CProp
from lrsearch.task.model import Entry
from lrsearch.training.optimizers import make_optimizer

pytest.importorskip("pytorch_optimizer", reason="AdaBound comes from pytorch_optimizer")

LR, FINAL_LR = 1e-3, 0.1
BETAS, GAMMA, EPS = (0.9, 0.999), 1e-3, 1e-8


def adabound(parameters: list[nn.Parameter], wrapped_in_cprop: bool = False) -> torch.optim.Optimizer:
    """As the tasks have it: two learning rates, and the package's defaults for all else."""
    entry = Entry(
        name="adabound",
        optimizer="pytorch_optimizer:AdaBound",
        hyperparameters={"lr": LR, "final_lr": FINAL_LR},
        wrapped_in_cprop=wrapped_in_cprop,
    )
    return make_optimizer(entry, parameters, {"lr": LR, "final_lr": FINAL_LR})


def reference(start: Tensor, gradients: Tensor, below_root: float = 0.0) -> Tensor:
    """Give the positions [steps, ...] after each of the gradients [steps, ...], written from the formulas."""
    position, m, v = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    positions = []
    for t, gradient in enumerate(gradients, start=1):
        m = BETAS[0] * m + (1 - BETAS[0]) * gradient
        v = BETAS[1] * v + (1 - BETAS[1]) * gradient**2
        step_size = LR * math.sqrt(1 - BETAS[1] ** t) / (1 - BETAS[0] ** t)
        lower = FINAL_LR * (1 - 1 / (GAMMA * t + 1))
        upper = FINAL_LR * (1 + 1 / (GAMMA * t))
        position = position - (step_size / ((v + below_root).sqrt() + EPS)).clamp(lower, upper) * m
        positions.append(position)
    return torch.stack(positions)


def gradients_of(scale: float, steps: int = 50) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return scale * (1 + torch.randn(steps, 4, 3, generator=generator, dtype=torch.float64))


def trained(optimizer: torch.optim.Optimizer, parameter: nn.Parameter, gradients: Tensor) -> Tensor:
    positions = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        positions.append(parameter.detach().clone())
    return torch.stack(positions)


# Large gradients meet the lower bound, small ones the upper, those of about 0.01 neither.
@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize(
    # The package adds 1e-15 to the mean square below its root. That is all in which it differs.
    ("below_root", "tolerance"),
    [(0.0, 1e-5), (1e-15, 1e-12)],
    ids=["formulas", "package"],
)
def test_fifty_steps_follow_the_formulas(scale: float, below_root: float, tolerance: float) -> None:
    start = torch.zeros(4, 3, dtype=torch.float64)
    parameter = nn.Parameter(start.clone())
    gradients = gradients_of(scale)
    found = trained(adabound([parameter]), parameter, gradients)
    expected = reference(start, gradients, below_root)
    assert not torch.equal(expected[-1], start)
    torch.testing.assert_close(
        found, expected, rtol=0, atol=tolerance * float((expected - start).abs().max())
    )


def test_the_bounds_are_met_by_these_gradients() -> None:
    def unclamped(scale: float) -> Tensor:
        v = sum((1 - BETAS[1]) * BETAS[1] ** (49 - k) * g**2 for k, g in enumerate(gradients_of(scale)))
        assert isinstance(v, Tensor)
        return LR * math.sqrt(1 - BETAS[1] ** 50) / (1 - BETAS[0] ** 50) / (v.sqrt() + EPS)

    lower, upper = FINAL_LR * (1 - 1 / (GAMMA * 50 + 1)), FINAL_LR * (1 + 1 / (GAMMA * 50))
    assert bool((unclamped(1e-6) > upper).all())
    assert bool((unclamped(1e-2) > lower).all() and (unclamped(1e-2) < upper).all())
    assert bool((unclamped(100.0) < lower).all())


@pytest.mark.parametrize("wrapped_in_cprop", [False, True])
def test_it_goes_on_from_its_state_to_the_bit(wrapped_in_cprop: bool) -> None:
    gradients = gradients_of(1.0)
    straight = nn.Parameter(torch.ones(4, 3, dtype=torch.float64))
    expected = trained(adabound([straight], wrapped_in_cprop), straight, gradients)
    first = nn.Parameter(torch.ones(4, 3, dtype=torch.float64))
    optimizer = adabound([first], wrapped_in_cprop)
    trained(optimizer, first, gradients[:20])
    second = nn.Parameter(first.detach().clone())
    resumed = adabound([second], wrapped_in_cprop)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(trained(resumed, second, gradients[20:]), expected[20:])


def test_cprop_scales_its_steps_by_conformity() -> None:
    gradients = gradients_of(1.0)
    bare = nn.Parameter(torch.ones(4, 3, dtype=torch.float64))
    wrapped = nn.Parameter(torch.ones(4, 3, dtype=torch.float64))
    optimizer = adabound([wrapped], wrapped_in_cprop=True)
    assert isinstance(optimizer, CProp)
    steps = [
        torch.cat([torch.ones(1, 4, 3, dtype=torch.float64), trained(o, p, gradients)]).diff(dim=0)
        for o, p in ((adabound([bare]), bare), (optimizer, wrapped))
    ]
    scales = steps[1] / steps[0]
    assert float(scales.min()) > 0
    assert float(scales.max()) <= 1 + 1e-12
    assert float(scales.mean()) < 1
