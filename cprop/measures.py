"""Measures of conformity: pure functions from moments of past gradients to a scale in [0, 1].

Every measure sees, element by element, moving averages of the gradients ``g_1 ... g_t`` whose weights fall as
``beta ** (t - tau)`` and sum to one, and what follows from ``n``, the number of gradients they are worth:

    n_t = 1 + beta * n_{t-1} = (1 - beta ** t) / (1 - beta)
    mean = E[g],  variance = E[(g - mean) ** 2],  magnitude = E[abs(g)]

The overconfidence coefficient is no part of a measure; it applies to all of them alike (equation 9):
``scale = min(c * measure, 1)``.

Where epsilon is 0 a quotient 0 / 0 is its limit as epsilon falls to 0: a mean of 0 has scale 0, and any other mean
without deviation, a single gradient's for one, has scale 1.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, overload

import torch
from torch import Tensor

EpsPlacement = Literal["outside", "inside"]
SecondMoment = Literal["variance", "magnitude"]
Scalar = float | Tensor  # a number, or a 0-dimensional tensor where it must stay on the device

# The smallest second moment. Not 0, which would make 0 / 0 and takes the CPU's vectorised square root 6 to 40 times as
# long (dead units give many); far below the square of any gradient that float32 can square.
FLOOR = 1e-36


@dataclass(frozen=True)
class Measure:
    """A way to turn moments into a scale.

    Attributes:
        scale: ``scale(mean, second, ratio, eps, eps_placement)`` gives a new tensor of ``mean``'s shape, in [0, 1].
        second: The second moment that it needs, ``"variance"`` or ``"magnitude"``.
    """

    scale: Callable[[Tensor, Tensor, Scalar, float, EpsPlacement], Tensor]
    second: SecondMoment


def normal(mean: Tensor, variance: Tensor, ratio: Scalar, eps: float, eps_placement: EpsPlacement) -> Tensor:
    r"""How sure the sign of the mean is, were the mean normally distributed (equations 2 to 8).

    .. math:: s = 2 |\Phi(0; m, \sigma) - 1/2| = \mathrm{erf}(|m| / (\sigma \sqrt 2))

    Args:
        mean: Moving average of the gradients, any shape.
        variance: Moving variance of the gradients, same shape, at least ``FLOOR``.
        ratio: What `error_ratio` gives, above 0.
        eps: At least 0.
        eps_placement: ``"outside"`` or ``"inside"`` the square root, see `standard_error`.

    Returns:
        A new tensor of the same shape, in [0, 1].

    >>> mean, variance = torch.tensor(1.0), torch.tensor(9.0)
    >>> round(normal(mean, variance, error_ratio(10.0, 0.0), 0.0, "outside").item(), 4)  # one standard error
    0.6827
    """
    return mean.div(standard_error(variance, ratio, eps, eps_placement, math.sqrt(2))).erf_().abs_()


def logistic(mean: Tensor, variance: Tensor, ratio: Scalar, eps: float, eps_placement: EpsPlacement) -> Tensor:
    r"""The closed form that section 2.1 leaves as future work: a logistic distribution of the same variance.

    .. math:: s = 2 |F(m) - 1/2| = \tanh(|m| \pi / (2 \sqrt 3 \sigma)),
              \quad F(x) = 1 / (1 + e^{-\pi x / (\sqrt 3 \sigma)})

    Arguments and result as in `normal`.

    >>> mean, variance = torch.tensor(1.0), torch.tensor(9.0)
    >>> round(logistic(mean, variance, error_ratio(10.0, 0.0), 0.0, "outside").item(), 4)
    0.7196
    """
    standardised = mean.div(standard_error(variance, ratio, eps, eps_placement, math.sqrt(3) / math.pi))
    # Not tanh, which takes the CPU six times as long.
    return standardised.sigmoid_().sub_(0.5).abs_().mul_(2)


def relative_rate(
    mean: Tensor, magnitude: Tensor, ratio: Scalar, eps: float, eps_placement: EpsPlacement
) -> Tensor:
    r"""The length of the gradients' sum over the sum of their lengths (section 2.4), on moving averages.

    .. math:: s = |m| / (\mathrm{E}|g| + \epsilon)

    Arguments and result as in `normal`, with ``magnitude`` the moving average of the gradients' absolute values;
    ``ratio`` and ``eps_placement`` change nothing, there being no standard error and no square root.

    >>> round(relative_rate(torch.tensor(0.5), torch.tensor(2.0), 1.0, 0.0, "outside").item(), 4)
    0.25
    """
    return mean.abs().div_(magnitude.clamp(min=FLOOR).add_(eps)).clamp_(max=1)


def moment_rate(
    mean: Tensor, variance: Tensor, ratio: Scalar, eps: float, eps_placement: EpsPlacement
) -> Tensor:
    r"""The mean over the root mean square (section 2.4): Adam's direction with equal betas, without its sign.

    .. math:: s = |m| / (\sqrt v + \epsilon) \text{ (outside)}, \quad |m| / \sqrt{v + \epsilon} \text{ (inside)},
              \quad v = m^2 + \mathrm{variance}

    Arguments and result as in `normal`; ``ratio`` changes nothing.

    >>> round(moment_rate(torch.tensor(3.0), torch.tensor(16.0), 1.0, 0.0, "outside").item(), 4)
    0.6
    """
    mean_square = torch.addcmul(variance, mean, mean)
    root = mean_square.add_(eps).sqrt_() if eps_placement == "inside" else mean_square.sqrt_().add_(eps)
    return mean.abs().div_(root).clamp_(max=1)


def standard_error(
    variance: Tensor, ratio: Scalar, eps: float, eps_placement: EpsPlacement, width: float
) -> Tensor:
    r"""``width`` times the standard error of the mean (equation 8).

    .. math:: \sqrt{\mathrm{variance} / (n - 1 + \epsilon)} + \epsilon \text{ (outside)},
              \quad \sqrt{\mathrm{variance} / (n - 1 + \epsilon) + \epsilon} \text{ (inside)}

    ``outside`` is what the authors' code computes, ``inside`` what Algorithm 1 prints: with epsilon 1e-8 that one
    cannot fall below 1e-4, which is larger than many gradients.
    """
    if eps_placement == "inside":
        return variance.mul((width * ratio) ** 2).add_(width**2 * eps).sqrt_()
    return variance.sqrt().mul_(width * ratio).add_(width * eps)


@overload
def error_ratio(n: float, eps: float) -> float: ...
@overload
def error_ratio(n: Tensor, eps: float) -> Tensor: ...
def error_ratio(n: Scalar, eps: float) -> Scalar:
    """The standard error of a mean of ``n`` gradients over their standard deviation: ``(n - 1 + eps) ** -0.5``.

    Without epsilon a single gradient leaves no degree of freedom, but no deviation either: 1 then serves as well as
    any other ratio.
    """
    freedom = n - 1 + eps
    if isinstance(freedom, Tensor):
        return torch.where(freedom > 0, freedom, 1.0).rsqrt()
    return freedom**-0.5 if freedom > 0 else 1.0


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "normal": Measure(normal, "variance"),
        "logistic": Measure(logistic, "variance"),
        "relative_rate": Measure(relative_rate, "magnitude"),
        "moment_rate": Measure(moment_rate, "variance"),
    }
)
"""Every measure by its name."""
