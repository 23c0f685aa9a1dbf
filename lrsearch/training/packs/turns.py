"""The random numbers of each training in a process that has several."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lrsearch.training.generators import NONE, Generators, restore_whole_state, whole_state


class Turn:
    """A training's own random numbers, which wait while it is another's turn; they go on from the process's of now.

    Args:
        device: that it trains on.
        generators: of the user's own, which live longer than a training.
    """

    def __init__(self, device: torch.device, generators: Generators = NONE) -> None:
        self._device = device
        self._generators = generators
        self._random = whole_state(device, generators)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Let it be this training's turn."""
        restore_whole_state(self._random, self._device, self._generators)
        try:
            yield
        finally:
            self._random = whole_state(self._device, self._generators)

    def lend(self, generator: torch.Generator) -> None:
        """Let a generator of the GPU go on from this training's random numbers there."""
        generator.set_state(self._random["cuda"])

    def take_back(self, generator: torch.Generator) -> None:
        """Go on from where that generator is."""
        self._random = {**self._random, "cuda": generator.get_state()}

    @contextmanager
    def unnoticed(self) -> Iterator[None]:
        """Let what is drawn meanwhile not count."""
        before = self._random
        try:
            yield
        finally:
            self._random = before
