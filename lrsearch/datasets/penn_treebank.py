"""The reader of the Penn Treebank's Wall Street Journal text, word level, as Mikolov prepared it (2010)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrsearch.datasets.cache import Decoded
from lrsearch.datasets.files import Source
from lrsearch.datasets.reading import read

_END_OF_LINE = "<eos>"


@dataclass(frozen=True, eq=False, slots=True)
class Text:
    """A text in three parts: each an int64 tensor ``[words]`` of places in ``vocabulary``.

    All who ask in one process get the same tensors: change none in place.
    """

    train: Tensor
    valid: Tensor
    test: Tensor
    vocabulary: tuple[str, ...]


def penn_treebank() -> Text:
    """Give the Penn Treebank: 929,589 training, 73,760 validation and 82,430 test words.

    The end of each line is the word ``<eos>``. The vocabulary has 10,000 words, ``<unk>`` and ``<eos>`` among
    them, in the order in which they first appear in the training text.

    Raises:
        DataError: a file is missing, cut short or changed; one line that names it and says what to do.
    """
    return read("penn_treebank", _decode, _text)


def _decode(source: Source) -> Decoded:
    parts = [content.decode().replace("\n", f" {_END_OF_LINE} ").split() for content in source.contents()]
    vocabulary = tuple(dict.fromkeys(parts[0]))
    places = {word: place for place, word in enumerate(vocabulary)}
    tensors = {
        name: torch.tensor([places[word] for word in part])
        for name, part in zip(("train", "valid", "test"), parts, strict=True)
    }
    train, valid, test = (len(part) for part in parts)
    summary = f"penn_treebank: {train:,} training, {valid:,} validation and {test:,} test words"
    return Decoded(tensors | {"vocabulary": _as_bytes(vocabulary)}, summary, "published")


def _as_bytes(words: Sequence[str]) -> Tensor:
    return torch.from_numpy(np.frombuffer("\n".join(words).encode(), np.uint8).copy())


def _text(tensors: dict[str, Tensor]) -> Text:
    vocabulary = tensors["vocabulary"].numpy().tobytes().decode().split("\n")
    return Text(tensors["train"], tensors["valid"], tensors["test"], tuple(vocabulary))
