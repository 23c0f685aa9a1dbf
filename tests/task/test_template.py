"""The first task that ``lrsearch init`` writes runs as it is."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
import torch

from lrsearch.cli.options import KindChoice
from lrsearch.errors import UsageError
from lrsearch.searches import hyperparameters_of
from lrsearch.task import Budget, load_task, write_template
from lrsearch.task.template import Kind
from lrsearch.training.preflight import check_trains
from lrsearch.training.train import train
from lrsearch.trial import Finished, TrialSpec
from lrsearch.workload import Workload, indexed


def test_it_is_a_task_that_names_the_workload_beside_it(tmp_path: Path) -> None:
    yaml_file, python_file = write_template(tmp_path / "new", "my-task.1")
    task = load_task(yaml_file)
    assert (task.name, task.workload) == ("my-task.1", "my-task.1.py:workload")
    assert python_file == task.folder / "my-task.1.py"
    assert "NAME" not in yaml_file.read_text() + python_file.read_text()


def test_its_workload_learns_and_has_the_metric_of_its_task(tmp_path: Path) -> None:
    yaml_file, python_file = write_template(tmp_path, "mine")
    task = load_task(yaml_file)
    torch.manual_seed(0)
    workload = load(python_file).workload(**task.arguments)
    assert isinstance(workload, Workload)
    batches, before = indexed(workload.batches), workload.evaluate(None)
    optimizer = torch.optim.Adam(workload.model.parameters(), lr=1e-2)
    for iteration in range(50):
        optimizer.zero_grad()
        workload.loss(workload.model, batches.batch(0, iteration)).backward()
        optimizer.step()
    after = workload.evaluate(None)
    assert set(after) == {task.metric.name, "test_loss", "test_accuracy"}
    assert after[task.metric.name] < 0.97 * before[task.metric.name]


def load(path: Path) -> ModuleType:
    """Import a Python file by its path."""
    spec = importlib.util.spec_from_file_location("template_workload", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_is_a_task_that_a_loop_or_workload_of_its_own_trains(kind: Kind, tmp_path: Path) -> None:
    yaml_file, _ = write_template(tmp_path, "mine", kind)
    task = replace(load_task(yaml_file), budget=Budget(4, 2), seeds=1)
    check_trains(task)
    (search, searched), *_ = task.searches().items()
    assert searched.start is not None
    numbers = hyperparameters_of(task, search.entry, {search: searched.start})
    *_, last = train(task, TrialSpec(search, 0, 0, numbers), tmp_path / "checkpoint.pt")
    assert isinstance(last.outcome, Finished)
    assert {"train_loss", "test_loss"} <= last.curve[-1].metrics.keys()


def test_the_command_line_offers_every_kind() -> None:
    assert [choice.value for choice in KindChoice] == list(get_args(Kind))


@pytest.mark.parametrize("there", ["mine.yaml", "mine.py"])
def test_it_overwrites_nothing(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("my own")
    with pytest.raises(UsageError) as raised:
        write_template(tmp_path, "mine")
    assert str(raised.value) == f"{tmp_path / there} exists already and is left as it is; choose another name"
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(there, "my own")]


@pytest.mark.parametrize("name", ["", "../mine", ".mine", "-mine", "my task", "a/b", "x" * 101, "mine\n"])
def test_it_takes_only_names_that_a_task_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a task"):
        write_template(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        write_template(tmp_path / "file" / "folder", "mine")
