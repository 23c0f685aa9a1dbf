"""The same update as one loop over the elements, written by ``torch.compile``: C++ on CPU, Triton on CUDA."""

import functools
import importlib.util
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cprop.measures import error_ratio
from cprop.packing import Columns, flattened
from cprop.sgd import PlainSGD
from cprop.update import Settings, update_with


@functools.cache
def has_triton() -> bool:
    """Whether ``torch.compile`` can write kernels for CUDA here."""
    return importlib.util.find_spec("triton") is not None


class CompiledUpdate:
    """Calls the compiled update; compiling takes some seconds, once a process and variant."""

    # Elements. On fewer than pack_below a call takes longer than copying them.
    pack_below = 65_536
    pack_below_cuda = 262_144
    chunk = 1_048_576

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(
        self, parameters: Sequence[Columns], n: Tensor, c: float, sgd: PlainSGD | None = None
    ) -> None:
        """Update moments and parameters in place, as `BlockUpdate` does."""
        dtype = parameters[0][1].dtype
        numbers = [c] if sgd is None else [c, sgd.step, sgd.decay]
        if n.is_cuda:
            # The count stays where a captured graph can count on; the other numbers become arguments of the kernel.
            scalars = [*_factors(self.settings.eps, dtype)(n), *map(torch.tensor, numbers)]
        else:
            count = n.item()
            numbers = [1 / count, error_ratio(count, self.settings.eps), *numbers]
            scalars = list(torch.tensor(numbers, dtype=dtype).unbind())
        update = _compiled(self.settings)
        for columns in flattened(
            parameters, self.pack_below_cuda if n.is_cuda else self.pack_below, self.chunk
        ):
            # A view would be compiled once more for every shape of what it is a view of; data is none, but autograd
            # does not see it change.
            update(tuple(t.data for t in columns), scalars)
            torch.autograd.graph.increment_version(columns[3])


@functools.cache
def _factors(eps: float, dtype: torch.dtype) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    def factors(n: Tensor) -> tuple[Tensor, Tensor]:
        return (1 / n).to(dtype), error_ratio(n, eps).to(dtype)

    return torch.compile(factors)


@functools.cache
def _compiled(settings: Settings) -> Callable[[Columns, list[Tensor]], None]:
    def update(columns: Columns, scalars: list[Tensor]) -> None:
        update_with(settings, columns, *scalars)

    # torch.compile gives up on a code object after 8 variants, so no two settings share one.
    update.__code__ = update.__code__.replace()
    return torch.compile(update, dynamic=True)
