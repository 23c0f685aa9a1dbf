"""Parameters of any shape as a few 1-dimensional tensors, which is what one pass over the elements wants."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

# What a pass needs of one parameter, all of one shape: gradient, mean, second moment, parameter and, where its update
# is to be scaled, a copy of it from before the update.
Columns = tuple[Tensor, ...]
_WRITTEN = slice(1, 4)


def flattened(parameters: Sequence[Columns], pack_below: int, chunk: int) -> Iterator[Columns]:
    """Yield 1-dimensional ``Columns``: large parameters in place, small ones packed together.

    Calls cost more than arithmetic on parameters of fewer than ``pack_below`` elements, so those are copied side by
    side, about ``chunk`` elements at a time, and back when the next is asked for. So is what is not dense in memory, or
    whose gradient is laid out in another way than its parameter.
    """
    small: list[Columns] = []
    elements = 0
    for columns in parameters:
        count = columns[0].numel()
        if count >= pack_below and _one_dense_layout(columns):
            yield tuple(t.as_strided((count,), (1,)) for t in columns)
            continue
        if small and elements + count > chunk:
            yield from _packed(small, elements)
            small, elements = [], 0
        small.append(columns)
        elements += count
    if small:
        yield from _packed(small, elements)


def _one_dense_layout(columns: Columns) -> bool:
    # Moments are allocated without holes, so what has their strides has none either.
    stride = columns[1].stride()
    return all(t.stride() == stride for t in columns)


def _packed(parameters: list[Columns], elements: int) -> Iterator[Columns]:
    mean = parameters[0][1]
    rows = mean.new_empty(len(parameters[0]), elements).unbind()
    sizes = [columns[0].numel() for columns in parameters]
    pieces = [
        tuple(piece.view(columns[0].shape) for piece in split)
        for columns, *split in zip(parameters, *(torch.split_with_sizes(row, sizes) for row in rows), strict=True)
    ]
    torch._foreach_copy_([t for p in pieces for t in p], [t for p in parameters for t in p])
    yield rows
    torch._foreach_copy_(
        [t for columns in parameters for t in columns[_WRITTEN]], [t for p in pieces for t in p[_WRITTEN]]
    )
