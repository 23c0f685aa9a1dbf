"""Forward and backward passes of all replicas as those of one: ``torch.func.vmap`` over their stacked parameters."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from lrsearch.task.model import Precision
from lrsearch.training.packs.given import StackedBatches
from lrsearch.training.packs.nested import StackError, apart, together
from lrsearch.training.packs.rows import Rows
from lrsearch.training.replica import Replica
from lrsearch.training.update import autocast
from lrsearch.workload import Workload


class Vmapped:
    """Horizontal fusion of training jobs (HFTA, arXiv:2102.02344), without a line of the user's model changed.

    Args:
        replicas: of one workload, whose parameters are views of the rows of ``parameters``.
        parameters: ``[rows, columns]``.
        rows: how they lie there.
        precision: of the forward passes.
        device: that they are on.

    Raises:
        StackError: they differ in more than numbers.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        parameters: Tensor,
        rows: Rows,
        precision: Precision,
        device: torch.device,
    ) -> None:
        self._replicas = replicas
        self._parameters = parameters
        self._rows = rows
        self._precision = precision
        self._device = device
        first = replicas[0].workload
        self._names = [name for name, _ in first.model.named_parameters()]
        self._buffers = self._stacked_buffers()
        self._carried = together([replica.workload.carried for replica in replicas])
        self._losses = _Loss(first)
        self._given = StackedBatches(replicas, device)

    def __call__(self, batches: Sequence[int], gradient: Tensor) -> Tensor:
        """Take a gradient of every replica."""
        given, like = self._given(batches)
        cut = self._given.cut
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
            with autocast(self._precision, self._device):
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
        torch.cat([gradients[name].reshape(len(gradient), -1) for name in self._names], dim=1, out=gradient)
        return losses  # type: ignore[no-any-return]

    def carried(self) -> list[Any]:
        """Give what each replica carries on to its next batch."""
        return apart(*self._carried, len(self._replicas))

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


class _Loss(nn.Module):
    """A workload's loss as a module, whose parameters can be replaced for a call."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.model = workload.model
        self._loss = workload.loss

    def forward(self, *arguments: Any) -> Any:
        return self._loss(self.model, *arguments)
