"""The reader of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)."""

import torch

from lrsearch.datasets.cache import Decoded
from lrsearch.datasets.files import Source
from lrsearch.datasets.idx import parse_idx
from lrsearch.datasets.images import Images, decoded_images
from lrsearch.datasets.reading import read

_TRAIN, _TEST = 60_000, 10_000
_SHAPES = ((_TRAIN, 28, 28), (_TRAIN,), (_TEST, 28, 28), (_TEST,))


def fashion_mnist() -> Images:
    """Give Fashion-MNIST: grey pixels ``[examples, 28, 28]``, 60,000 training and 10,000 test images.

    Raises:
        DataError: a file is missing, cut short or changed; one line that names it and says what to do.
    """
    return read("fashion_mnist", _decode, Images.of)


def _decode(source: Source) -> Decoded:
    train_images, train_labels, test_images, test_labels = (
        parse_idx(content, shape) for content, shape in zip(source.contents(), _SHAPES, strict=True)
    )
    images = Images(train_images, train_labels.to(torch.int64), test_images, test_labels.to(torch.int64))
    return decoded_images(
        "fashion_mnist", images, classes=10, train=_TRAIN, test=_TEST, published=source.published
    )
