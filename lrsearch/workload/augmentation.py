"""Random changes of images, for a whole batch at once on the device that holds it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True, slots=True)
class CropAndFlip:
    """Crop images back to their size at a random place after padding with zeros, then mirror every other one.

    The usual augmentation of CIFAR (``padding=4``): of the ``(2 padding + 1)^2`` places each is as likely, and
    an image is mirrored left to right with probability 1/2.

    Args:
        padding: pixels of value 0 on every side, at least 0.
        flip: whether to mirror.
    """

    padding: int
    flip: bool = True

    def draw(self, examples: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw the crops' first rows and columns, ``[examples]`` each, and who is mirrored, bool ``[examples]``."""
        places = torch.randint(2 * self.padding + 1, (2, examples), generator=generator, dtype=torch.int16)
        mirrored = torch.rand(examples, generator=generator) < 0.5
        return places[0], places[1], mirrored & self.flip

    def __call__(self, inputs: Tensor, *drawn: Tensor) -> Tensor:
        """Crop and mirror images ``[batch, channels, height, width]`` of any type."""
        top, left, mirrored = drawn
        batch, channels, height, width = inputs.shape
        padded = pad(inputs, [self.padding] * 4)
        column = torch.arange(width, device=inputs.device)
        columns = left[:, None] + torch.where(mirrored[:, None], width - 1 - column, column)
        rows = top[:, None] + torch.arange(height, device=inputs.device)
        # One gather for all: a third of the time of indexing by rows and columns.
        pixels = rows[:, :, None] * padded.shape[3] + columns[:, None, :]
        flat = padded.reshape(batch, channels, -1)
        index = pixels.reshape(batch, 1, -1).expand(batch, channels, -1)
        return flat.gather(2, index).view(batch, channels, height, width)
