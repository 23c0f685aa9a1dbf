"""The reader of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)."""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lrsearch.datasets.catalogue import CATALOGUE
from lrsearch.datasets.files import find, read_checked
from lrsearch.datasets.idx import parse_idx
from lrsearch.errors import DataError

_NAME = "fashion_mnist"
_SHAPES = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))


@dataclass(frozen=True, eq=False, slots=True)
class Images:
    """Labelled images: uint8 pixels ``[examples, height, width]`` of 0 to 255, int64 labels ``[examples]``.

    All who ask in one process get the same tensors: change none of them in place.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def fashion_mnist() -> Images:
    """Give Fashion-MNIST, 60,000 training and 10,000 test images, read once a process and checked by SHA-256.

    Raises:
        DataError: a file is missing, cut short or changed; one line that names it and says what to do.
    """
    return _read(find(_NAME))


@functools.cache
def _read(paths: tuple[Path, ...]) -> Images:
    parts = []
    for path, file, shape in zip(paths, CATALOGUE[_NAME].files, _SHAPES, strict=True):
        content = read_checked(path, file, _NAME)
        try:
            parts.append(parse_idx(content, shape))
        except ValueError as error:
            raise DataError(f"{path} {error}; delete it and run `lrsearch data {_NAME}`") from error
    train_images, train_labels, test_images, test_labels = parts
    return Images(train_images, train_labels.to(torch.int64), test_images, test_labels.to(torch.int64))
