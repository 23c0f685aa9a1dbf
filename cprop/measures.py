"""Measures of conformity: pure functions from moments of past gradients to a scale in [0, 1].

Every measure sees, element by element, the moving averages of the gradients ``g_1 ... g_t`` with weights proportional
to ``beta ** (t - tau)`` that sum to one, and ``n``, the number of gradients that the averages are worth:

    n_t = 1 + beta * n_{t-1} = (1 - beta ** t) / (1 - beta)
    mean = E[g],  variance = E[(g - mean) ** 2],  magnitude = E[abs(g)]

The overconfidence coefficient is not part of a measure; it applies to all of them alike (equation 9):
``scale = min(c * measure, 1)``.

Where epsilon is 0 a quotient 0 / 0 is its limit for epsilon falling to 0: the spread of a single gradient is 0, a mean
of 0 has scale 0, and any other mean without spread has scale 1.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

EpsPlacement = Literal["outside", "inside"]
SecondMoment = Literal["variance", "magnitude"]
Count = float | Tensor  # n_t: a number, or a 0-dimensional float64 tensor where it lives on the device

# The smallest second moment. Above zero because zeros make 0 / 0 and take the CPU's vectorised square root 20 to 40
# times as long (dead units give many); far below the square of any gradient that float32 can square.
FLOOR = 1e-36


@dataclass(frozen=True)
class Measure:
    """A way to turn moments into a scale.

    Attributes:
        scale: ``scale(mean, second, n, eps, eps_placement)`` gives a new tensor of ``mean``'s shape, in [0, 1].
        second: which second moment it needs, ``"variance"`` or ``"magnitude"``.
    """

    scale: Callable[[Tensor, Tensor, Count, float, EpsPlacement], Tensor]
    second: SecondMoment


def normal(mean: Tensor, variance: Tensor, n: Count, eps: float, eps_placement: EpsPlacement) -> Tensor:
    r"""How sure the sign of the mean is, if the mean is normally distributed (equations 2 to 8).

    .. math:: s = 2 |\Phi(0; m, \sigma) - 1/2| = \mathrm{erf}(|m| / (\sigma \sqrt 2))

    Args:
        mean: Moving average of the gradients, any shape.
        variance: Moving variance of the gradients, same shape, at least ``FLOOR``.
        n: The number of gradients that the averages are worth, at least 1.
        eps: At least 0.
        eps_placement: ``"outside"`` or ``"inside"`` the square root, see `standard_error`.

    Returns:
        A new tensor of the same shape, in [0, 1].

    >>> one = torch.ones(())
    >>> round(normal(one, one * 9.0, n=10.0, eps=0.0, eps_placement="outside").item(), 4)  # one standard error
    0.6827
    """
    return mean.div(standard_error(variance, n, eps, eps_placement, math.sqrt(2))).erf_().abs_()


def logistic(mean: Tensor, variance: Tensor, n: Count, eps: float, eps_placement: EpsPlacement) -> Tensor:
    r"""The closed form that section 2.1 leaves as future work: a logistic distribution of the same variance.

    .. math:: s = |2 F(m) - 1| = \tanh(|m| \pi / (2 \sqrt 3 \sigma)), \quad F(x) = 1 / (1 + e^{-\pi x / (\sqrt 3 \sigma)})

    Arguments, shapes and ranges as in `normal`.

    >>> one = torch.ones(())
    >>> round(logistic(one, one * 9.0, n=10.0, eps=0.0, eps_placement="outside").item(), 4)
    0.7195
    """
    width = math.sqrt(3) / math.pi
    standardised = mean.div(standard_error(variance, n, eps, eps_placement, width))
    # Not tanh, which takes the CPU six times as long as sigmoid.
    return standardised.sigmoid_().sub_(0.5).abs_().mul_(2)


def relative_rate(mean: Tensor, magnitude: Tensor, n: Count, eps: float, eps_placement: EpsPlacement) -> Tensor:
    r"""The length of the sum over the sum of the lengths (section 2.4, 1), on moving averages.

    .. math:: s = |m| / (E|g| + \epsilon)

    There is no square root, so ``eps_placement`` changes nothing, nor does ``n``. Shapes and ranges as in `normal`, with
    ``magnitude`` the moving average of the gradients' absolute values.

    >>> round(relative_rate(torch.tensor(0.5), torch.tensor(2.0), n=10.0, eps=0.0, eps_placement="outside").item(), 4)
    0.25
    """
    return mean.abs().div_(magnitude.clamp(min=FLOOR).add_(eps)).clamp_(max=1)


def moment_rate(mean: Tensor, variance: Tensor, n: Count, eps: float, eps_placement: EpsPlacement) -> Tensor:
    r"""The mean over the root mean square (section 2.4, 2): Adam's direction with equal betas, without its sign.

    .. math:: s = |m| / (\sqrt v + \epsilon) \text{ or } |m| / \sqrt{v + \epsilon}, \quad v = m^2 + \mathrm{variance}

    ``n`` changes nothing. Shapes and ranges as in `normal`.

    >>> round(moment_rate(torch.tensor(3.0), torch.tensor(16.0), n=10.0, eps=0.0, eps_placement="outside").item(), 4)
    0.6
    """
    mean_square = torch.addcmul(variance, mean, mean)
    if eps_placement == "inside":
        root = mean_square.add_(eps).sqrt_()
    else:
        root = mean_square.sqrt_().add_(eps)
    return mean.abs().div_(root).clamp_(max=1)


def standard_error(
    variance: Tensor, n: Count, eps: float, eps_placement: EpsPlacement, times: float = 1.0
) -> Tensor:
    r"""The standard error of the mean (equation 8), ``times`` a constant.

    .. math:: \sqrt{\mathrm{variance} / (n - 1 + \epsilon)} + \epsilon \text{ (outside)},
              \quad \sqrt{\mathrm{variance} / (n - 1 + \epsilon) + \epsilon} \text{ (inside)}

    ``outside`` is what the authors' code computes, ``inside`` what Algorithm 1 prints; with epsilon 1e-8 the second has
    a floor of 1e-4, larger than many gradients.
    """
    freedom = n - 1 + eps
    # With epsilon 0 a single gradient leaves no degree of freedom; its variance is 0, so any positive number serves.
    if isinstance(freedom, Tensor):
        freedom = torch.where(freedom > 0, freedom, 1.0)
    elif freedom == 0:
        freedom = 1.0
    if eps_placement == "inside":
        return variance.mul(times**2 / freedom).add_(times**2 * eps).sqrt_()
    return variance.sqrt().mul_(times * freedom**-0.5).add_(times * eps)


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "normal": Measure(normal, "variance"),
        "logistic": Measure(logistic, "variance"),
        "relative_rate": Measure(relative_rate, "magnitude"),
        "moment_rate": Measure(moment_rate, "variance"),
    }
)
"""Every measure by its name."""
