"""The reader of CIFAR-100 (Krizhevsky 2009, "Learning multiple layers of features from tiny images")."""

import gzip
import io
import tarfile
import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrsearch.datasets.cache import Decoded
from lrsearch.datasets.files import Source
from lrsearch.datasets.images import Images, decoded_images
from lrsearch.datasets.pickles import load_plain
from lrsearch.datasets.reading import read

_FOLDER = "cifar-100-python"
_PARTS = ("train", "test")
_CLASSES, _COARSE_CLASSES = 100, 20
_PIXELS = 3 * 32 * 32
_LARGEST = 2**28
"""Bytes that an archive may unpack to; the published one takes 186 million."""


def cifar100() -> Images:
    """Give CIFAR-100 with its 100 fine labels: RGB pixels ``[examples, 3, 32, 32]``.

    The published set has 50,000 training and 10,000 test images. Another archive of the same form is read as a
    subset, if it is whole: ``lrsearch.datasets.loaded()`` says what was read.

    Raises:
        DataError: the archive is missing, cut short or changed; one line that names it and says what to do.
    """
    return read("cifar100", decode, Images.of)


def decode(source: Source) -> Decoded:
    """Make tensors of the archive, or of the two files that it unpacks to.

    Raises:
        ValueError: they are not whole; the message says what is wrong.
    """
    contents = list(source.contents())
    pickles = contents if len(contents) == len(_PARTS) else _unpacked(contents[0])
    parts = [tensor for name, pickle in zip(_PARTS, pickles, strict=True) for tensor in _part(name, pickle)]
    return decoded_images(
        "cifar100", Images(*parts), classes=_CLASSES, train=50_000, test=10_000, published=source.published
    )


def _unpacked(archive: bytes) -> list[bytes]:
    try:
        # To its end: only there does gzip hold what it unpacked against its checksum.
        with gzip.open(io.BytesIO(archive)) as file:
            tar = file.read(_LARGEST + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"is cut short or changed: as gzip it is not whole ({error})") from error
    if len(tar) > _LARGEST:
        raise ValueError(f"unpacks to more than {_LARGEST:,} bytes, which no archive of this set does")
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as files:
            return [_member(files, f"{_FOLDER}/{name}") for name in _PARTS]
    except tarfile.TarError as error:
        raise ValueError(f"is no whole tar archive in gzip ({error})") from error


def _member(files: tarfile.TarFile, name: str) -> bytes:
    try:
        member = files.getmember(name)
    except KeyError:
        raise ValueError(f"holds no {name}") from None
    content = files.extractfile(member) if member.isreg() else None
    if content is None:
        raise ValueError(f"holds something else than a file under the name {name}")
    return content.read()


def _part(name: str, pickle: bytes) -> tuple[Tensor, Tensor]:
    try:
        content = load_plain(pickle)
    except ValueError as error:
        raise ValueError(f"holds a file {name} that {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"holds a file {name} that is no dictionary")
    pixels, labels = content.get(b"data"), content.get(b"fine_labels")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise ValueError(f"holds a file {name} without pixels of the form [images, {_PIXELS}]")
    _check_labels(f"fine labels of {name}", labels, len(pixels), _CLASSES)
    if b"coarse_labels" in content:
        _check_labels(f"coarse labels of {name}", content[b"coarse_labels"], len(pixels), _COARSE_CLASSES)
    images = torch.from_numpy(np.array(pixels, order="C"))  # a copy, as the pickle's bytes are read-only
    return images.view(-1, 3, 32, 32), torch.tensor(labels, dtype=torch.int64)


def _check_labels(what: str, labels: Any, images: int, classes: int) -> None:
    if not isinstance(labels, list) or len(labels) != images:
        found = f"{len(labels):,}" if isinstance(labels, list) else "no list of"
        raise ValueError(f"holds {found} {what} for {images:,} images")
    for label in labels:
        if type(label) is not int or not 0 <= label < classes:
            raise ValueError(f"has {label!r} among the {what}, which go from 0 to {classes - 1}")
