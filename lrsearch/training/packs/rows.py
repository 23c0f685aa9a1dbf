"""Tensors of several replicas as rows of one matrix, of which each replica keeps a view."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor


class Rows:
    """Where each of some tensors lies in a row: as many columns as they have elements together.

    Args:
        shapes: of the tensors, the same in every row.
    """

    def __init__(self, shapes: Sequence[torch.Size]) -> None:
        self.shapes = tuple(shapes)
        ends = list(accumulate((shape.numel() for shape in shapes), initial=0))
        self.columns = ends[-1]
        self._places = list(pairwise(ends))

    def matrix(self, rows: Sequence[Sequence[Tensor]]) -> Tensor:
        """Copy tensors into a new matrix ``[rows, columns]``."""
        return torch.stack([torch.cat([t.detach().reshape(-1) for t in row]) for row in rows])

    def views(self, row: Tensor) -> list[Tensor]:
        """Give the tensors as views of one row ``[columns]``."""
        return [row[a:b].view(shape) for (a, b), shape in zip(self._places, self.shapes, strict=True)]

    def stacked(self, matrix: Tensor) -> list[Tensor]:
        """Give the tensors of all rows together, each ``[rows, *shape]``, as views of a matrix."""
        return [
            matrix[:, a:b].view(len(matrix), *shape)
            for (a, b), shape in zip(self._places, self.shapes, strict=True)
        ]
