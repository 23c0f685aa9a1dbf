"""The list of data sets: the state of each and what is said about it, on 80 columns."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import small_sets
from rich.console import Console

from lrsearch import datasets
from lrsearch.datasets.catalogue import CATALOGUE
from lrsearch.errors import DataError
from lrsearch.report.data_sets import data_sets_table

ARCHIVE = "cifar-100-python.tar.gz"


@pytest.fixture
def small(cifar100_parts: small_sets.Parts) -> bytes:
    return small_sets.cifar100_archive(cifar100_parts)


def state_of(name: str) -> datasets.Status:
    return next(status for status in datasets.status() if status.data_set.name == name)


def shown() -> list[str]:
    """The table's lines without what pads them, and the longest of them."""
    console = Console(width=80)
    with console.capture() as capture:
        console.print(data_sets_table(datasets.status()))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.usefixtures("data")
def test_what_is_not_there_is_missing() -> None:
    assert {status.data_set.name: status.state for status in datasets.status()} == dict.fromkeys(
        CATALOGUE, "missing"
    )


def test_a_subset_says_what_it_holds(data: Path, small: bytes) -> None:
    (data / ARCHIVE).write_bytes(small)
    (file,) = state_of("cifar100").files
    assert (file.state, file.path, file.size) == ("subset", data / ARCHIVE, len(small))
    assert file.note == "cifar100: 200 of 50,000 training and 100 of 10,000 test images (a subset)"
    lines = shown()
    assert any(line.startswith(" cifar100        subset ") for line in lines)
    assert "subset: whole by its own checks, with fewer examples than the published set" in lines
    assert max(map(len, lines)) <= 80


def test_a_damaged_archive_is_wrong_and_says_why(data: Path, small: bytes) -> None:
    (data / ARCHIVE).write_bytes(small[:-100])
    status = state_of("cifar100")
    assert status.state == "wrong"
    assert status.files[0].note.startswith(
        f"{data / ARCHIVE} is cut short or changed: as gzip it is not whole ("
    )
    assert max(map(len, shown())) <= 80


def test_the_published_archive_is_right_and_needs_no_decoding(
    data: Path, small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / ARCHIVE).write_bytes(small)
    entry = CATALOGUE["cifar100"]
    file = replace(entry.files[0], sha256=hashlib.sha256(small).hexdigest(), size=len(small))
    monkeypatch.setitem(CATALOGUE, "cifar100", replace(entry, files=(file,)))
    assert state_of("cifar100").state == "right"
    assert not (tmp_path / "xdg").exists()


def test_an_unpacked_folder_is_looked_into(data: Path, small_tiny_imagenet: Mapping[str, bytes]) -> None:
    top = data / "tiny-imagenet-200"
    for name, content in small_tiny_imagenet.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    (file,) = state_of("tiny_imagenet").files
    assert (file.state, file.path) == ("subset", top)
    assert file.size == sum(map(len, small_tiny_imagenet.values()))


def test_an_archive_before_what_is_fetched_is_named(data: Path, small: bytes) -> None:
    (data / ARCHIVE).write_bytes(small)
    with pytest.raises(DataError) as caught:
        datasets.fetch("cifar100")
    assert str(caught.value) == (
        f"{data / ARCHIVE} is not the published archive, and is what would be read; "
        "move it away and run `lrsearch data cifar100` again to have the whole set"
    )


def test_what_may_not_be_redistributed_is_not_fetched(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        datasets.fetch("penn_treebank")
    assert str(caught.value) == (
        "penn_treebank: the licence forbids to redistribute it, so it is not fetched; "
        "get ptb.train.txt, ptb.valid.txt and ptb.test.txt by other means and put them into "
        f"{tmp_path / 'xdg' / 'lrsearch' / 'penn_treebank'}, or set LRSEARCH_DATA to the folder that holds them"
    )
    assert data.exists()


def test_the_real_sets_fill_the_table(real_data: Path) -> None:
    lines = shown()
    assert max(map(len, lines)) <= 80
    for status in datasets.status():
        assert status.state in ("right", "subset", "missing"), status
        assert sum(line.split()[:1] == [status.data_set.name] for line in lines) == 1
    assert real_data.exists()
