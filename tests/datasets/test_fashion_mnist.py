"""Fashion-MNIST: the real files have known sums, and damaged ones are one clear line."""

from pathlib import Path

import pytest
import torch

from lrsearch import datasets
from lrsearch.errors import DataError

SMALL = "t10k-labels-idx1-ubyte.gz"


@pytest.fixture
def linked(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of links to the real files, which a test may replace by damaged ones."""
    folder = tmp_path / "data"
    folder.mkdir()
    for file in datasets.CATALOGUE["fashion_mnist"].files:
        (folder / file.name).symlink_to(real_data / file.name)
    monkeypatch.setenv("LRSEARCH_DATA", str(folder))
    return folder


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.usefixtures("real_data")
def test_the_real_files_have_their_known_sums() -> None:
    data = datasets.fashion_mnist()
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    assert data.train_images.dtype == data.test_images.dtype == torch.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == torch.int64
    assert int(data.train_images.sum()) == 3_431_114_169
    assert int(data.test_images.sum()) == 573_469_082
    assert data.train_labels.bincount().tolist() == [6000] * 10
    assert data.test_labels.bincount().tolist() == [1000] * 10
    assert data.train_labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]


@pytest.mark.usefixtures("real_data")
def test_all_of_a_process_share_the_tensors() -> None:
    assert datasets.fashion_mnist() is datasets.fashion_mnist()


@pytest.mark.parametrize("kept", [0, 1, 10, 2_000, 5_147])
def test_a_file_cut_short_is_named_with_the_remedy(linked: Path, kept: int) -> None:
    replace(linked / SMALL, (linked / SMALL).read_bytes()[:kept])
    with pytest.raises(DataError) as caught:
        datasets.fashion_mnist()
    assert str(caught.value) == (
        f"{linked / SMALL} has {kept:,} bytes instead of 5,148; "
        "delete it and run `lrsearch data fashion_mnist`, or put the original there"
    )


@pytest.mark.parametrize("position", [0, 5, 300, 5_147])
def test_a_flipped_byte_is_noticed(linked: Path, position: int) -> None:
    content = bytearray((linked / SMALL).read_bytes())
    content[position] ^= 1
    replace(linked / SMALL, bytes(content))
    with pytest.raises(DataError, match=f"{SMALL} was changed.*`lrsearch data fashion_mnist`"):
        datasets.fashion_mnist()


def test_swapped_files_are_noticed(linked: Path) -> None:
    images, labels = linked / "t10k-images-idx3-ubyte.gz", linked / SMALL
    swapped = linked / "swapped"
    images.rename(swapped)
    labels.rename(images)
    swapped.rename(labels)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz has 5,148 bytes instead of 4,422,102"):
        datasets.fashion_mnist()


def test_a_missing_file_is_named_with_the_places_and_the_command(linked: Path) -> None:
    (linked / SMALL).unlink()
    with pytest.raises(DataError) as caught:
        datasets.fashion_mnist()
    message = str(caught.value)
    assert message.startswith(f"fashion_mnist: {SMALL} is not in {linked / 'fashion_mnist'}, {linked}, ")
    assert message.endswith(
        "run `lrsearch data fashion_mnist`, or set LRSEARCH_DATA to the folder that holds it"
    )
    assert "\n" not in message


def test_a_folder_in_place_of_a_file_is_missing(linked: Path) -> None:
    (linked / SMALL).unlink()
    (linked / SMALL).mkdir()
    with pytest.raises(DataError, match=f"{SMALL} is not in"):
        datasets.fashion_mnist()


def test_a_relative_folder_is_named_in_full(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSEARCH_DATA", "nowhere")
    with pytest.raises(
        DataError, match=f"not in {tmp_path}/nowhere/fashion_mnist, {tmp_path}/nowhere, {cache}"
    ):
        datasets.fashion_mnist()
