"""A short version of the torture: a repetition or two of each row that no other test stands for, and the table."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).parents[3]
TORTURE = CHECKOUT / "benchmarks/torture"
BESIDE = CHECKOUT.parent / "shared/data"
TIMES = {
    "leftovers": 2,
    "two_drivers": 1,
    "misbehaving": 3,
    "kills_sqlite": 1,
    "kills_postgres": 1,
    "full_disk": 1,
    "resuming": 1,
    "boundaries": 2,
    "edited": 1,
    "signals": 1,
    "lost_node": 1,
}
"""Several writers, and kills and misbehaving trainings with Ray, have their tests in tests/cli and tests/contracts."""
LINE = {
    "row": "two_drivers",
    "seed": 0,
    "asked": 50,
    "date": "2026-01-01",
    "commit": "abc",
    "versions": {"ray": "1"},
    "seconds": 1.0,
}


def torture(*arguments: str, results: Path) -> "subprocess.CompletedProcess[str]":
    script = [sys.executable, str(TORTURE / "torture.py"), *arguments, "--results", str(results)]
    data = os.environ.get("LRSEARCH_DATA") or str(BESIDE)
    environment = os.environ | {"LRSEARCH_DATA": data, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(script, env=environment, capture_output=True, text=True)


def may_mount(folder: Path) -> bool:
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.parametrize(("row", "times"), TIMES.items())
def test_what_is_promised_holds(row: str, times: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if row == "kills_postgres":
        request.getfixturevalue("postgres_server")  # skips where there is none
    if row == "full_disk" and not may_mount(tmp_path):
        pytest.skip("file systems may not be mounted here")
    if row == "resuming" and not (Path(os.environ.get("LRSEARCH_DATA") or BESIDE)).is_dir():
        pytest.skip("the data sets are not here")
    results = tmp_path / "results.jsonl"
    done = torture(row, "--times", str(times), results=results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(results.read_text().splitlines()) == times


def test_called_again_it_does_what_is_not_done_yet(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    lines = [
        json.dumps(LINE | {"number": number, "counts": {"pairs": 25}, "wrong": [], "figures": {}})
        for number in (0, 1)
    ]
    results.write_text("\n".join([*lines, '{"row": "two_dri']))  # it was killed while it wrote
    assert torture("two_drivers", results=results).returncode == 0
    assert results.read_text().count("\n") == 2, "nothing was left to do"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(TORTURE)
    for name in ("rows", "table"):  # others have modules of these names too
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("table")


def test_the_table_says_what_was_done_and_what_was_wrong(table: ModuleType) -> None:
    row = sys.modules["rows"].Row("two_drivers", "one writer", "two at once", "pairs", 50, lambda _: None)
    result = sys.modules["rows"].Result
    results = [
        result(number=0, counts={"pairs": 7}, wrong=[], figures={"wait": 2.0}, **LINE),
        result(number=1, counts={"pairs": 1}, wrong=["both ran"], figures={"wait": 4.0}, **LINE),
    ]
    page = table.rendered(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", {"two_drivers": row}, results)
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert "8 of 50 pairs" in page
    assert "**1 wrong**: both ran" in page
    assert "wait: median 3, at most 4 s" in page
    assert "0; 2026-01-01; abc" in page


def test_a_page_without_marks_is_refused(table: ModuleType) -> None:
    with pytest.raises(ValueError, match="lacks"):
        table.rendered("no marks", {}, [])
