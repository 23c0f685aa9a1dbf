"""The workload of text.yaml: a causal transformer over the characters of Python's help topics."""

import functools
import pydoc_data.topics

import torch
from torch import Tensor, nn

from lrsearch import Batches, Mean, Workload


class Transformer(nn.Module):
    """One causal layer over windows of ``length`` characters."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(128, width)
        self.positions = nn.Parameter(torch.randn(length, width) / width**0.5)
        self.layer = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 128))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, window: Tensor) -> Tensor:
        """Give logits [batch, length, character] of the character after each of ``window`` [batch, length]."""
        hidden = self.layer(self.characters(window) + self.positions, src_mask=self.mask, is_causal=True)
        logits: Tensor = self.head(hidden)
        return logits


def workload(batch_size: int, width: int, length: int) -> Workload:
    """Make the model and its data."""
    windows = _windows(length)[::4]
    return Workload(
        model=Transformer(width, length),
        batches=Batches(windows, batch_size=batch_size),
        loss=_loss,
        metrics={"train_loss": Mean(_loss, windows)},
    )


@functools.cache
def _windows(length: int) -> Tensor:
    topics = pydoc_data.topics.topics
    text = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", errors="replace")
    return torch.tensor(list(text)).unfold(0, length + 1, length)


def _loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    (window,) = batch
    return nn.functional.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
