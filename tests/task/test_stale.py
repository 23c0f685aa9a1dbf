"""A module that was edited after it was imported is found; one that does the same is not."""

import importlib.util
import sys
from pathlib import Path

import pytest

from lrsearch.errors import UsageError
from lrsearch.task.stale import check_current

CODE = """\
import functools
from dataclasses import dataclass

@dataclass
class Net:
    width: int = 3
    @property
    def size(self): return self.width * 2
    @staticmethod
    def make(): return Net()

@functools.cache
def slow(): return 3

def train(trial):
    def step(): return 0.1
    return step()
"""


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose module is imported."""
    return imported_from(tmp_path / "stale_mine.py", CODE, monkeypatch)


def imported_from(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return path


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("0.1", "0.2", "train"), ("* 2", "* 3", "Net.size"), ("Net()", "Net(4)", "Net.make")],
)
def test_an_edited_function_is_named(imported: Path, old: str, new: str, named: str) -> None:
    imported.write_text(CODE.replace(old, new))
    with pytest.raises(
        UsageError, match=rf"stale_mine.py was changed .* {named} would train as it was; restart"
    ):
        check_current({imported: imported.read_bytes()})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("RATE = 0.1", "RATE = 0.2", "RATE is 0.1 here and 0.2 there"),
        ("A: int = 1", "A: int = 2", "A is 1 here and 2 there"),
    ],
)
def test_a_plain_value_that_was_edited_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, said: str
) -> None:
    path = imported_from(tmp_path / "stale_values.py", before, monkeypatch)
    with pytest.raises(UsageError, match=f"{said}; restart"):
        check_current({path: after.encode()})


@pytest.mark.parametrize("text", ["A = 1\nA = 2\n", "A = 1\ndef f():\n    global A\n    A = 2\nf()\n"])
def test_a_value_that_the_module_changes_itself_is_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = imported_from(tmp_path / "stale_values.py", text, monkeypatch)
    check_current({path: text.encode()})


@pytest.mark.parametrize(
    "text", [CODE, "# why\n\n" + CODE, CODE + "\ndef more(): return 5\n"], ids=["same", "comment", "more"]
)
def test_what_does_the_same_is_current(imported: Path, text: str) -> None:
    imported.write_text(text)
    check_current({imported: imported.read_bytes()})


def test_what_is_not_imported_is_current(tmp_path: Path) -> None:
    (tmp_path / "never.py").write_text(CODE)
    check_current({tmp_path / "never.py": CODE.encode()})
