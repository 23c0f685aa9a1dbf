"""Tiny ImageNet: the real archive has known sums, its lists and images must agree, no damage gives another number."""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_sets
import torch
from PIL import Image

from lrsearch import datasets
from lrsearch.datasets.catalogue import CATALOGUE
from lrsearch.datasets.tiny_imagenet import decode
from lrsearch.errors import DataError

SUBSET = "05492f7c8f00751a579e9de0790b0b4ccc6d1566e768e909255b01691c329225"
"""SHA-256 of the subset of 100 training and 25 validation images a class that the tests were written with."""
ARCHIVE = "tiny-imagenet-200.zip"
REMEDY = "; delete it and run `lrsearch data tiny_imagenet`, or put the original there"
SUMMARY = "tiny_imagenet: 200 of 100,000 training and 200 of 10,000 test images (a subset)"
Files = Mapping[str, bytes]


@pytest.fixture
def write(data: Path) -> Callable[[bytes], Path]:
    """Write an archive where it is looked for."""

    def to(content: bytes) -> Path:
        (data / ARCHIVE).write_bytes(content)
        return data / ARCHIVE

    return to


@pytest.fixture(scope="session")
def small(small_tiny_imagenet: Files) -> bytes:
    return small_sets.tiny_imagenet_archive(small_tiny_imagenet)


def unpack(files: Files, folder: Path) -> Path:
    top = folder / "tiny-imagenet-200"
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    return top


@pytest.mark.usefixtures("real_data")
def test_the_real_archive_has_its_known_sums(real_tiny_imagenet: Path) -> None:
    if hashlib.sha256(real_tiny_imagenet.read_bytes()).hexdigest() != SUBSET:
        pytest.skip("another archive than the one with these sums")
    images = datasets.tiny_imagenet()
    assert images.train_images.shape == (20_000, 3, 64, 64)
    assert images.test_images.shape == (5_000, 3, 64, 64)
    assert images.train_images.dtype == images.test_images.dtype == torch.uint8
    assert images.train_labels.dtype == images.test_labels.dtype == torch.int64
    # A decoder of another make may differ by a little in every pixel: the mean is 113 of 255.
    assert int(images.train_images.sum()) == pytest.approx(27_763_628_630, rel=1e-4)
    assert int(images.test_images.sum()) == pytest.approx(6_964_584_918, rel=1e-4)
    assert images.train_labels.tolist() == [label for label in range(200) for _ in range(100)]
    assert images.test_labels.bincount().tolist() == [25] * 200
    summary = "tiny_imagenet: 20,000 of 100,000 training and 5,000 of 10,000 test images (a subset)"
    read = datasets.loaded()[-1]
    assert (read.name, read.summary, read.digest, read.complete) == ("tiny_imagenet", summary, SUBSET, False)


def test_pixels_and_labels_are_those_of_the_files(
    small_tiny_imagenet: Files, small: bytes, write: Callable[[bytes], Path]
) -> None:
    write(small)
    images = datasets.tiny_imagenet()
    wnids = small_tiny_imagenet["wnids.txt"].decode().split()
    assert images.train_labels.tolist() == list(range(200))
    for label in (0, 7, 199):
        (name,) = (n for n in small_tiny_imagenet if n.startswith(f"train/{wnids[label]}/images/"))
        assert torch.equal(images.train_images[label], pixels(small_tiny_imagenet[name]))
    rows = [row.split("\t") for row in small_tiny_imagenet["val/val_annotations.txt"].decode().splitlines()]
    assert [wnids[label] for label in images.test_labels.tolist()] == [wnid for _, wnid, *_ in rows]
    for number in (0, 100, 199):
        content = small_tiny_imagenet[f"val/images/{rows[number][0]}"]
        assert torch.equal(images.test_images[number], pixels(content))
    assert datasets.loaded()[-1].summary == SUMMARY


def pixels(jpeg: bytes) -> torch.Tensor:
    with Image.open(io.BytesIO(jpeg)) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def test_a_grey_image_has_three_equal_channels(
    small_tiny_imagenet: Files, write: Callable[[bytes], Path]
) -> None:
    with Image.open(io.BytesIO(small_tiny_imagenet[TRAIN])) as image:
        grey, content = image.convert("L"), io.BytesIO()
    grey.save(content, "JPEG")
    write(small_sets.tiny_imagenet_archive({**small_tiny_imagenet, TRAIN: content.getvalue()}))
    with Image.open(content) as image:
        right = torch.from_numpy(np.array(image))
    assert right.shape == (64, 64)
    assert torch.equal(datasets.tiny_imagenet().train_images[0], right.expand(3, 64, 64))


def test_images_of_a_class_are_in_the_order_of_their_numbers(
    small_tiny_imagenet: Files, write: Callable[[bytes], Path]
) -> None:
    wnid = small_tiny_imagenet["wnids.txt"].decode().split()[0]
    others = [content for name, content in small_tiny_imagenet.items() if name.startswith("val/images/")]
    own = {f"train/{wnid}/images/{wnid}_{number}.JPEG": others[number] for number in (10, 9, 100)}
    listed = small_tiny_imagenet[f"train/{wnid}/{wnid}_boxes.txt"].decode()
    listed += "".join(f"{name.split('/')[-1]}\t0\t0\t1\t1\n" for name in own)
    write(
        small_sets.tiny_imagenet_archive(
            {**small_tiny_imagenet, **own, f"train/{wnid}/{wnid}_boxes.txt": listed.encode()}
        )
    )
    images = datasets.tiny_imagenet()
    assert images.train_labels.tolist()[:5] == [0, 0, 0, 0, 1]
    for place, number in enumerate((9, 10, 100), 1):
        assert torch.equal(images.train_images[place], pixels(others[number]))


def test_the_published_archive_is_complete(
    small: bytes, write: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = CATALOGUE["tiny_imagenet"]
    file = replace(entry.files[0], sha256=hashlib.sha256(small).hexdigest(), size=len(small))
    monkeypatch.setitem(CATALOGUE, "tiny_imagenet", replace(entry, files=(file,)))
    write(small)
    datasets.tiny_imagenet()
    assert datasets.loaded()[-1].complete
    assert datasets.loaded()[-1].summary == "tiny_imagenet: 200 training and 200 test images"


def test_the_unpacked_folder_gives_the_same_and_is_looked_at_again_when_it_changes(
    small_tiny_imagenet: Files, small: bytes, data: Path
) -> None:
    top = unpack(small_tiny_imagenet, data)
    right = small_sets.decoded("tiny_imagenet", top, decode)
    (data / ARCHIVE).write_bytes(small)
    assert small_sets.same(right.tensors, small_sets.decoded("tiny_imagenet", data / ARCHIVE, decode).tensors)
    assert right.kind == "subset"
    digest = datasets.files.source_of("tiny_imagenet", (top,)).digest
    image = next(top.glob("train/*/images/*.JPEG"))
    os.utime(image, ns=(0, image.stat().st_mtime_ns + 1))
    assert datasets.files.source_of("tiny_imagenet", (top,)).digest != digest


def test_an_archive_cut_short_anywhere_is_one_line_with_the_remedy(
    small: bytes, write: Callable[[bytes], Path]
) -> None:
    for content in small_sets.cut(small):
        path = write(content)
        with pytest.raises(DataError) as caught:
            datasets.tiny_imagenet()
        message = str(caught.value)
        assert message.startswith(f"{path} is cut short or changed: as zip it is not whole ("), message
        assert message.endswith(REMEDY), message
        assert "\n" not in message


def test_a_changed_byte_is_one_line_or_changes_no_value(small: bytes, write: Callable[[bytes], Path]) -> None:
    right = small_sets.decoded("tiny_imagenet", write(small), decode).tensors
    refused = []
    for place, content in damaged(small):
        try:
            found = small_sets.decoded("tiny_imagenet", write(content), decode).tensors
        except ValueError as error:
            refused.append(str(error))
        else:
            assert small_sets.same(found, right), f"byte {place}"
    assert len(refused) > 100
    assert not [line for line in refused if "\n" in line]


def damaged(archive: bytes):
    """Changes at both ends and at random, and as many again in the archive's directory."""
    directory = zipfile.ZipFile(io.BytesIO(archive)).start_dir
    yield from small_sets.flipped(archive, times=60)
    for place, content in small_sets.flipped(archive[directory:], times=100):
        yield directory + place, archive[:directory] + content


def test_entries_that_a_changed_length_swallows_are_missed(
    small: bytes, write: Callable[[bytes], Path]
) -> None:
    with zipfile.ZipFile(io.BytesIO(small)) as opened:
        at, entries = opened.start_dir, opened.infolist()
    lengths = [46 + len(entry.filename) for entry in entries]
    # The first entry's comment, which is empty, becomes as long as the two entries after it.
    swallowing = bytearray(small)
    swallowing[at + 32 : at + 34] = (lengths[1] + lengths[2]).to_bytes(2, "little")
    path = write(bytes(swallowing))
    with pytest.raises(DataError) as caught:
        datasets.tiny_imagenet()
    total = len(entries)
    assert str(caught.value) == (
        f"{path} is changed: as zip it says that it holds {total} files, and {total - 2} are found{REMEDY}"
    )


def jpeg(width: int, height: int, form: str = "JPEG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, form)
    return content.getvalue()


WNID = "n02124075"  # the first of wnids.txt
TRAIN = f"train/{WNID}/images/{WNID}_0.JPEG"
BOXES = f"train/{WNID}/{WNID}_boxes.txt"
ANNOTATIONS = "val/val_annotations.txt"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({TRAIN: jpeg(65, 64)}, f"holds {TRAIN}, which has 65 x 64 pixels where 64 x 64 belong"),
        ({TRAIN: jpeg(64, 64, "PNG")}, f"holds {TRAIN}, which is no whole JPEG (not a JPEG file)"),
        ({TRAIN: b""}, f"holds {TRAIN}, which is no whole JPEG (not a JPEG file)"),
        ({TRAIN: jpeg(64, 64)[:-200]}, f"holds {TRAIN}, which is no whole JPEG ("),
        ({TRAIN: None}, f"is not whole: {BOXES} names {TRAIN}, which is not there"),
        ({TRAIN.replace("_0", "_7"): jpeg(64, 64)},
         f"is not whole: it holds {TRAIN.replace('_0', '_7')}, which {BOXES} does not name"),
        ({BOXES: None}, f"holds no tiny-imagenet-200/{BOXES}"),
        ({BOXES: b"\xff\n"}, f"is changed: its {BOXES} is no plain text"),
        ({"train/n1/images/n1_0.JPEG": jpeg(64, 64)},
         "holds train/n1/images/n1_0.JPEG, which belongs to no class of wnids.txt"),
        ({f"train/{WNID}/images/n2_0.JPEG": jpeg(64, 64)},
         f"holds train/{WNID}/images/n2_0.JPEG, which belongs to no class of wnids.txt"),
        ({"val/images/val_x.JPEG": jpeg(64, 64)},
         f"is not whole: it holds val/images/val_x.JPEG, which {ANNOTATIONS} does not name"),
        ({ANNOTATIONS: f"val_x.JPEG\t{WNID}\t0\t0\t1\t1\n".encode()},
         f"is not whole: {ANNOTATIONS} names val/images/val_x.JPEG, which is not there"),
        ({ANNOTATIONS: b"val_0.JPEG\tn1\t0\t0\t1\t1\n"},
         "has a line 'val_0.JPEG\\tn1\\t0\\t0\\t1\\t1' in val_annotations.txt, whose class wnids.txt does not name"),
        ({ANNOTATIONS: b"val_0.JPEG\n"},
         "has a line 'val_0.JPEG' in val_annotations.txt, whose class wnids.txt does not name"),
        ({ANNOTATIONS: None}, f"holds no tiny-imagenet-200/{ANNOTATIONS}"),
        ({"wnids.txt": b"n1\nn2\n"}, "has 2 different classes in wnids.txt where there are 200"),
        ({"wnids.txt": None}, "holds no tiny-imagenet-200/wnids.txt"),
        ({"wnids.txt": bytes(2**24 + 1)},
         "is changed: its file tiny-imagenet-200/wnids.txt is not whole (it says that it has 16,777,217 bytes)"),
    ],
)  # fmt: skip
def test_what_is_wrong_inside_is_said(
    small_tiny_imagenet: Files,
    write: Callable[[bytes], Path],
    change: Mapping[str, bytes | None],
    problem: str,
) -> None:
    files = {name: content for name, content in (small_tiny_imagenet | change).items() if content is not None}
    path = write(small_sets.tiny_imagenet_archive(files))
    with pytest.raises(DataError) as caught:
        datasets.tiny_imagenet()
    message = str(caught.value)
    assert message.startswith(f"{path} {problem}")
    assert message.endswith(REMEDY)
    assert "\n" not in message


def test_an_image_missing_from_the_folder_is_said(small_tiny_imagenet: Files, data: Path) -> None:
    top = unpack(small_tiny_imagenet, data)
    (top / TRAIN).unlink()
    with pytest.raises(DataError) as caught:
        datasets.tiny_imagenet()
    assert str(caught.value) == f"{top} is not whole: {BOXES} names {TRAIN}, which is not there{REMEDY}"


def test_classes_that_a_subset_lacks_are_said(
    small_tiny_imagenet: Files, write: Callable[[bytes], Path]
) -> None:
    wnids = small_tiny_imagenet["wnids.txt"].decode().split()
    lacking = tuple(f"train/{wnid}/" for wnid in wnids[:7])
    files = {name: content for name, content in small_tiny_imagenet.items() if not name.startswith(lacking)}
    write(small_sets.tiny_imagenet_archive(files))
    datasets.tiny_imagenet()
    assert datasets.loaded()[-1].summary == (
        "tiny_imagenet: 193 of 100,000 training and 200 of 10,000 test images "
        "(a subset, no training images of classes 0, 1, 2, 3, 4 and 2 more)"
    )


def test_a_subsets_archive_may_have_a_name_of_its_own(small: bytes, data: Path) -> None:
    (data / "tiny-imagenet-200-small.zip").write_bytes(small)
    datasets.tiny_imagenet()
    assert datasets.loaded()[-1].summary == SUMMARY
