"""The reader of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)."""

import functools
from pathlib import Path

import torch

from lrsearch.datasets.catalogue import CATALOGUE
from lrsearch.datasets.files import find, read_checked
from lrsearch.datasets.idx import parse_idx
from lrsearch.datasets.images import Images
from lrsearch.errors import DataError

_NAME = "fashion_mnist"
_SHAPES = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))


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
