"""The Penn Treebank: the real text has known counts, and damaged files are one clear line."""

from pathlib import Path

import pytest
import small_sets
import torch

from lrsearch import datasets
from lrsearch.errors import DataError

FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")
REMEDY = "; put the original there"


@pytest.fixture
def text(real_data: Path) -> Path:
    """The folder of the real text; skips where there is none."""
    if not (real_data / FILES[0]).is_file():
        pytest.skip(f"no Penn Treebank in {real_data}")
    return real_data


@pytest.fixture
def linked(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of links to the real files, which a test may replace by damaged ones."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in FILES:
        (folder / name).symlink_to(text / name)
    monkeypatch.setenv("LRSEARCH_DATA", str(folder))
    return folder


@pytest.mark.usefixtures("text")
def test_the_real_text_has_its_known_counts() -> None:
    text = datasets.penn_treebank()
    assert [len(part) for part in (text.train, text.valid, text.test)] == [929_589, 73_760, 82_430]
    assert {part.dtype for part in (text.train, text.valid, text.test)} == {torch.int64}
    assert len(text.vocabulary) == len(set(text.vocabulary)) == 10_000
    assert text.vocabulary[:3] == ("aer", "banknote", "berlitz")
    assert int(text.train.max()) == 9_999
    lines = [
        int((part == text.vocabulary.index("<eos>")).sum()) for part in (text.train, text.valid, text.test)
    ]
    assert lines == [42_068, 3_370, 3_761]
    found = datasets.loaded()[-1]
    assert found.summary == "penn_treebank: 929,589 training, 73,760 validation and 82,430 test words"
    assert found.complete


def test_the_words_give_the_text_back(text: Path) -> None:
    found = datasets.penn_treebank()
    for part, name in zip((found.train, found.valid, found.test), FILES, strict=True):
        words = " ".join(found.vocabulary[place] for place in part.tolist())
        lines = [line.strip() for line in (text / name).read_text().splitlines()]
        assert words == "".join(f"{line} <eos> " for line in lines).strip()


@pytest.mark.usefixtures("text")
def test_words_are_counted_in_the_order_in_which_they_first_appear() -> None:
    train = datasets.penn_treebank().train
    first = torch.full((10_000,), len(train)).scatter_reduce(0, train, torch.arange(len(train)), "amin")
    assert torch.equal(first, first.sort().values)


@pytest.mark.parametrize("name", FILES)
def test_a_text_cut_short_anywhere_is_one_line_with_the_remedy(linked: Path, text: Path, name: str) -> None:
    content = (text / name).read_bytes()
    (linked / name).unlink()
    for short in small_sets.cut(content):
        (linked / name).write_bytes(short)
        with pytest.raises(DataError) as caught:
            datasets.penn_treebank()
        assert str(caught.value) == (
            f"{linked / name} has {len(short):,} bytes instead of {len(content):,}{REMEDY}"
        )


def test_a_changed_byte_is_one_line_with_the_remedy(linked: Path, text: Path) -> None:
    name = FILES[1]
    content = (text / name).read_bytes()
    (linked / name).unlink()
    for _, damaged in small_sets.flipped(content, times=20):
        (linked / name).write_bytes(damaged)
        with pytest.raises(DataError) as caught:
            datasets.penn_treebank()
        assert str(caught.value) == (
            f"{linked / name} was changed: its SHA-256 is not the published one{REMEDY}"
        )


def test_a_missing_text_says_where_to_put_it(linked: Path) -> None:
    (linked / FILES[2]).unlink()
    with pytest.raises(DataError) as caught:
        datasets.penn_treebank()
    message = str(caught.value)
    assert message.startswith(f"penn_treebank: {FILES[2]} is not in {linked / 'penn_treebank'}, {linked}, ")
    assert message.endswith(
        "; the licence forbids to redistribute it, so it is not fetched: "
        "get it under its licence and set LRSEARCH_DATA to the folder that holds it"
    )
