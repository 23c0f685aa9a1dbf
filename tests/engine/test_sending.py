"""What is sent to a cluster."""

from pathlib import Path

import pytest

from lrsearch.engine.sending import LARGEST, folder_to_send, runtime_env
from lrsearch.errors import UsageError
from lrsearch.task import Task, parse_task

TASK = """
name: valley
workload: {}valley.py:make
budget: {{iterations: 20, evaluate_every: 5}}
optimizers:
  sgd: {{lr: {{start: 0.1}}}}
"""


def task_in(folder: Path, place: str = "") -> Task:
    folder.mkdir(parents=True, exist_ok=True)
    return parse_task(TASK.format(place), folder / "task.yaml")


def test_it_is_the_tasks_folder(tmp_path: Path) -> None:
    assert folder_to_send(task_in(tmp_path), None) == tmp_path


def test_python_outside_of_it_is_a_line_that_names_the_option(tmp_path: Path) -> None:
    task = task_in(tmp_path / "tasks", "../models/")
    with pytest.raises(UsageError, match=rf"{tmp_path}/models/valley.py lies outside of .*--working-dir"):
        folder_to_send(task, None)
    assert folder_to_send(task, tmp_path) == tmp_path


def test_a_folder_without_the_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match=r"task\.yaml lies outside of"):
        folder_to_send(task_in(tmp_path / "tasks"), tmp_path / "other")


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="check --working-dir"):
        folder_to_send(task_in(tmp_path), tmp_path / "nosuch")


def test_a_workload_of_a_package_need_not_be_in_it(tmp_path: Path) -> None:
    text = TASK.format("").replace("valley.py:make", "collections:Counter")
    assert folder_to_send(parse_task(text, tmp_path / "task.yaml"), None) == tmp_path


def test_studies_and_data_in_it_stay(tmp_path: Path) -> None:
    stays = [tmp_path / "studies", tmp_path / "sets/images", tmp_path, Path("/elsewhere")]
    excludes = runtime_env(tmp_path, stays)["excludes"]
    assert {"/studies", "/sets/images", ".git"} <= {*excludes}
    assert not any("elsewhere" in pattern for pattern in excludes)


def sparse(path: Path, size: int = LARGEST + 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def test_what_is_too_large_is_a_line_that_names_the_largest_file(tmp_path: Path) -> None:
    sparse(tmp_path / "weights/old.bin")
    with pytest.raises(UsageError, match=r"weights/old.bin alone has 512 MiB.*\.rayignore.*--working-dir"):
        runtime_env(tmp_path, [])


@pytest.mark.parametrize("where", ["studies/valley/x.bin", ".git/pack"])
def test_what_stays_does_not_count(tmp_path: Path, where: str) -> None:
    sparse(tmp_path / where)
    assert runtime_env(tmp_path, [tmp_path / "studies"])["working_dir"] == str(tmp_path)


def test_where_something_is_ignored_ray_decides(tmp_path: Path) -> None:
    sparse(tmp_path / "weights/old.bin")
    (tmp_path / ".rayignore").write_text("weights\n")
    assert runtime_env(tmp_path, [])["working_dir"] == str(tmp_path)
