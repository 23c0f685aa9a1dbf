"""AWD-LSTM (arXiv:1708.02182), a language model of LSTMs held back by dropout in five places.

The sizes are the paper's (arXiv:1912.11493, appendix A.7 and table 1); the order of its parts is that of the authors'
own code. All tensors have time first: tokens are [T, B].
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, dropout, embedding, linear

State = tuple[tuple[Tensor, Tensor], ...]
"""Hidden state and cell [1, B, units] of each LSTM."""


class Dropouts(NamedTuple):
    """The probability of being dropped, of: whole words, the embedded words, what goes from one LSTM to the next,
    what the last one gives, and each weight from hidden state to hidden state."""

    words: float = 0.1
    inputs: float = 0.4
    layers: float = 0.25
    outputs: float = 0.4
    weights: float = 0.5

    def times(self, factor: float) -> "Dropouts":
        """Give all of them times a factor: 0 for no dropout."""
        return Dropouts(*(factor * probability for probability in self))


class Output(NamedTuple):
    """What ``AWDLSTM`` gives: logits [T, B, words], the state after the last token, and the outputs [T, B, embedded]
    of the last LSTM, before (``raw``) and after (``dropped``) dropout."""

    logits: Tensor
    state: State
    raw: Tensor
    dropped: Tensor


class AWDLSTM(nn.Module):
    """Three LSTMs between an embedding and its transpose: 24,221,600 parameters for 10,000 words.

    Args:
        words: size of the vocabulary.
        embedded: length of a word's vector, and units of the last LSTM.
        units: of the first and the second LSTM.
        dropouts: nothing is dropped in ``eval()`` mode.
    """

    def __init__(
        self,
        words: int = 10_000,
        embedded: int = 400,
        units: int = 1150,
        dropouts: Dropouts = Dropouts(),  # noqa: B008  it cannot be changed
    ) -> None:
        super().__init__()
        self.dropouts = dropouts
        self.embedding = nn.Embedding(words, embedded)
        sizes = (embedded, units, units, embedded)
        self.lstms = nn.ModuleList(nn.LSTM(before, after) for before, after in pairwise(sizes))
        self.bias = nn.Parameter(torch.zeros(words))  # of the decoder, whose weight is the embedding's
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    def forward(self, tokens: Tensor, state: State | None = None) -> Output:
        """Read tokens [T, B] from a state (None: zeros) on, and give logits of the token after each."""
        p = self.dropouts
        hidden = self._locked(self._embedded(tokens), p.inputs)
        after = []
        for number, lstm in enumerate(self.lstms):
            raw, reached = self._run(lstm, hidden, None if state is None else state[number])
            after.append(reached)
            hidden = self._locked(raw, p.outputs if number == len(self.lstms) - 1 else p.layers)
        return Output(linear(hidden, self.embedding.weight, self.bias), tuple(after), raw, hidden)

    def zero_state(self, batch_size: int) -> State:
        """Give the state before the first token."""
        shapes = [(1, batch_size, lstm.hidden_size) for lstm in self.lstms]
        like = self.bias
        return tuple((like.new_zeros(shape), like.new_zeros(shape)) for shape in shapes)

    def _embedded(self, tokens: Tensor) -> Tensor:
        """Dropout of whole words: a word that is dropped is so wherever it stands in the batch."""
        vectors = embedding(tokens, self.embedding.weight)
        if not self.training or not self.dropouts.words:
            return vectors
        kept = dropout(vectors.new_ones(self.embedding.num_embeddings, 1), self.dropouts.words)
        return vectors * embedding(tokens, kept)

    def _run(
        self, lstm: nn.LSTM, inputs: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """DropConnect: one mask on the recurrent weights for the whole window, and new ones for the next."""
        if not self.training or not self.dropouts.weights:
            return lstm(inputs, state)
        # An nn.LSTM keeps its own list of weights, so to drop them in place would not reach it; this does.
        weights = {"weight_hh_l0": dropout(lstm.weight_hh_l0, self.dropouts.weights)}
        return functional_call(lstm, weights, (inputs, state))

    def _locked(self, inputs: Tensor, probability: float) -> Tensor:
        """Variational dropout: one mask [1, B, features] for all times."""
        if not self.training or not probability:
            return inputs
        return inputs * dropout(torch.ones_like(inputs[:1]), probability)


def detached(state: State) -> State:
    """Cut a state from the graph: what comes after it is not propagated back through it."""
    return tuple((hidden.detach(), cell.detach()) for hidden, cell in state)


def regularised_loss(output: Output, targets: Tensor, alpha: float, beta: float) -> Tensor:
    """Mean cross-entropy (nats) with activation and temporal activation regularisation (section 4.6).

    ``alpha`` weighs the mean square of the last LSTM's dropped output, ``beta`` that of its raw output's steps.
    """
    loss = cross_entropy(output.logits.flatten(0, 1), targets.flatten())
    loss = loss + alpha * output.dropped.square().mean()
    return loss + beta * output.raw.diff(dim=0).square().mean() if len(output.raw) > 1 else loss
