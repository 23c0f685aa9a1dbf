"""The reader of the Penn Treebank's Wall Street Journal text, word level, as Mikolov prepared it (2010)."""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lrsearch.datasets.catalogue import CATALOGUE
from lrsearch.datasets.files import find, read_checked

_NAME = "penn_treebank"
_END = "<eos>"


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
    return _read(find(_NAME))


@functools.cache
def _read(paths: tuple[Path, ...]) -> Text:
    texts = [
        read_checked(path, file, _NAME).decode()
        for path, file in zip(paths, CATALOGUE[_NAME].files, strict=True)
    ]
    words = [text.replace("\n", f" {_END} ").split() for text in texts]
    places = {word: place for place, word in enumerate(dict.fromkeys(words[0]))}
    train, valid, test = (torch.tensor([places[word] for word in part]) for part in words)
    return Text(train, valid, test, tuple(places))
