"""One pass over a parameter's elements: update the moments, measure conformity, scale the update.

The variance is kept centred. With ``a = 1 / n_t`` and ``d = g_t - mean_{t-1}``

    mean_t = mean_{t-1} + a * d
    variance_t = (1 - a) * (variance_{t-1} + a * d ** 2)

is in exact arithmetic Algorithm 1's ``v / (1 - beta ** t) - (m / (1 - beta ** t)) ** 2``, without the cancellation that
makes the difference of the two meaningless in float32.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cprop.measures import FLOOR, MEASURES, EpsPlacement, Measure

_FLOOR = torch.tensor(FLOOR)


@dataclass(frozen=True)
class Element:
    """What one pass reads and writes for one parameter; all five of one shape.

    Attributes:
        grad: The gradient that the inner optimizer saw.
        mean: Moving average of the gradients; written.
        second: Moving variance or magnitude of the gradients; written.
        before: The parameter before the inner optimizer's step.
        after: The parameter after it; written.
    """

    grad: Tensor
    mean: Tensor
    second: Tensor
    before: Tensor
    after: Tensor

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return self.grad, self.mean, self.second, self.before, self.after


@dataclass(frozen=True)
class Settings:
    """What all parameters of an optimizer share: the measure's name, epsilon (at least 0) and its place."""

    measure: str
    eps: float
    eps_placement: EpsPlacement

    @property
    def definition(self) -> Measure:
        return MEASURES[self.measure]

    def scale(self, mean: Tensor, second: Tensor, n: float | Tensor, c: float | Tensor) -> Tensor:
        """``min(c * measure, 1)`` (equation 9), shape of ``mean``; all ones where ``c`` is infinite."""
        if not isinstance(c, Tensor) and math.isinf(c):
            return torch.ones_like(mean)
        scale = self.definition.scale(mean, second, n, self.eps, self.eps_placement)
        if not isinstance(c, Tensor) and c == 1:
            return scale
        return scale.mul_(c).clamp_(max=1)


class BlockUpdate:
    """Plain tensor operations over blocks that stay in the processor's cache; ready at once, on every device."""

    block = 131_072
    pack_below = 16_384

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, elements: list[Element], n: Tensor, c: float) -> None:
        """Update ``elements`` in place, whose moments are worth ``n`` gradients, this one included."""
        count = n.item()
        for flat in flattened(elements, self.pack_below, self.block):
            for grad, mean, second, before, after in zip(*(t.split(self.block) for t in flat), strict=True):
                self._update(grad, mean, second, before, after, count, c)

    def _update(
        self, grad: Tensor, mean: Tensor, second: Tensor, before: Tensor, after: Tensor, n: float, c: float
    ) -> None:
        a = 1 / n
        grad = grad.to(mean.dtype)
        if self.settings.definition.second == "magnitude":
            mean.lerp_(grad, a)
            second.lerp_(grad.abs(), a)
        else:
            deviation = grad - mean
            mean.add_(deviation, alpha=a)
            second.addcmul_(deviation, deviation, value=a)
            torch.add(_FLOOR, second, alpha=1 - a, out=second)
        if math.isinf(c):
            return
        scale = self.settings.scale(mean, second, n, c)
        if after.dtype == scale.dtype:
            torch.lerp(before, after, scale, out=after)
        else:
            after.copy_(torch.lerp(before.to(scale.dtype), after.to(scale.dtype), scale))


def flattened(
    elements: list[Element], pack_below: int, chunk: int
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """The elements as 1-dimensional tensors: large ones in place, small ones (and oddly laid out ones) packed together.

    A packed tuple is a copy, written back when the next one is asked for.
    """
    small: list[Element] = []
    for element in elements:
        if element.after.numel() >= pack_below and _same_dense_layout(element):
            size = (element.after.numel(),)
            yield tuple(t.as_strided(size, (1,)) for t in element.tensors())  # type: ignore[misc]
        else:
            small.append(element)
    while small:
        total, taken = 0, 0
        while taken < len(small) and (taken == 0 or total + small[taken].after.numel() <= chunk):
            total += small[taken].after.numel()
            taken += 1
        yield from _packed(small[:taken], total)
        small = small[taken:]


def _same_dense_layout(element: Element) -> bool:
    # Moments are allocated without holes, so a parameter with their strides has none either.
    stride = element.mean.stride()
    return all(t.stride() == stride for t in (element.grad, element.second, element.before, element.after))


def _packed(elements: list[Element], total: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    rows = elements[0].mean.new_empty(5, total).unbind()
    sizes = [e.after.numel() for e in elements]
    pieces = [
        [piece.view(e.after.shape) for piece, e in zip(row.split(sizes), elements, strict=True)] for row in rows
    ]
    columns = list(zip(*(e.tensors() for e in elements), strict=True))
    torch._foreach_copy_([p for row in pieces for p in row], [t for column in columns for t in column])
    yield rows
    written = (1, 2, 4)
    torch._foreach_copy_([t for i in written for t in columns[i]], [p for i in written for p in pieces[i]])
