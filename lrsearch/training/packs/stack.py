"""Replicas trained as one: their parameters stacked, forward and backward passes by ``torch.func.vmap``.

Horizontal fusion of training jobs (HFTA, arXiv:2102.02344), without a line of the user's model changed.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from lrsearch.task.model import Recipe
from lrsearch.training.packs.rows import Rows
from lrsearch.training.packs.updates import ONE_BY_ONE, AllRows, OneByOne, Update, kind_of
from lrsearch.training.replica import Replica
from lrsearch.training.update import autocast
from lrsearch.workload import Batches, Workload, moved


class StackError(Exception):
    """Replicas that cannot be stacked; the message says why."""


class Stack:
    """Replicas of one workload, whose parameters are views of the rows of one matrix while it lasts.

    The replicas stay whole: their models, optimizers and buffers can be evaluated and saved between two calls of
    ``train`` as if each had been trained alone.

    Args:
        replicas: at least one; at any iterations. Those of one kind of optimizer should stand together.
        recipe: of the task.
        device: that they are on.

    Raises:
        StackError: they differ in more than numbers.
    """

    def __init__(self, replicas: Sequence[Replica], recipe: Recipe, device: torch.device) -> None:
        self._replicas = list(replicas)
        self._recipe = recipe
        self._device = device
        first = replicas[0].workload
        named = [dict(replica.workload.model.named_parameters()) for replica in replicas]
        self._names = list(named[0])
        self._check(named)
        self._rows = Rows([parameter.shape for parameter in named[0].values()])
        self._parameters = self._rows.matrix([list(of.values()) for of in named])
        self._gradient = torch.empty_like(self._parameters)
        self._buffers = self._stacked_buffers()
        self._updates = self._made_updates()  # before parameters become views: states are found by parameter
        for of, row in zip(named, self._parameters, strict=True):
            for parameter, view in zip(of.values(), self._rows.views(row), strict=True):
                parameter.data = view
                parameter.grad = None
        self._carried = _together([replica.workload.carried for replica in replicas])
        self._losses = _Loss(first)
        batches = [replica.batches for replica in replicas]
        one = batches[0]
        # A batch is then cut where it is used, from data that all share.
        self._cutting = (
            one
            if isinstance(one, Batches) and all(isinstance(b, Batches) and one.cuts_as(b) for b in batches)
            else None
        )
        self._totals = torch.stack([replica.loss_total.reshape(()) for replica in replicas])
        self._iterations = [replica.iteration for replica in replicas]

    def train(self, iterations: int) -> None:
        """Make some updates of every replica, and let each stand as if it had made them alone."""
        for _ in range(iterations):
            loss = self._take_gradient()
            self._totals += loss
            for rows, update in self._updates:
                update(self._gradient[rows])
            self._iterations = [iteration + 1 for iteration in self._iterations]
        for _, update in self._updates:
            update.hand_back()
        apart = _apart(self._carried, len(self._replicas))
        for row, replica in enumerate(self._replicas):
            replica.stands_at(self._iterations[row], self._totals[row].clone(), apart[row])

    def _take_gradient(self) -> Tensor:
        """Leave the mean gradient of an iteration's batches in ``_gradient``; give the mean losses ``[rows]``."""
        accumulate = self._recipe.accumulate
        total: Tensor | None = None
        for number in range(accumulate):
            gradients, losses = self._gradients([it * accumulate + number for it in self._iterations])
            flat = [gradients[name].reshape(len(self._replicas), -1) for name in self._names]
            if number == 0:
                torch.cat(flat, dim=1, out=self._gradient)
            else:
                self._gradient += torch.cat(flat, dim=1)
            total = losses if total is None else total + losses
        assert total is not None
        if accumulate > 1:
            self._gradient /= accumulate
            total = total / accumulate
        return total

    def _gradients(self, batches: Sequence[int]) -> tuple[dict[str, Tensor], Tensor]:
        """The gradients by name, each ``[rows, *shape]``, and the losses ``[rows]``, of one batch each."""
        given, like, cut = self._batches(batches)
        carried, carried_like = self._carried

        def loss_of(
            parameters: dict[str, Tensor],
            buffers: dict[str, Tensor],
            tensors: list[Tensor],
            state: list[Tensor],
        ) -> tuple[Tensor, tuple[Tensor, list[Tensor]]]:
            batch = like.with_tensors(tensors)
            batch = cut(*batch) if cut is not None else batch
            named = {f"model.{name}": value for name, value in (parameters | buffers).items()}
            arguments = (batch,) if carried_like is None else (batch, carried_like.with_tensors(state))
            with autocast(self._recipe.precision, self._device):
                result = functional_call(self._losses, named, arguments)
            if carried_like is None:
                return result.sum(), (result.detach().sum(), [])
            loss, after = result
            return loss.sum(), (loss.detach().sum(), carried_like.tensors_of(after))

        stacked = dict(zip(self._names, self._rows.stacked(self._parameters), strict=True))
        differentiated = grad_and_value(loss_of, has_aux=True)
        # Random numbers would not be those that each draws alone: vmap refuses them.
        gradients, (_, (losses, after)) = vmap(differentiated, randomness="error")(
            stacked, self._buffers, given, carried
        )
        self._carried = after, carried_like
        return gradients, losses

    def _batches(self, batches: Sequence[int]) -> tuple[list[Tensor], "_Like", Any]:
        if self._cutting is not None:
            numbers = [
                replica.batches.numbers(replica.spec.seed, batch)  # type: ignore[attr-defined]
                for replica, batch in zip(self._replicas, batches, strict=True)
            ]
            return *_required(_together(numbers)), self._cutting.cut
        each = [
            moved(replica.batches.batch(replica.spec.seed, batch), self._device)
            for replica, batch in zip(self._replicas, batches, strict=True)
        ]
        return *_required(_together(each)), None

    def _check(self, named: Sequence[dict[str, nn.Parameter]]) -> None:
        kinds = {(p.dtype, p.device, p.requires_grad) for of in named for p in of.values()}
        if len(kinds) != 1:
            raise StackError("its parameters are of several types or devices, or some are not trained")
        shapes = [{name: p.shape for name, p in of.items()} for of in named]
        if any(of != shapes[0] for of in shapes):
            raise StackError("its models differ in their parameters")

    def _stacked_buffers(self) -> dict[str, Tensor]:
        named = [dict(replica.workload.model.named_buffers()) for replica in self._replicas]
        buffers = {}
        for name in named[0]:
            each = [of[name] for of in named]
            if len({(b.shape, b.dtype) for b in each}) != 1:
                raise StackError(f"its models differ in their buffer {name}")
            buffers[name] = torch.stack(each)
            for buffer, row in zip(each, buffers[name], strict=True):
                buffer.data = row
        return buffers

    def _made_updates(self) -> list[tuple[slice, Update]]:
        clip = self._recipe.gradient_clip
        made: list[tuple[slice, Update]] = []
        first = 0
        for kind, group in groupby(self._replicas, key=kind_of):
            replicas = list(group)
            rows = slice(first, first + len(replicas))
            update: Update = (
                OneByOne(replicas, self._rows, clip)
                if kind == ONE_BY_ONE
                else AllRows(replicas, self._rows, self._parameters[rows], clip)
            )
            made.append((rows, update))
            first = rows.stop
        return made


class _Loss(nn.Module):
    """A workload's loss as a module, whose parameters can be replaced for a call."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.model = workload.model
        self._loss = workload.loss

    def forward(self, *arguments: Any) -> Any:
        return self._loss(self.model, *arguments)


class _Like:
    """What is around the tensors of a nested structure, and what in it is none."""

    def __init__(self, thing: Any) -> None:
        leaves, self._shape = tree_flatten(thing)
        self._others = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self._tensors = [isinstance(leaf, Tensor) for leaf in leaves]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Like)
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


def _together(things: Sequence[Any]) -> tuple[list[Tensor], _Like | None]:
    """Stack nested structures of tensors that are alike; with no tensors and no structure for nothing.

    Raises:
        StackError: they are not alike.
    """
    if all(thing is None for thing in things):
        return [], None
    like = _Like(things[0])
    if any(_Like(thing) != like for thing in things):
        raise StackError("its batches, or what it carries from one to the next, differ in more than numbers")
    columns = zip(*(like.tensors_of(thing) for thing in things), strict=True)
    try:
        return [torch.stack(column) for column in columns], like
    except RuntimeError as error:
        raise StackError(
            "its batches, or what it carries from one to the next, differ in their shapes"
        ) from error


def _required(together: tuple[list[Tensor], _Like | None]) -> tuple[list[Tensor], _Like]:
    tensors, like = together
    if like is None:
        raise StackError("its batches are None")
    return tensors, like


def _apart(carried: tuple[list[Tensor], _Like | None], rows: int) -> list[Any]:
    tensors, like = carried
    if like is None:
        return [None] * rows
    return [tree_map(_own, like.with_tensors([tensor[row] for tensor in tensors])) for row in range(rows)]


def _own(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf
