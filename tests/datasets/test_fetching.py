"""Fetching and listing, against a server on this machine that holds one made-up data set."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lrsearch import datasets
from lrsearch.datasets import DataSet, File
from lrsearch.errors import DataError

CONTENT = bytes(range(256)) * 40
NOBODY = "http://127.0.0.1:9/"  # the discard port: refused at once


class Quiet(SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The address of a server, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "numbers.bin").write_bytes(CONTENT)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def numbers(mirror: tuple[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """The catalogue's only data set; its first mirror is never reached."""
    file = File("numbers.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    data_set = DataSet("numbers", "Numbers", "public domain", "here", (NOBODY, mirror[0]), (file,))
    for module in ("files", "listing"):
        monkeypatch.setattr(f"lrsearch.datasets.{module}.CATALOGUE", {"numbers": data_set})
    return data_set


def test_what_is_missing_comes_from_the_next_mirror_into_the_cache(cache: Path) -> None:
    assert datasets.status()[0].state == "missing"
    assert datasets.fetch("numbers") == cache / "numbers"
    assert [path.name for path in (cache / "numbers").iterdir()] == ["numbers.bin"]
    assert (cache / "numbers" / "numbers.bin").read_bytes() == CONTENT
    assert datasets.status()[0].state == "right"


def test_what_is_there_is_not_fetched_again(cache: Path, mirror: tuple[str, Path]) -> None:
    datasets.fetch("numbers")
    (mirror[1] / "numbers.bin").unlink()
    assert datasets.fetch("numbers") == cache / "numbers"


def test_a_wrong_file_in_the_cache_is_replaced(cache: Path) -> None:
    path = datasets.fetch("numbers") / "numbers.bin"
    path.write_bytes(CONTENT[:-1])
    found = datasets.status()[0].files[0]
    assert (found.state, found.path, found.size) == ("wrong", path, len(CONTENT) - 1)
    datasets.fetch("numbers")
    assert path.read_bytes() == CONTENT


def test_the_users_own_files_are_used_and_never_replaced(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("LRSEARCH_DATA", str(own))
    (own / "numbers.bin").write_bytes(CONTENT)
    assert datasets.fetch("numbers") == own
    assert not cache.exists()
    (own / "numbers.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(DataError, match=rf"{own}/numbers.bin was changed.*delete it"):
        datasets.fetch("numbers")


def test_a_subset_in_the_cache_makes_room_for_the_published_archive(
    cache: Path, numbers: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = replace(numbers, subsets="numbers*.bin")
    monkeypatch.setattr("lrsearch.datasets.files.CATALOGUE", {"numbers": archive})
    few = cache / "numbers" / "numbers-few.bin"
    few.parent.mkdir(parents=True)
    few.write_bytes(CONTENT[:10])
    assert datasets.files.find("numbers") == (few,)
    datasets.fetch("numbers")
    assert datasets.files.find("numbers") == (few.with_name("numbers.bin"),)
    assert few.read_bytes() == CONTENT[:10]


def test_what_is_not_the_published_file_never_gets_its_name(cache: Path, mirror: tuple[str, Path]) -> None:
    (mirror[1] / "numbers.bin").write_bytes(b"an error page")
    with pytest.raises(DataError, match=r"numbers.bin gave another file than the published one") as caught:
        datasets.fetch("numbers")
    assert "\n" not in str(caught.value)
    assert not list((cache / "numbers").iterdir())


def test_no_network_is_one_line_with_the_remedy(cache: Path, mirror: tuple[str, Path]) -> None:
    (mirror[1] / "numbers.bin").unlink()
    with pytest.raises(DataError) as caught:
        datasets.fetch("numbers")
    assert str(caught.value) == (
        f"numbers was not fetched: {NOBODY}numbers.bin could not be reached (ConnectionError), "
        f"{mirror[0]}numbers.bin could not be reached (HTTPError); "
        f"get numbers.bin by other means and put it into {cache / 'numbers'}, "
        "or set LRSEARCH_DATA to the folder that holds it"
    )


def test_a_cache_that_cannot_be_made_is_one_line(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the folder belongs")
    with pytest.raises(DataError, match=r"numbers cannot be written \(Not a directory\)"):
        datasets.fetch("numbers")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="no data set called 'letters'; give one of numbers"):
        datasets.fetch("letters")


def test_progress_is_drawn_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    datasets.fetch("numbers", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "numbers.bin" in err
