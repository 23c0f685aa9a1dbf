"""Code is loaded as it was read when the run began, not as its files are by now, nor from another folder."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrsearch.task import Task, parse_task
from lrsearch.task.fingerprint import prepared
from lrsearch.training.workloads import find_callable

TASK = """
name: mine
loop: mine.py:value
budget: {iterations: 20, evaluate_every: 5}
optimizers: {sgd: {lr: {start: 0.1}}}
"""
CODE = """
import its_own


def value(trial):
    import its_late

    return its_own.V, its_late.V
"""


@pytest.fixture(autouse=True)
def path_as_it_was() -> Iterator[None]:
    before = sys.path[:]
    yield
    sys.path[:] = before


def write(folder: Path, value: int) -> Task:
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(CODE)
    for name in ("its_own", "its_late"):
        (folder / f"{name}.py").write_text(f"V = {value}\n")
    return parse_task(TASK, folder / "task.yaml")


def value(task: Task) -> tuple[int, int]:
    found: tuple[int, int] = find_callable(task)(None)
    return found


def test_what_was_read_is_loaded_whatever_becomes_of_the_files(tmp_path: Path) -> None:
    task = prepared(write(tmp_path, 1))
    write(tmp_path, 2)
    assert value(task) == (1, 1)


def test_another_run_loads_what_the_files_hold_then(tmp_path: Path) -> None:
    assert value(prepared(write(tmp_path, 1))) == (1, 1)
    assert value(prepared(write(tmp_path, 2))) == (2, 2)


def test_a_module_of_another_folder_is_not_taken_for_one_of_its_name(tmp_path: Path) -> None:
    first, second = prepared(write(tmp_path / "a", 1)), prepared(write(tmp_path / "b", 2))
    assert [value(task) for task in (first, second, first)] == [(1, 1), (2, 2), (1, 1)]


def test_it_is_loaded_once_in_a_run(tmp_path: Path) -> None:
    task = prepared(write(tmp_path, 1))
    assert find_callable(task) is find_callable(task)


def test_sources_that_are_asked_for_are_those_that_run(tmp_path: Path) -> None:
    task = prepared(write(tmp_path, 1))
    (tmp_path / "mine.py").write_text("def value(trial):\n    return 'other'\n")
    assert "its_own.V" in inspect.getsource(find_callable(task))


def test_a_link_to_the_file_imports_from_beside_the_file(tmp_path: Path) -> None:
    write(tmp_path / "there", 1)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/its_own.py").write_text("V = 3\n")
    (tmp_path / "here/mine.py").symlink_to(tmp_path / "there/mine.py")
    task = prepared(parse_task(TASK, tmp_path / "here/task.yaml"))
    assert value(task) == (1, 1)
    assert task.code is not None
    assert {path.parent.name for path in task.code.files} == {"there"}
