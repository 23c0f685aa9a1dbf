"""The reader of CIFAR-100 (Krizhevsky 2009, "Learning multiple layers of features from tiny images")."""

import functools
import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrsearch.datasets.files import find
from lrsearch.datasets.images import Images
from lrsearch.datasets.pickles import load_plain
from lrsearch.errors import DataError


def cifar100() -> Images:
    """Give CIFAR-100 with its 100 fine labels: RGB pixels ``[examples, 3, 32, 32]``.

    The published set has 50,000 training and 10,000 test images. An archive that holds fewer is read as a
    subset if it is whole.

    Raises:
        DataError: the archive is missing, cut short or changed; one line that names it and says what to do.
    """
    return _read(find("cifar100")[0])


@functools.cache
def _read(path: Path) -> Images:
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes()))) as archive:
            parts = [
                tensor
                for part in ("train", "test")
                for tensor in _part(load_plain(archive.extractfile(f"cifar-100-python/{part}").read()))  # type: ignore[union-attr]
            ]
    except (ValueError, EOFError, OSError, zlib.error, tarfile.TarError, KeyError) as error:
        raise DataError(f"{path} {error}; delete it and run `lrsearch data cifar100`") from error
    return Images(*parts)


def _part(content: Any) -> tuple[Tensor, Tensor]:
    pixels, labels = content[b"data"], content[b"fine_labels"]
    images = torch.from_numpy(np.ascontiguousarray(pixels).copy()).view(-1, 3, 32, 32)
    return images, torch.tensor(labels, dtype=torch.int64)
