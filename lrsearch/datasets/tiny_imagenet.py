"""The reader of Tiny ImageNet (Stanford CS231N): 200 classes of ImageNet in 64 x 64 pixels."""

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from lrsearch import streams
from lrsearch.datasets.archives import Files, open_folder, open_zip
from lrsearch.datasets.cache import Decoded
from lrsearch.datasets.files import Source
from lrsearch.datasets.images import Images, decoded_images
from lrsearch.datasets.reading import read

_TOP = "tiny-imagenet-200/"
_CLASSES = 200
_SIDE = 64
_SIZE = (_SIDE, _SIDE)
_TRAINING_IMAGE = re.compile(r"train/(?P<wnid>n\d+)/images/(?P=wnid)_(?P<number>\d+)\.JPEG")
_CHUNK = 256
"""Images that a thread decodes at a time."""
_THREADS = os.cpu_count() or 1


def tiny_imagenet() -> Images:
    """Give Tiny ImageNet: RGB pixels ``[examples, 3, 64, 64]``; its validation images are the test set.

    The published set has 100,000 training and 10,000 validation images of 200 classes, which are counted in
    the order of ``wnids.txt``; its own test images have no labels. Grey images become RGB. Images are in the
    order of their classes and numbers, and in that of ``val_annotations.txt``. Another archive of the same form
    is read as a subset, if it is whole: ``lrsearch.datasets.loaded()`` says what was read.

    Raises:
        DataError: the archive is missing, cut short or changed; one line that names it and says what to do.
    """
    return read("tiny_imagenet", decode, Images.of)


def decode(source: Source) -> Decoded:
    """Make tensors of the archive, or of the folder that it unpacks to.

    Raises:
        ValueError: it is not whole; the message says what is wrong.
    """
    if source.sums:
        (content,) = source.contents()
        files = open_zip(content, _TOP)
    else:
        files = open_folder(source.paths[0])
    classes = _classes(files)
    train, test = _train(files, classes), _test(files, classes)
    if not source.published:
        _check_lists(files, classes, train, test)
    with _progress(len(train) + len(test)) as advance:
        parts = [
            part
            for names in (train, test)
            for part in (
                _pixels(files, list(names), advance),
                torch.tensor(list(names.values()), dtype=torch.int64),
            )
        ]
    return decoded_images(
        "tiny_imagenet",
        Images(*parts),
        classes=_CLASSES,
        train=100_000,
        test=10_000,
        published=source.published,
    )


def _classes(files: Files) -> dict[str, int]:
    names = _lines(files, "wnids.txt")
    if len(set(names)) != _CLASSES or len(names) != _CLASSES:
        raise ValueError(f"has {len(set(names))} different classes in wnids.txt where there are {_CLASSES}")
    return {name: label for label, name in enumerate(names)}


def _train(files: Files, classes: dict[str, int]) -> dict[str, int]:
    """Give the training images' names with their labels, by class and number."""
    found = []
    for name in files.names:
        if not (name.startswith("train/") and name.endswith(".JPEG")):
            continue
        match = _TRAINING_IMAGE.fullmatch(name)
        if match is None or match["wnid"] not in classes:
            raise ValueError(f"holds {name}, which belongs to no class of wnids.txt")
        found.append((classes[match["wnid"]], int(match["number"]), name))
    return {name: label for label, _, name in sorted(found)}


def _test(files: Files, classes: dict[str, int]) -> dict[str, int]:
    """Give the validation images' names with their labels, in the order of their list."""
    labels = {}
    for line in _lines(files, "val/val_annotations.txt"):
        name, wnid, *_ = (*line.split("\t"), "")
        if wnid not in classes:
            raise ValueError(
                f"has a line {line[:60]!r} in val_annotations.txt, whose class wnids.txt does not name"
            )
        labels[f"val/images/{name}"] = classes[wnid]
    return labels


def _check_lists(files: Files, classes: dict[str, int], train: dict[str, int], test: dict[str, int]) -> None:
    """Hold the images against the lists that come with them: what was lost on the way shows so."""
    of_class: dict[str, set[str]] = {wnid: set() for wnid in classes}
    for name in train:
        of_class[name.split("/")[1]].add(name)
    for wnid, found in of_class.items():
        listed = f"train/{wnid}/{wnid}_boxes.txt"
        if found or listed in files.names:
            rows = _lines(files, listed)
            _check_list(listed, {f"train/{wnid}/images/{row.split(chr(9))[0]}" for row in rows}, found)
    found = {name for name in files.names if name.startswith("val/images/") and name.endswith(".JPEG")}
    _check_list("val/val_annotations.txt", set(test), found)


def _check_list(name: str, listed: set[str], found: set[str]) -> None:
    for image in sorted(listed - found):
        raise ValueError(f"is not whole: {name} names {image}, which is not there")
    for image in sorted(found - listed):
        raise ValueError(f"is not whole: it holds {image}, which {name} does not name")


def _lines(files: Files, name: str) -> list[str]:
    try:
        return files.read(name).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"is changed: its {name} is no plain text") from error


def _pixels(files: Files, names: Sequence[str], advance: Callable[[int], None]) -> Tensor:
    pixels = np.empty((len(names), 3, _SIDE, _SIDE), np.uint8)

    def decode_from(first: int) -> None:
        chunk = names[first : first + _CHUNK]
        for place, name in enumerate(chunk, first):
            pixels[place] = _decoded(name, files.read(name)).transpose(2, 0, 1)
        advance(len(chunk))

    # Threads, as Pillow decodes without the interpreter's lock; processes would import the caller's script anew.
    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(decode_from, range(0, len(names), _CHUNK)):
            pass
    return torch.from_numpy(pixels)


def _decoded(name: str, content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Give a JPEG's pixels ``[height, width, 3]``; a grey one's three channels are equal."""
    try:
        with JpegImageFile(io.BytesIO(content)) as image:
            size = image.size
            pixels = (
                (image if image.mode == "RGB" else image.convert("RGB")).tobytes() if size == _SIZE else b""
            )
    # Pillow's errors have no common base, down to SyntaxError where a header is wrong.
    except Exception as error:
        raise ValueError(f"holds {name}, which is no whole JPEG ({error})") from error
    if size != _SIZE:
        raise ValueError(
            f"holds {name}, which has {size[0]} x {size[1]} pixels where {_SIDE} x {_SIDE} belong"
        )
    return np.frombuffer(pixels, np.uint8).reshape(_SIDE, _SIDE, 3)


@contextmanager
def _progress(images: int) -> Iterator[Callable[[int], None]]:
    """Show how far it is on stderr, if that is a terminal; give what is called after each few images."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(
        console=Console(file=streams.stderr()), transient=True, disable=not streams.stderr().isatty()
    ) as progress:
        task = progress.add_task("decoding tiny_imagenet, once on this machine", total=images)
        yield lambda done: progress.update(task, advance=done)
