"""Replicas trained as one: their parameters stacked, their passes run together, their updates made in one."""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from lrsearch.task.model import Recipe
from lrsearch.training.packs.captured import Captured
from lrsearch.training.packs.nested import StackError
from lrsearch.training.packs.passes import Passes, Way
from lrsearch.training.packs.rows import Rows
from lrsearch.training.packs.turns import Turn
from lrsearch.training.packs.updates import ONE_BY_ONE, AllRows, OneByOne, Update, kind_of
from lrsearch.training.packs.vmapped import Vmapped
from lrsearch.training.replica import Replica


class Stack:
    """Replicas of one workload, whose parameters are views of the rows of one matrix while it lasts.

    The replicas stay whole: their models, optimizers and buffers can be evaluated and saved between two calls of
    ``train`` as if each had been trained alone.

    Args:
        replicas: at least one; at any iterations. Those of one kind of optimizer should stand together.
        turns: their random numbers.
        recipe: of the task.
        device: that they are on.
        way: how their passes are run.

    Raises:
        StackError: they differ in more than numbers.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        turns: Sequence[Turn],
        recipe: Recipe,
        device: torch.device,
        way: Way = "stacked",
    ) -> None:
        self._replicas = list(replicas)
        self._accumulate = recipe.accumulate
        self._clip = recipe.gradient_clip
        named = [dict(replica.workload.model.named_parameters()) for replica in replicas]
        self._check(named)
        self._rows = Rows([parameter.shape for parameter in named[0].values()])
        self._parameters = self._rows.matrix([list(of.values()) for of in named])
        self._gradient = torch.empty_like(self._parameters)
        self._sum = torch.empty_like(self._parameters) if self._accumulate > 1 else None
        self._updates = self._made_updates()  # before parameters become views: states are found by parameter
        for of, row in zip(named, self._parameters, strict=True):
            for parameter, view in zip(of.values(), self._rows.views(row), strict=True):
                parameter.data = view
                parameter.grad = None
        self._passes: Passes = (
            Vmapped(replicas, self._parameters, self._rows, recipe.precision, device)
            if way == "stacked"
            else Captured(replicas, turns, recipe.precision, device)
        )
        self._totals = torch.stack([replica.loss_total.reshape(()) for replica in replicas])
        self._iterations = [replica.iteration for replica in replicas]

    def train(self, iterations: int) -> None:
        """Make some updates of every replica, and let each stand as if it had made them alone."""
        for _ in range(iterations):
            gradient, loss = self._take_gradient()
            self._totals += loss
            for rows, update in self._updates:
                update(gradient[rows])
            self._iterations = [iteration + 1 for iteration in self._iterations]
        for _, update in self._updates:
            update.hand_back()
        carried = self._passes.carried()
        for row, replica in enumerate(self._replicas):
            replica.stands_at(self._iterations[row], self._totals[row].clone(), carried[row])

    def _take_gradient(self) -> tuple[Tensor, Tensor]:
        """Give the mean gradient ``[rows, columns]`` and loss ``[rows]`` of an iteration's batches."""
        if self._sum is None:
            return self._gradient, self._passes(self._iterations, self._gradient)
        self._sum.zero_()
        total = torch.zeros_like(self._totals)
        for number in range(self._accumulate):
            total += self._passes([it * self._accumulate + number for it in self._iterations], self._gradient)
            self._sum += self._gradient
        return self._sum.div_(self._accumulate), total / self._accumulate

    def _check(self, named: Sequence[dict[str, nn.Parameter]]) -> None:
        kinds = {(p.dtype, p.device, p.requires_grad) for of in named for p in of.values()}
        if len(kinds) != 1:
            raise StackError("its parameters are of several types or devices, or some are not trained")
        shapes = [{name: p.shape for name, p in of.items()} for of in named]
        if any(of != shapes[0] for of in shapes):
            raise StackError("its models differ in their parameters")

    def _made_updates(self) -> list[tuple[slice, Update]]:
        made: list[tuple[slice, Update]] = []
        first = 0
        for kind, group in groupby(self._replicas, key=kind_of):
            replicas = list(group)
            rows = slice(first, first + len(replicas))
            update: Update = (
                OneByOne(replicas, self._rows, self._clip)
                if kind == ONE_BY_ONE
                else AllRows(replicas, self._rows, self._parameters[rows], self._clip)
            )
            made.append((rows, update))
            first = rows.stop
        return made
