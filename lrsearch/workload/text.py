"""Batches and a metric for language models: a text is read in order, and the model's state goes from window to window.

tokens = torch.arange(100) % 7
batches = TextBatches(tokens, batch_size=4, length=5)
inputs, targets, begins = batches.batch(seed=0, iteration=0)  # both [5, 4]; begins is True
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lrsearch.workload.devices import resident


class TextBatch(NamedTuple):
    """A window over every column of a text.

    Attributes:
        inputs: tokens ``[length, batch_size]``, int64.
        targets: the token after each of them, of the same shape.
        begins: whether the window is the first of a pass over the text. The state that the model carries begins
            anew there.
    """

    inputs: Tensor
    targets: Tensor
    begins: bool


class TextBatches:
    """Windows over a text, for truncated backpropagation through time.

    The text is cut into ``batch_size`` columns of equal length, which are read side by side, ``length`` tokens at a
    time; the next window begins where the last one ended. After the last whole window the text begins again. A
    text has an order, so every seed sees the same batches.

    Args:
        tokens: the text, integers ``[tokens]``; what does not fill the columns is left out at its end.
        batch_size: number of columns.
        length: tokens of a window.

    Raises:
        ValueError: ``tokens`` has another shape, or is too short for one window.
    """

    def __init__(self, tokens: Tensor, batch_size: int, length: int) -> None:
        self._tokens = tokens
        self._columns = _columns(tokens, batch_size, length)
        self._length = length

    @property
    def batches_per_epoch(self) -> int:
        """How many whole windows one pass over the text gives."""
        return (len(self._columns) - 1) // self._length

    def batch(self, seed: int, iteration: int) -> TextBatch:
        """Give the window of an iteration, counted from 0."""
        position = iteration % self.batches_per_epoch
        return _window(self._columns, position * self._length, self._length)

    def to(self, device: torch.device) -> "TextBatches":
        """Give the same batches, cut on another device; its copy of the text is shared by all in this process."""
        return TextBatches(resident(self._tokens, device), self._columns.shape[1], self._length)


class MeanOverText:
    """A metric: the mean loss of a token over a text, and the perplexity, which is e to that power.

    The text is read as ``TextBatches`` reads it, once and to its end (the last window may be shorter), with the
    state carried from window to window.

    Args:
        function: gets the model, a ``TextBatch`` and the state that it gave for the window before (None for the
            first); gives the mean cross-entropy (nats) of the window's tokens, a scalar tensor, and the state.
        tokens: the text, integers ``[tokens]``.
        batch_size: number of columns. Each begins without anything before it: the more there are, the higher the loss.
        length: tokens of a window; decides memory and speed alone.

    Asked for a number of examples, it counts tokens, and takes the first windows that hold as many.

    Raises:
        ValueError: ``tokens`` has another shape, or is too short for one window.
    """

    def __init__(
        self,
        function: Callable[[nn.Module, TextBatch, Any], tuple[Tensor, Any]],
        tokens: Tensor,
        batch_size: int,
        length: int,
    ) -> None:
        self._function = function
        self._tokens = tokens
        self._columns = _columns(tokens, batch_size, length)
        self._length = length

    def count(self, examples: int | None) -> int:
        """Give how many tokens it predicts when asked for ``examples`` (None: all)."""
        windows = self._windows(examples)
        return min(windows[-1] + self._length, len(self._columns) - 1) * self._columns.shape[1]

    def __call__(self, model: nn.Module, examples: int | None) -> dict[str, Tensor]:
        """Give ``loss`` and ``perplexity`` over the first ``examples`` tokens (None: all)."""
        windows = self._windows(examples)
        read = min(windows[-1] + self._length, len(self._columns) - 1)
        # Summed in double precision: a float32 sum over many windows loses digits that rates differ in.
        total = torch.zeros((), dtype=torch.float64, device=self._columns.device)
        state = None
        for first in windows:
            window = _window(self._columns, first, self._length)
            loss, state = self._function(model, window, state)
            total += loss.double() * (len(window.inputs) / read)
        return {"loss": total, "perplexity": total.exp()}

    def _windows(self, examples: int | None) -> range:
        """The first rows of the windows to read."""
        windows = range(0, len(self._columns) - 1, self._length)
        if examples is None:
            return windows
        return windows[: -(-examples // (self._length * self._columns.shape[1]))]

    def to(self, device: torch.device) -> "MeanOverText":
        """Give the same metric over the text on another device."""
        return MeanOverText(
            self._function, resident(self._tokens, device), self._columns.shape[1], self._length
        )


def _columns(tokens: Tensor, batch_size: int, length: int) -> Tensor:
    """The text as ``[tokens // batch_size, batch_size]``, a view of it."""
    if tokens.dim() != 1:
        raise ValueError(
            f"tokens has the shape {list(tokens.shape)}; give one dimension, the text in its order"
        )
    if batch_size < 1 or length < 1:
        raise ValueError(f"batch_size is {batch_size} and length {length}; give 1 or more for each")
    rows = len(tokens) // batch_size
    if rows <= length:
        raise ValueError(
            f"a window of {length} tokens in {batch_size} columns takes {batch_size * (length + 1)} tokens, "
            f"with the last targets, and the text has {len(tokens)}; give a smaller batch_size or length"
        )
    return tokens[: rows * batch_size].view(batch_size, rows).t()


def _window(columns: Tensor, first: int, length: int) -> TextBatch:
    """The window from a row on; shorter where the text ends."""
    end = min(first + length, len(columns) - 1)
    return TextBatch(
        columns[first:end].contiguous(), columns[first + 1 : end + 1].contiguous(), begins=first == 0
    )
