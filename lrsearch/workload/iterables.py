"""Batches of any iterable, a ``DataLoader`` say, made to answer by seed and iteration."""

import inspect
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import cast

import numpy as np
import torch

from lrsearch.workload.interfaces import Batch, IndexedBatches
from lrsearch.workload.seeds import seed_of


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
