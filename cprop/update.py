"""One pass over a parameter's elements: update the moments, measure conformity, scale the update.

The variance is kept centred. With ``a = 1 / n_t`` and ``d = g_t - mean_{t-1}``

    mean_t = mean_{t-1} + a * d
    variance_t = (1 - a) * (variance_{t-1} + a * d ** 2)

is in exact arithmetic Algorithm 1's ``v / (1 - beta ** t) - (m / (1 - beta ** t)) ** 2``, without the cancellation
that makes the difference of the two meaningless in float32.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cprop.measures import FLOOR, MEASURES, EpsPlacement, Scalar, error_ratio
from cprop.packing import Columns, flattened
from cprop.sgd import PlainSGD

_FLOOR = torch.tensor(FLOOR)


@dataclass(frozen=True)
class Settings:
    """What all parameters of an optimizer share: the measure's name, epsilon (at least 0) and its place."""

    measure: str
    eps: float
    eps_placement: EpsPlacement

    @property
    def second(self) -> str:
        """The second moment that the measure needs."""
        return MEASURES[self.measure].second

    def scale(self, mean: Tensor, second: Tensor, ratio: Scalar, c: Scalar) -> Tensor:
        """``min(c * measure, 1)`` (equation 9), a new tensor of ``mean``'s shape; ``c`` is finite."""
        scale = MEASURES[self.measure].scale(mean, second, ratio, self.eps, self.eps_placement)
        return scale if isinstance(c, float) and c == 1 else scale.mul_(c).clamp_(max=1)


class BlockUpdate:
    """Plain tensor operations over blocks that stay in the processor's cache; ready at once, on every device."""

    # Elements; of blocks, for each thread: seven arrays of them fit the cache that a core has nearly to itself. On a
    # parameter below pack_below the calls take longer than copying it.
    block = 65_536
    pack_below = 16_384

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(
        self, parameters: Sequence[Columns], n: Tensor, c: float, sgd: PlainSGD | None = None
    ) -> None:
        """Update moments and parameters in place; the moments are then worth ``n`` gradients.

        Parameters that come with a copy from before their update have that scaled. With ``sgd`` they come without, and
        are updated here. With neither they stay as they are.

        Raises:
            RuntimeError: A CUDA graph is being captured, for which the count would be a constant.
        """
        device = parameters[0][1].device.type
        if device == "cuda" and torch.cuda.is_current_stream_capturing():
            raise RuntimeError("implementation 'blocks' cannot be captured in a CUDA graph; give 'compile'")
        block = self.block * torch.get_num_threads() if device == "cpu" else sys.maxsize
        count = n.item()
        ratio = error_ratio(count, self.settings.eps)
        for columns in flattened(parameters, self.pack_below, block):
            for start in range(0, columns[0].numel(), block):
                self._update(tuple(t[start : start + block] for t in columns), 1 / count, ratio, c, sgd)

    def _update(self, columns: Columns, a: float, ratio: float, c: float, sgd: PlainSGD | None) -> None:
        grad, mean, second, parameter, *before = columns
        grad = grad.to(mean.dtype)
        if self.settings.second == "magnitude":
            mean.lerp_(grad, a)
            second.lerp_(grad.abs(), a)
        else:
            deviation = grad - mean
            mean.add_(deviation, alpha=a)
            second.addcmul_(deviation, deviation, value=a)
            torch.add(_FLOOR, second, alpha=1 - a, out=second)
        if not before and sgd is None:
            return
        scale = self.settings.scale(mean, second, ratio, c)
        # At the moments' precision, in place where that is the parameter's own.
        current = parameter.to(mean.dtype)
        if sgd is None:
            torch.lerp(before[0].to(mean.dtype), current, scale, out=current)
        else:
            direction = grad.add(current, alpha=sgd.decay) if sgd.decay else grad
            current.addcmul_(direction, scale, value=sgd.step)
        if current is not parameter:
            parameter.copy_(current)


def update_with(
    settings: Settings, columns: Columns, a: Tensor, ratio: Tensor, c: Tensor, *sgd: Tensor
) -> None:
    """Update moments and parameters in place by numbers that are tensors, and may differ from row to row.

    Args:
        settings: of the optimizer.
        columns: gradient, mean, second moment, parameter and, unless ``sgd`` is given, the parameter's copy from before
            its update; tensors of one shape.
        a: one over what the moments are worth; ``a``, ``ratio`` and ``c`` broadcast with the columns.
        ratio: what ``error_ratio`` gives.
        c: finite.
        sgd: step and decay of a ``PlainSGD`` that is made here.
    """
    grad, mean, second, parameter, *before = columns
    grad = grad.to(mean.dtype)
    if settings.second == "magnitude":
        mean.lerp_(grad, a)
        second.lerp_(grad.abs(), a)
    else:
        deviation = grad - mean
        mean.add_(a * deviation)
        second.copy_((1 - a) * (second + a * deviation * deviation) + FLOOR)
    if not before and not sgd:
        return
    scale = settings.scale(mean, second, ratio, c)
    current = parameter.to(mean.dtype)
    if sgd:
        step, decay = sgd
        parameter.copy_(current + scale * step * (grad + decay * current))
    else:
        parameter.copy_(torch.lerp(before[0].to(mean.dtype), current, scale))
