"""Batches, and what is carried from one to the next: nested structures whose tensors are stacked and taken apart."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten


class StackError(Exception):
    """Replicas that cannot be trained as one; the message says why."""


class Like:
    """What is around the tensors of a nested structure, and what in it is none."""

    def __init__(self, thing: Any) -> None:
        leaves, self._shape = tree_flatten(thing)
        self._others = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self._tensors = [isinstance(leaf, Tensor) for leaf in leaves]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Like)
            and (self._shape, self._tensors) == (other._shape, other._tensors)
            and repr(self._others) == repr(other._others)
        )

    def tensors_of(self, thing: Any) -> list[Tensor]:
        """The tensors in a structure like this."""
        return [leaf for leaf in tree_flatten(thing)[0] if isinstance(leaf, Tensor)]

    def with_tensors(self, tensors: Sequence[Tensor]) -> Any:
        """The structure with other tensors."""
        following = iter(tensors)
        leaves = [
            next(following) if is_tensor else other
            for is_tensor, other in zip(self._tensors, self._others, strict=True)
        ]
        return tree_unflatten(leaves, self._shape)


def together(things: Sequence[Any]) -> tuple[list[Tensor], Like | None]:
    """Stack nested structures of tensors that are alike; with no tensors and no structure for nothing.

    Raises:
        StackError: they are not alike.
    """
    if all(thing is None for thing in things):
        return [], None
    like = Like(things[0])
    if any(Like(thing) != like for thing in things):
        raise StackError("its batches, or what it carries from one to the next, differ in more than numbers")
    columns = zip(*(like.tensors_of(thing) for thing in things), strict=True)
    try:
        return [torch.stack(column) for column in columns], like
    except RuntimeError as error:
        raise StackError(
            "its batches, or what it carries from one to the next, differ in their shapes"
        ) from error


def apart(tensors: Sequence[Tensor], like: Like | None, rows: int) -> list[Any]:
    """Take stacked structures apart; each has tensors of its own."""
    if like is None:
        return [None] * rows
    return [like.with_tensors([tensor[row].clone() for tensor in tensors]) for row in range(rows)]
