"""The reader of Tiny ImageNet (Stanford CS231N): 200 classes of ImageNet in 64 x 64 pixels."""

import functools
import io
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lrsearch.datasets.files import find
from lrsearch.datasets.images import Images
from lrsearch.errors import DataError

_TOP = "tiny-imagenet-200"


def tiny_imagenet() -> Images:
    """Give Tiny ImageNet: RGB pixels ``[examples, 3, 64, 64]``; its validation images are the test set.

    The published set has 100,000 training and 10,000 validation images of 200 classes, which are counted in
    the order of ``wnids.txt``; its own test images have no labels. An archive that holds fewer is read as a
    subset if it is whole.

    Raises:
        DataError: the archive is missing, cut short or changed; one line that names it and says what to do.
    """
    return _read(find("tiny_imagenet")[0])


@functools.cache
def _read(path: Path) -> Images:
    try:
        with zipfile.ZipFile(path) as archive:
            classes = archive.read(f"{_TOP}/wnids.txt").decode().split()
            place = {name: number for number, name in enumerate(classes)}
            train = sorted(
                (place[name.split("/")[2]], int(name.rsplit("_", 1)[1].removesuffix(".JPEG")), name)
                for name in archive.namelist()
                if name.startswith(f"{_TOP}/train/") and name.endswith(".JPEG")
            )
            rows = archive.read(f"{_TOP}/val/val_annotations.txt").decode().splitlines()
            test = [row.split("\t")[:2] for row in rows]
            return Images(
                _decoded([archive.read(name) for *_, name in train]),
                torch.tensor([label for label, *_ in train]),
                _decoded([archive.read(f"{_TOP}/val/images/{name}") for name, _ in test]),
                torch.tensor([place[label] for _, label in test]),
            )
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} {error}; delete it and run `lrsearch data tiny_imagenet`") from error


def _decoded(files: Sequence[bytes]) -> torch.Tensor:
    pixels = np.empty((len(files), 3, 64, 64), np.uint8)

    def decode(number: int) -> None:
        with Image.open(io.BytesIO(files[number]), formats=("JPEG",)) as image:
            pixels[number] = np.asarray(image.convert("RGB")).transpose(2, 0, 1)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(decode, range(len(files))):
            pass
    return torch.from_numpy(pixels)
