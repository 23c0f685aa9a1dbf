"""CIFAR-100: the real archive has known sums, and no damage gives another number."""

import gzip
import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_sets
import torch

from lrsearch import datasets
from lrsearch.datasets.catalogue import CATALOGUE
from lrsearch.datasets.cifar100 import decode
from lrsearch.errors import DataError

SUBSET = "8e18d179e3472388c2fa90c67e9ed88f3d72915bbc5f543afa78c69a1b2e9cfe"
"""SHA-256 of the subset of 150 training and 50 test images a class that the tests were written with."""
ARCHIVE = "cifar-100-python.tar.gz"
REMEDY = "; delete it and run `lrsearch data cifar100`, or put the original there"


@pytest.fixture
def write(data: Path) -> Callable[[bytes], Path]:
    """Write an archive where it is looked for."""

    def to(content: bytes) -> Path:
        (data / ARCHIVE).write_bytes(content)
        return data / ARCHIVE

    return to


@pytest.fixture
def small(cifar100_parts: small_sets.Parts) -> bytes:
    return small_sets.cifar100_archive(cifar100_parts)


@pytest.fixture
def published(small: bytes, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The small archive, in the catalogue as the published one."""
    with tarfile.open(fileobj=io.BytesIO(small)) as files:
        sums = {
            name: hashlib.sha256(files.extractfile(f"cifar-100-python/{name}").read())
            for name in ("train", "test")
        }
    entry = CATALOGUE["cifar100"]
    file = replace(entry.files[0], sha256=hashlib.sha256(small).hexdigest(), size=len(small))
    members = tuple((name, digest.hexdigest()) for name, digest in sums.items())
    monkeypatch.setitem(CATALOGUE, "cifar100", replace(entry, files=(file,), members=members))
    return small


@pytest.mark.usefixtures("real_data")
def test_the_real_archive_has_its_known_sums(real_cifar100: Path) -> None:
    if hashlib.sha256(real_cifar100.read_bytes()).hexdigest() != SUBSET:
        pytest.skip("another archive than the one with these sums")
    images = datasets.cifar100()
    assert images.train_images.shape == (15_000, 3, 32, 32)
    assert images.test_images.shape == (5_000, 3, 32, 32)
    assert images.train_images.dtype == images.test_images.dtype == torch.uint8
    assert images.train_labels.dtype == images.test_labels.dtype == torch.int64
    assert int(images.train_images.sum()) == 5_622_851_770
    assert int(images.test_images.sum()) == 1_871_977_497
    assert images.train_labels.bincount().tolist() == [150] * 100
    assert images.test_labels.bincount().tolist() == [50] * 100
    assert images.train_labels[:10].tolist() == [19, 29, 0, 11, 1, 86, 90, 28, 23, 31]
    assert images.train_images[0, :, 0, 0].tolist() == [255, 255, 255]
    summary = "cifar100: 15,000 of 50,000 training and 5,000 of 10,000 test images (a subset)"
    read = datasets.loaded()[-1]
    assert (read.name, read.summary, read.digest, read.complete) == ("cifar100", summary, SUBSET, False)
    assert datasets.cifar100() is images


@pytest.mark.usefixtures("real_data")
def test_channels_and_rows_are_where_they_belong(real_cifar100: Path) -> None:
    images = datasets.cifar100()
    with tarfile.open(real_cifar100) as files:
        rows = pickle.load(files.extractfile("cifar-100-python/test"), encoding="bytes")[b"data"]
    # The authors' description: 1,024 red values, row by row, then green, then blue.
    assert torch.equal(images.test_images[7].flatten(), torch.from_numpy(rows[7]))
    assert int(images.test_images[7, 1, 2, 3]) == rows[7][1024 + 2 * 32 + 3]


def test_the_published_archive_is_complete(published: bytes, write: Callable[[bytes], Path]) -> None:
    write(published)
    datasets.cifar100()
    found = datasets.loaded()[-1]
    assert (found.complete, found.digest) == (True, hashlib.sha256(published).hexdigest())
    assert found.summary == "cifar100: 200 training and 100 test images"


def test_the_published_files_unpacked_are_complete(published: bytes, data: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(published)) as files:
        files.extractall(data, filter="data")
    (data / "cifar-100-python").chmod(0o755)
    images = datasets.cifar100()
    assert datasets.loaded()[-1].complete
    (data / ARCHIVE).write_bytes(published)
    assert torch.equal(datasets.cifar100().train_images, images.train_images)


@pytest.mark.parametrize("name", ["train", "test"])
def test_unpacked_files_that_are_not_the_published_ones_are_refused(
    published: bytes, data: Path, name: str
) -> None:
    with tarfile.open(fileobj=io.BytesIO(published)) as files:
        files.extractall(data, filter="data")
    path = data / "cifar-100-python" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        datasets.cifar100()
    assert str(caught.value) == (
        f"{path} is not the published file, and nothing in it says whether it is whole; "
        f"put the archive that it came from, {ARCHIVE}, there in the folder's place"
    )


def test_an_archive_cut_short_anywhere_is_one_line_with_the_remedy(
    small: bytes, write: Callable[[bytes], Path]
) -> None:
    for content in small_sets.cut(small):
        path = write(content)
        with pytest.raises(DataError) as caught:
            datasets.cifar100()
        message = str(caught.value)
        assert message.startswith(f"{path} is "), message
        assert message.endswith(REMEDY), message
        assert "\n" not in message


def test_a_changed_byte_is_one_line_or_changes_no_value(small: bytes, write: Callable[[bytes], Path]) -> None:
    right = small_sets.decoded("cifar100", write(small), decode).tensors
    refused = []
    for place, content in small_sets.flipped(small, times=150):
        try:
            found = small_sets.decoded("cifar100", write(content), decode).tensors
        except ValueError as error:
            refused.append(str(error))
        else:
            # gzip's header has a time and the system's name, its last byte of data may have bits to spare.
            assert small_sets.same(found, right), f"byte {place}"
    assert len(refused) > 150
    assert not [line for line in refused if "\n" in line]


def test_what_follows_the_archive_is_no_part_of_it(small: bytes, write: Callable[[bytes], Path]) -> None:
    write(small + b"<html>")
    with pytest.raises(DataError, match="as gzip it is not whole"):
        datasets.cifar100()


def without(part: dict[bytes, Any], key: bytes) -> dict[bytes, Any]:
    return {name: value for name, value in part.items() if name != key}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda part: part | {b"fine_labels": [100, *part[b"fine_labels"][1:]]},
         "has 100 among the fine labels of test, which go from 0 to 99"),
        (lambda part: part | {b"fine_labels": [-1, *part[b"fine_labels"][1:]]},
         "has -1 among the fine labels of test, which go from 0 to 99"),
        (lambda part: part | {b"fine_labels": [True, *part[b"fine_labels"][1:]]},
         "has True among the fine labels of test, which go from 0 to 99"),
        (lambda part: part | {b"coarse_labels": [20, *part[b"coarse_labels"][1:]]},
         "has 20 among the coarse labels of test, which go from 0 to 19"),
        (lambda part: part | {b"fine_labels": part[b"fine_labels"][1:]},
         "holds 99 fine labels of test for 100 images"),
        (lambda part: part | {b"coarse_labels": part[b"coarse_labels"][1:]},
         "holds 99 coarse labels of test for 100 images"),
        (lambda part: part | {b"data": part[b"data"][1:]}, "holds 100 fine labels of test for 99 images"),
        (lambda part: part | {b"data": part[b"data"][:, :1024]},
         "holds a file test without pixels of the form [images, 3072]"),
        (lambda part: part | {b"data": part[b"data"].ravel()},
         "holds a file test without pixels of the form [images, 3072]"),
        (lambda part: part | {b"data": part[b"data"].astype(np.float32)},
         "holds a file test that holds an array of 'f4' where unsigned bytes belong"),
        (lambda part: part | {b"data": [1, 2]}, "holds a file test without pixels of the form [images, 3072]"),
        (lambda part: without(part, b"fine_labels"), "holds no list of fine labels of test for 100 images"),
        (lambda part: without(part, b"data"), "holds a file test without pixels of the form [images, 3072]"),
        (lambda part: part | {b"data": part[b"data"][:0], b"fine_labels": [], b"coarse_labels": []},
         "holds 200 training and 0 test images"),
        (lambda part: part[b"fine_labels"], "holds a file test that is no dictionary"),
        (lambda part: b"cos\nsystem\n.", "holds a file test that names os.system, which no file of this data set "
         "does; nothing was run"),
        (lambda part: b"", "holds a file test that is not a whole pickle (pickle exhausted before seeing STOP)"),
    ],
)  # fmt: skip
def test_what_is_wrong_inside_is_said(
    cifar100_parts: small_sets.Parts,
    write: Callable[[bytes], Path],
    change: Callable[[Any], Any],
    problem: str,
) -> None:
    path = write(small_sets.cifar100_archive(cifar100_parts | {"test": change(cifar100_parts["test"])}))
    with pytest.raises(DataError) as caught:
        datasets.cifar100()
    assert str(caught.value) == f"{path} {problem}{REMEDY}"


def test_an_archive_without_a_part_is_refused(
    cifar100_parts: small_sets.Parts, write: Callable[[bytes], Path]
) -> None:
    path = write(small_sets.cifar100_archive({"train": cifar100_parts["train"]}))
    with pytest.raises(DataError) as caught:
        datasets.cifar100()
    assert str(caught.value) == f"{path} holds no cifar-100-python/test{REMEDY}"


def test_a_link_in_a_parts_place_is_refused(write: Callable[[bytes], Path]) -> None:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as files:
        member = tarfile.TarInfo("cifar-100-python/train")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        files.addfile(member)
    write(gzip.compress(tar.getvalue()))
    with pytest.raises(
        DataError, match="holds something else than a file under the name cifar-100-python/train"
    ):
        datasets.cifar100()


def test_an_archive_that_unpacks_without_end_is_refused(write: Callable[[bytes], Path]) -> None:
    write(gzip.compress(bytes(2**28 + 1), compresslevel=1))
    with pytest.raises(
        DataError, match="unpacks to more than 268,435,456 bytes, which no archive of this set does"
    ):
        datasets.cifar100()


def test_classes_that_a_subset_lacks_are_said(
    cifar100_parts: small_sets.Parts, write: Callable[[bytes], Path]
) -> None:
    keep = [
        number for number, label in enumerate(cifar100_parts["test"][b"fine_labels"]) if label not in (3, 41)
    ]
    test = {
        key: value[keep] if key == b"data" else [value[number] for number in keep]
        for key, value in cifar100_parts["test"].items()
    }
    write(small_sets.cifar100_archive(cifar100_parts | {"test": test}))
    datasets.cifar100()
    assert datasets.loaded()[-1].summary == (
        "cifar100: 200 of 50,000 training and 98 of 10,000 test images (a subset, no test images of classes 3, 41)"
    )
