"""What a task's callable returns: a model, its batches, its loss and its metrics.

The smallest useful workload is ordinary PyTorch:

    import torch
    from torch import nn
    from lrsearch import Batches, Mean, Workload

    def linear_regression(batch_size: int = 32) -> Workload:
        x = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
        y = x.sum(dim=1, keepdim=True)

        def loss(model, batch):
            inputs, targets = batch
            return nn.functional.mse_loss(model(inputs), targets)

        return Workload(
            model=nn.Linear(8, 1),
            batches=Batches(x, y, batch_size=batch_size),
            loss=loss,
            metrics={"train_loss": Mean(loss, x, y)},
        )
"""

import inspect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Batch = Any
Transform = Callable[..., tuple[Tensor, ...]]
"""Takes a batch's tensors, gives those that the loss gets (bytes to floats, say)."""
Metric = Callable[[nn.Module, int | None], "Tensor | float | Mapping[str, Tensor | float]"]
"""Takes the model in ``eval()`` mode and a number of examples (None: all); gives one value, or several by name."""


def seed_of(*words: int) -> int:
    """Give one 63-bit seed for a generator from several numbers (a replica's seed, an epoch), well mixed."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)


@runtime_checkable
class IndexedBatches(Protocol):
    """Batches as a function of the replica's seed and the iteration: resuming costs nothing."""

    def batch(self, seed: int, iteration: int) -> Batch:
        """Give the batch of an iteration, counted from 0."""
        ...


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


class Batches:
    """Batches cut from tensors in memory, shuffled anew each epoch by the replica's seed.

    Args:
        tensors: one or more of the same first dimension (examples).
        batch_size: examples a batch; an epoch's last, incomplete batch is left out.
        transform: gets a batch's tensors, gives those that the loss gets.

    Raises:
        ValueError: the tensors differ in length, or are shorter than one batch.
    """

    def __init__(self, *tensors: Tensor, batch_size: int, transform: Transform | None = None) -> None:
        self._tensors = tensors
        self._batch_size = batch_size
        self._transform = transform
        self._examples = _common_length(tensors)
        if not 1 <= batch_size <= self._examples:
            raise ValueError(
                f"batch_size is {batch_size}; give 1 to {self._examples}, the number of examples"
            )
        self._order: tuple[tuple[int, int], Tensor] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """How many full batches one pass over the data gives."""
        return self._examples // self._batch_size

    def batch(self, seed: int, iteration: int) -> tuple[Tensor, ...]:
        """Give the batch of an iteration, counted from 0."""
        epoch, position = divmod(iteration, self.batches_per_epoch)
        first = position * self._batch_size
        chosen = self._epoch_order(seed, epoch)[first : first + self._batch_size]
        tensors = tuple(
            tensor.index_select(0, chosen) for tensor in self._tensors
        )  # half the time of tensor[chosen]
        return self._transform(*tensors) if self._transform else tensors

    def to(self, device: torch.device) -> "Batches":
        """Give the same batches, cut on another device."""
        tensors = (tensor.to(device) for tensor in self._tensors)
        return Batches(*tensors, batch_size=self._batch_size, transform=self._transform)

    def _epoch_order(self, seed: int, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != (seed, epoch):
            # Drawn on the CPU whatever the device, so that every device sees the same order.
            generator = torch.Generator().manual_seed(seed_of(seed, epoch))
            order = torch.randperm(self._examples, generator=generator).to(self._tensors[0].device)
            self._order = (seed, epoch), order
        return self._order[1]


class Mean:
    """A metric: the mean of a function over the examples of tensors in memory.

    Args:
        function: gets the model and a batch of the tensors, gives the batch's mean (a scalar tensor), or
            several by name.
        tensors: one or more of the same first dimension (examples).
        batch_size: examples evaluated at a time.
        transform: as for ``Batches``, without augmentation.

    Asked for fewer examples than there are, it takes a fixed sample: the same for every model, seed and run.

    Raises:
        ValueError: the tensors differ in length, or are empty.
    """

    def __init__(
        self,
        function: Callable[[nn.Module, tuple[Tensor, ...]], Tensor | Mapping[str, Tensor]],
        *tensors: Tensor,
        batch_size: int = 1000,
        transform: Transform | None = None,
    ) -> None:
        self._function = function
        self._tensors = tensors
        self._batch_size = batch_size
        self._transform = transform
        self._examples = _common_length(tensors)
        if not self._examples:
            raise ValueError("there are no examples to take a mean over")
        self._samples: dict[int, Sequence[Tensor]] = {}

    def __call__(self, model: nn.Module, examples: int | None) -> Tensor | dict[str, Tensor]:
        """Give the mean over ``examples`` examples (None: all)."""
        tensors = self._sample(examples)
        total: dict[str | None, Tensor] = {}
        count = len(tensors[0])
        for batch in zip(*(torch.split(tensor, self._batch_size) for tensor in tensors), strict=True):
            weight = len(batch[0]) / count
            result = self._function(model, self._transform(*batch) if self._transform else batch)
            parts = result.items() if isinstance(result, Mapping) else [(None, result)]
            for name, value in parts:
                # Summed in double precision: a float32 sum over many batches loses digits that rates differ in.
                total[name] = total.get(name, 0) + value.double() * weight
        return total[None] if None in total else {str(name): value for name, value in total.items()}

    def to(self, device: torch.device) -> "Mean":
        """Give the same metric over tensors on another device."""
        tensors = (tensor.to(device) for tensor in self._tensors)
        return Mean(self._function, *tensors, batch_size=self._batch_size, transform=self._transform)

    def _sample(self, examples: int | None) -> Sequence[Tensor]:
        if examples is None or examples >= self._examples:
            return self._tensors
        if examples not in self._samples:
            order = torch.randperm(self._examples, generator=torch.Generator().manual_seed(0))[:examples]
            chosen = order.to(self._tensors[0].device)
            self._samples[examples] = [tensor[chosen] for tensor in self._tensors]
        return self._samples[examples]


class IteratedBatches:
    """Batches of any iterable, in order: a new pass when one ends; made to answer as ``IndexedBatches``.

    Each item is drawn with Python's, NumPy's and torch's generators seeded by replica, pass and position, so that
    shuffling and augmentation are the same at every candidate, and again at resume, whatever else draws.

    Raises:
        ValueError: a pass over the iterable gives nothing.
    """

    def __init__(self, iterable: Iterable[Batch]) -> None:
        self._iterable = iterable
        self._epoch = -1
        self._position = 0
        self._next_iteration = 0
        self._iterator: Iterator[Batch] = iter(())

    def batch(self, seed: int, iteration: int) -> Batch:
        """Give the batch of an iteration; batches before it that were not asked for are drawn and dropped."""
        if iteration < self._next_iteration:
            raise ValueError(f"batch {iteration} is past: an iterable only goes forward")
        while True:
            batch = self._draw(seed)
            self._next_iteration += 1
            if self._next_iteration > iteration:
                return batch

    def _draw(self, seed: int) -> Batch:
        nothing = object()
        for _ in range(2):
            if self._epoch >= 0:
                with _seeded(seed, self._epoch, self._position):
                    batch = next(self._iterator, nothing)
                if batch is not nothing:
                    self._position += 1
                    return batch
            self._epoch += 1
            self._position = 0
            with _seeded(seed, self._epoch):
                self._iterator = iter(self._iterable)
        raise ValueError(
            "the workload's batches are empty, or a generator that ended: give an iterable that begins anew"
        )


@contextmanager
def _seeded(*words: int) -> Iterator[None]:
    """The global generators of the CPU seeded, and put back afterwards."""
    python, array = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        seed = seed_of(*words)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(
            seed
        )  # torch.manual_seed would seed GPUs too, where dropout draws
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)


def indexed(batches: IndexedBatches | Iterable[Batch]) -> IndexedBatches:
    """Give batches as a function of seed and iteration, whatever they were."""
    if isinstance(batches, IndexedBatches):
        # Data sets of other libraries have a `batch` too, that means something else.
        with suppress(TypeError, ValueError):
            if [*inspect.signature(batches.batch).parameters] == ["seed", "iteration"]:
                return batches
    return IteratedBatches(cast("Iterable[Batch]", batches))


def moved(thing: Any, device: torch.device) -> Any:
    """Give a thing on another device: whatever has ``to``, and tuples, lists and dicts of such; the rest as it is."""
    match thing:
        case tuple() | list():
            parts = [moved(part, device) for part in thing]
            return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)
        case dict():
            return {name: moved(part, device) for name, part in thing.items()}
    return thing.to(device) if hasattr(thing, "to") else thing


def _common_length(tensors: Sequence[Tensor]) -> int:
    lengths = {len(tensor) for tensor in tensors}
    if len(lengths) != 1:
        raise ValueError(
            f"the tensors hold {sorted(lengths)} examples; give one or more tensors of one length"
        )
    return lengths.pop()
