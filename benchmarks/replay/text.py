"""A small causal transformer that predicts the next character of Python's own help topics."""

import functools
import platform
import pydoc_data.topics

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsearch import Batches, Mean, Workload

CHARACTERS = 128  # ASCII: the few other characters of the text become "?"
TEST_SHARE = 10  # one window in so many is held out: the last ones
DATA = f"pydoc_data.topics of Python {platform.python_version()}"


class Transformer(nn.Module):
    """One causal layer of ``width`` units over windows of ``length`` characters."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(CHARACTERS, width)
        self.positions = nn.Parameter(torch.randn(length, width) / width**0.5)
        self.layer = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CHARACTERS))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, window: Tensor) -> Tensor:
        """Give logits [batch, length, character] of the character after each of ``window`` [batch, length]."""
        hidden = self.characters(window) + self.positions
        logits: Tensor = self.head(self.layer(hidden, src_mask=self.mask, is_causal=True))
        return logits


def transformer(width: int = 32, length: int = 32, batch_size: int = 16) -> Workload:
    """About 23,000 parameters; 600 iterations read two thirds of the text."""
    windows = windows_of(length)
    train, test = windows[: -len(windows) // TEST_SHARE], windows[-len(windows) // TEST_SHARE :]
    return Workload(
        model=Transformer(width, length),
        batches=Batches(train, batch_size=batch_size),
        loss=loss,
        metrics={"train_loss": Mean(loss, train), "test_loss": Mean(loss, test)},
    )


@functools.cache
def windows_of(length: int) -> Tensor:
    """The topics in alphabetical order, as [window, length + 1] bytes: neighbours share one character."""
    topics = pydoc_data.topics.topics
    text = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", errors="replace")
    return torch.tensor(list(text)).unfold(0, length + 1, length)


def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    (window,) = batch
    return cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
