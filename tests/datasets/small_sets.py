"""Small archives of real images, in the form that the sets' authors give theirs, and what the tests do to them."""

import gzip
import io
import pickle
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lrsearch.datasets.cache import Decoded
from lrsearch.datasets.files import Source, source_of
from lrsearch.datasets.pickles import load_plain

Parts = dict[str, dict[bytes, Any]]
TOP = "tiny-imagenet-200/"
SEED = 1911_12493


def cifar100_parts(archive: Path) -> Parts:
    with tarfile.open(archive) as files:
        return {
            name: _few(load_plain(files.extractfile(f"cifar-100-python/{name}").read()), each)
            for name, each in (("train", 2), ("test", 1))
        }


def _few(part: dict[bytes, Any], each: int) -> dict[bytes, Any]:
    labels = np.array(part[b"fine_labels"])
    chosen = np.sort(np.concatenate([np.flatnonzero(labels == label)[:each] for label in range(100)]))
    return {
        b"data": part[b"data"][chosen],
        b"fine_labels": labels[chosen].tolist(),
        b"coarse_labels": np.array(part[b"coarse_labels"])[chosen].tolist(),
    }


def cifar100_archive(parts: Mapping[str, Any]) -> bytes:
    """Pack parts, pickled here unless they are bytes already."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as files:
        for name, part in parts.items():
            content = part if isinstance(part, bytes) else pickle.dumps(part, protocol=3)
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), compresslevel=1, mtime=0)


def tiny_imagenet_files(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as files:
        wnids = files.read(f"{TOP}wnids.txt").decode().split()
        small = {"wnids.txt": files.read(f"{TOP}wnids.txt")}
        for wnid in wnids:
            boxes = f"train/{wnid}/{wnid}_boxes.txt"
            first = files.read(TOP + boxes).decode().splitlines(keepends=True)[0]
            image = f"train/{wnid}/images/{first.split()[0]}"
            small |= {boxes: first.encode(), image: files.read(TOP + image)}
        first_of: dict[str, str] = {}
        for row in files.read(f"{TOP}val/val_annotations.txt").decode().splitlines(keepends=True):
            first_of.setdefault(row.split("\t")[1], row)
        for row in first_of.values():
            image = f"val/images/{row.split()[0]}"
            small[image] = files.read(TOP + image)
        small["val/val_annotations.txt"] = "".join(first_of.values()).encode()
    return small


def tiny_imagenet_archive(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(TOP + name), content)
    return archive.getvalue()


def decoded(name: str, path: Path, decode: Callable[[Source], Decoded]) -> Decoded:
    """Read a file as the set, without the cache and without what this process remembers."""
    return decode(source_of(name, (path,)))


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


def cut(content: bytes) -> Iterator[bytes]:
    """Give the content cut short: near both ends, and at places all over it."""
    size = len(content)
    for length in [
        0,
        1,
        2,
        9,
        10,
        20,
        *range(size // 12, size, size // 12),
        size - 100,
        size - 9,
        size - 2,
        size - 1,
    ]:
        yield content[:length]


def flipped(content: bytes, times: int) -> Iterator[tuple[int, bytes]]:
    """Give the content with one byte changed: each near both ends, and ``times`` at random, with the place."""
    random_places = random.Random(SEED)
    ends = [*range(24), *range(len(content) - 24, len(content))]
    for place in [*ends, *(random_places.randrange(len(content)) for _ in range(times))]:
        damaged = bytearray(content)
        damaged[place] ^= random_places.randrange(1, 256)
        yield place, bytes(damaged)
