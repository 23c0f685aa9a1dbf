"""The one object that a task's callable returns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lrsearch.workload.devices import moved
from lrsearch.workload.interfaces import Batch, IndexedBatches, Metric


@dataclass
class Workload:
    """What one replica trains, made afresh for each under the replica's seed.

    Attributes:
        model: the network, with its initial weights.
        batches: ``batch(seed, iteration)`` gives each batch (``Batches`` does, from tensors in memory), or any
            iterable such as a ``DataLoader``: it begins anew when it ends, and is run forward at resume.
        loss: the training loss of the model (in ``train()`` mode) on a batch, a scalar tensor. With ``carried``
            it gets that as a third argument and gives ``(loss, carried)``.
        metrics: by name, each a function of the model (in ``eval()`` mode, without gradients) and a number of
            examples. One that gives several values by name adds them as ``NAME_VALUE``: ``{"test": Mean(...)}``
            whose function gives ``loss`` and ``accuracy`` makes ``test_loss`` and ``test_accuracy``.
        carried: a state that goes from batch to batch (an LSTM's hidden state): a tensor, or tuples, lists
            and dicts of them. It belongs to the checkpoint.
    """

    model: nn.Module
    batches: IndexedBatches | Iterable[Batch]
    loss: Callable[..., Any]
    metrics: Mapping[str, Metric]
    carried: Any = None

    def to(self, device: torch.device) -> "Workload":
        """Move model, batches and metrics to a device; what has no ``to`` stays as it is."""
        return Workload(
            model=self.model.to(device),
            batches=moved(self.batches, device),
            loss=self.loss,
            metrics={name: moved(metric, device) for name, metric in self.metrics.items()},
            carried=moved(self.carried, device),
        )

    def training_loss(self, batch: Batch) -> Any:
        """Give the loss on a batch; a carried state moves on."""
        if self.carried is None:
            return self.loss(self.model, batch)
        loss, self.carried = self.loss(self.model, batch, self.carried)
        return loss

    def count(self, examples: int | None) -> int | None:
        """Give how many examples all metrics together evaluate when asked for ``examples``; None if one cannot say."""
        counted = [getattr(metric, "count", None) for metric in self.metrics.values()]
        return sum(count(examples) for count in counted if count) if all(counted) else None

    def evaluate(self, examples: int | None) -> dict[str, float]:
        """Give all metrics by name, over ``examples`` examples or all; leaves the model in ``train()`` mode.

        Raises:
            ValueError: two metrics come out with one name.
        """
        values: dict[str, float] = {}
        self.model.eval()
        with torch.inference_mode():
            for name, metric in self.metrics.items():
                result = metric(self.model, examples)
                named = (
                    {f"{name}_{k}": v for k, v in result.items()}
                    if isinstance(result, Mapping)
                    else {name: result}
                )
                if doubled := named.keys() & values.keys():
                    raise ValueError(f"two metrics are called {min(doubled)}; rename one")
                values |= {key: float(value) for key, value in named.items()}
        self.model.train()
        return values
