"""Forward and backward passes of each replica, recorded once, and those of all played back with one launch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lrsearch.task.model import Precision
from lrsearch.training.packs.given import StackedBatches
from lrsearch.training.packs.nested import Like, StackError, apart, together
from lrsearch.training.packs.recording import Recording, recorder
from lrsearch.training.packs.turns import Turn
from lrsearch.training.replica import Replica
from lrsearch.training.update import autocast

KINDS = 4
"""Of batches, by their shapes and what in them is no tensor: a workload with more is not captured."""


@dataclass
class _Recorded:
    """A recording with the memory that its batches are put into."""

    like: Like
    given: list[Tensor]
    recording: Recording

    def serves(self, given: Sequence[Tensor], like: Like) -> bool:
        return self.like == like and [g.shape for g in self.given] == [g.shape for g in given]


class Captured:
    """Also for what ``vmap`` refuses: random numbers (dropout), and modules without a rule for it.

    Args:
        replicas: of one workload, whose parameters stay where they are in memory.
        turns: their random numbers.
        precision: of the forward passes.
        device: that they are on.

    Raises:
        StackError: they differ in more than numbers.
    """

    def __init__(
        self, replicas: Sequence[Replica], turns: Sequence[Turn], precision: Precision, device: torch.device
    ) -> None:
        self._replicas = replicas
        self._precision = precision
        self._device = device
        self._parameters = [list(replica.workload.model.parameters()) for replica in replicas]
        self._carried, self._carried_like = together([replica.workload.carried for replica in replicas])
        self._given = StackedBatches(replicas, device)
        self._recorder = recorder(turns, device)
        self._turns = turns
        self._recorded: list[_Recorded] = []
        self._losses: Tensor | None = None
        self._playing = False

    def __call__(self, batches: Sequence[int], gradient: Tensor) -> Tensor:
        """Take a gradient of every replica."""
        given, like = self._given(batches)
        recorded = next((one for one in self._recorded if one.serves(given, like)), None)
        if recorded is None:
            self._pause()
            recorded = self._record(given, like, gradient)
        for into, one in zip(recorded.given, given, strict=True):
            into.copy_(one)
        if not self._playing:
            self._recorder.begin()
            self._playing = True
        recorded.recording.play()
        assert self._losses is not None
        return self._losses

    def carried(self) -> list[Any]:
        """Give what each replica carries on to its next batch."""
        self._pause()
        return apart(self._carried, self._carried_like, len(self._replicas))

    def _pause(self) -> None:
        if self._playing:
            self._recorder.end()
            self._playing = False

    def _record(self, given: Sequence[Tensor], like: Like, gradient: Tensor) -> _Recorded:
        if len(self._recorded) == KINDS:
            raise StackError(f"its batches are of more than {KINDS} kinds")
        if self._losses is None:
            self._losses = gradient.new_zeros(len(self._replicas))
        into = [tensor.clone() for tensor in given]
        steps = [self._step(row, like, [g[row] for g in into], gradient[row]) for row in range(len(gradient))]
        with self._as_before():
            recording = self._recorder.record(steps)
        self._recorded.append(_Recorded(like, into, recording))
        return self._recorded[-1]

    def _step(self, row: int, like: Like, given: Sequence[Tensor], gradient: Tensor) -> Callable[[], None]:
        """What is recorded: cut the batch, run forward and backward, leave gradient, loss and what is carried."""
        workload, parameters = self._replicas[row].workload, self._parameters[row]
        carried = [tensor[row] for tensor in self._carried]
        cut, carried_like, losses = self._given.cut, self._carried_like, self._losses
        assert losses is not None

        def step() -> None:
            batch = like.with_tensors(given)
            batch = cut(*batch) if cut is not None else batch
            if carried_like is not None:
                workload.carried = carried_like.with_tensors(carried)
            with autocast(self._precision, self._device):
                loss = workload.training_loss(batch)
            found = torch.autograd.grad(loss.sum(), parameters, materialize_grads=True)
            torch.cat([one.reshape(-1) for one in found], out=gradient)
            losses[row].copy_(loss.detach().sum())
            if carried_like is not None:
                for tensor, after in zip(carried, carried_like.tensors_of(workload.carried), strict=True):
                    tensor.copy_(after.detach())

        return step

    @contextmanager
    def _as_before(self) -> Iterator[None]:
        """Undo what running the steps changes: buffers, what is carried, random numbers."""
        changed = [*self._carried, *(b for r in self._replicas for b in r.workload.model.buffers())]
        before = [tensor.clone() for tensor in changed]
        with ExitStack() as stack:
            for turn in self._turns:
                stack.enter_context(turn.unnoticed())
            yield
        for tensor, value in zip(changed, before, strict=True):
            tensor.copy_(value)
