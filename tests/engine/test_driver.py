"""What a worker notices of its own machine: other packages, code, data and disks. Without Ray."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from lrsearch import datasets
from lrsearch.engine.driver import Driver, Workplace, driving, packages_here
from lrsearch.task import Task, parse_task
from lrsearch.task.fingerprint import code_of, identity_of, prepared, with_data

TASK = """
name: valley
workload: valley.py:make
arguments: {size: 3}
budget: {iterations: 20, evaluate_every: 5}
optimizers:
  sgd: {lr: {start: 0.1}}
"""
WORKLOAD = "import beside\n\n\ndef make(size):\n    return beside.made(size)\n"
BESIDE = "def made(size):\n    return size\n"
HERE = socket.gethostname()


def write(folder: Path) -> Task:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "valley.py").write_text(WORKLOAD)
    (folder / "beside.py").write_text(BESIDE)
    return parse_task(TASK, folder / "task.yaml")


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    """A driver called ``head`` that has sent its folder."""
    task = write(tmp_path / "sent")
    with ExitStack() as stack:
        checkpoints = tmp_path / "studies/valley/checkpoints"
        drives = stack.enter_context(driving(prepared(task), checkpoints, "run-1", tmp_path / "sent"))
        yield replace(drives, host="head")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as a worker got it, where its process is."""
    write(tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LRSEARCH_DATA", raising=False)
    return tmp_path / "copy"


def elsewhere(driver: Driver) -> Driver:
    """The driver as it is to a machine that does not share its disk."""
    return replace(driver, mark=".no-such-mark")


def test_a_worker_uses_its_copy_and_trains_the_same(driver: Driver, copy: Path) -> None:
    workplace = Workplace(driver)
    assert workplace.task.path == copy / "task.yaml"
    assert identity_of(workplace.task) == identity_of(driver.task)
    assert workplace.task.code == code_of(workplace.task)
    assert workplace.difference() is None


def test_where_nothing_is_sent_the_task_is_that_of_the_driver(driver: Driver, copy: Path) -> None:
    local = replace(driver, sent=None, packages={})
    assert Workplace(local).task is driver.task
    assert Workplace(local).checkpoints == driver.checkpoints / "run-1"
    assert Workplace(local).difference() is None


@pytest.mark.parametrize("package", ["lrsearch", "torch"])
def test_another_version_is_a_line_that_names_both(driver: Driver, copy: Path, package: str) -> None:
    older = replace(driver, packages={**driver.packages, package: "0.0.9"})
    assert Workplace(older).difference() == (
        f"{HERE} has {package} {packages_here()[package]}, and head has 0.0.9; install the same on both"
    )


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_other_code_is_a_line(driver: Driver, copy: Path, change: str) -> None:
    if change == "changed":
        (copy / "beside.py").write_text(BESIDE.replace("return size", "return 2 * size"))
    else:
        (copy / "beside.py").unlink()
    problem = Workplace(driver).difference()
    assert problem is not None
    assert problem.startswith(f"the workload's code on {HERE} is not that on head; ")


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_another_watched_file_is_a_line(tmp_path: Path, copy: Path, change: str) -> None:
    for folder in (tmp_path / "sent", copy):
        write(folder)
        (folder / "weights.txt").write_text("3")
    task = prepared(parse_task(f"{TASK}watch: [weights.txt]\n", tmp_path / "sent/task.yaml"))
    with driving(task, tmp_path / "checkpoints", "run-1", tmp_path / "sent") as driver:
        assert Workplace(driver).difference() is None
        if change == "changed":
            (copy / "weights.txt").write_text("4")
        else:
            (copy / "weights.txt").unlink()
        problem = Workplace(replace(driver, host="head")).difference()
    assert problem is not None
    if change == "changed":
        assert problem.startswith(f"weights.txt, which the task watches, on {HERE} is not that on head; ")
    else:
        assert "watch names weights.txt, and there is no such file" in problem


def test_a_comment_is_no_other_code(driver: Driver, copy: Path) -> None:
    (copy / "beside.py").write_text(f"# said\n{BESIDE}")
    assert Workplace(driver).difference() is None


def test_other_data_is_a_line(driver: Driver, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = datasets.Loaded("words", "words: 9 words", "0" * 64, "a" * 64, True)
    monkeypatch.setattr(datasets, "loaded", lambda: (read,))  # the sets themselves are not always there

    def that_read(summary: str, content: str) -> Driver:
        identity = with_data(identity_of(driver.task), [("words", summary, content)])
        return replace(driver, task=replace(driver.task, identity=identity))

    assert Workplace(that_read("words: 9 words", "a" * 64)).data_difference() is None
    problem = Workplace(that_read("words: 8 words", "b" * 64)).data_difference()
    assert problem == (
        f"{HERE} read words: 9 words [{'a' * 16}], and head words: 8 words [{'b' * 16}]; put the same files on both"
    )


def test_a_shared_disk_is_noticed(driver: Driver, copy: Path) -> None:
    workplace = Workplace(driver)
    assert workplace.shares_disk
    assert workplace.checkpoints == driver.checkpoints / "run-1"


def test_without_a_shared_disk_checkpoints_are_in_the_users_cache(
    driver: Driver, copy: Path, tmp_path: Path
) -> None:
    workplace = Workplace(elsewhere(driver))
    workplace.prepare()
    assert not workplace.shares_disk
    assert workplace.checkpoints.is_dir()
    assert workplace.checkpoints.is_relative_to(tmp_path / "cache")


def test_without_a_shared_disk_a_later_run_goes_on_from_the_checkpoints(driver: Driver, copy: Path) -> None:
    first = Workplace(elsewhere(driver))
    first.prepare()
    (first.checkpoints / "sgd-lr-7.pt").touch()
    later = Workplace(replace(elsewhere(driver), run="run-2"))
    later.prepare()
    assert [path.name for path in later.checkpoints.iterdir()] == ["sgd-lr-7.pt"]


def test_where_there_can_be_no_cache_they_are_in_a_temporary_folder(
    driver: Driver, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file, where a folder is to be")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert Workplace(elsewhere(driver)).checkpoints.is_relative_to(tmp_path)


def test_no_mark_stays_behind(tmp_path: Path) -> None:
    task = write(tmp_path)
    with driving(prepared(task), tmp_path / "checkpoints", "run-1", tmp_path):
        assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_machines_own_data_folder_counts(driver: Driver, copy: Path, monkeypatch) -> None:
    monkeypatch.setenv("LRSEARCH_DATA", "/its/own")
    Workplace(replace(driver, data_folder="/the/drivers"))
    assert os.environ["LRSEARCH_DATA"] == "/its/own"


def test_without_one_the_drivers_path_is_tried(driver: Driver, copy: Path, monkeypatch) -> None:
    monkeypatch.setenv("LRSEARCH_DATA", "to be removed at the end")
    monkeypatch.delenv("LRSEARCH_DATA")
    Workplace(replace(driver, data_folder="/the/drivers"))
    assert os.environ["LRSEARCH_DATA"] == "/the/drivers"


def test_a_message_has_the_paths_of_the_driver_and_the_machine(driver: Driver, copy: Path) -> None:
    message = Workplace(driver).at_the_driver(f"{copy}/valley.py:5 raised ValueError: x")
    assert message == f"on {HERE}: {driver.sent}/valley.py:5 raised ValueError: x"
