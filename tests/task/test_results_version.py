"""What lrsearch and cprop compute is part of what a training is, and studies of the first version stay usable."""

from pathlib import Path

import pytest

import cprop.results
from lrsearch.task import Task, parse_task
from lrsearch.task import fingerprint as fingerprints
from lrsearch.task.fingerprint import differences, identity_of, of_entry

TASK = """
name: versions
workload: workload.py:make
budget: {iterations: 20, evaluate_every: 10}
optimizers:
  sgd: {lr: {start: 0.1}}
  cprop_sgd: {base: sgd, cprop: {c: 1}, lr: {start: 0.1}}
"""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return parse_task(TASK, tmp_path / "task.yaml")


def test_the_first_version_is_not_written(task: Task) -> None:
    assert (fingerprints.RESULTS_VERSION, cprop.results.RESULTS_VERSION) == (1, 1), "write this test anew"
    assert not [name for name in identity_of(task) if "version" in name]


def test_another_lrsearch_trains_every_entry_differently(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity_of(task)
    monkeypatch.setattr(fingerprints, "RESULTS_VERSION", 2)
    for entry in task.entries:
        changed = differences(of_entry(before, entry), of_entry(identity_of(task), entry))
        assert changed == {"lrsearch.results_version": "lrsearch.results_version was 1, is 2"}


def test_another_cprop_trains_only_what_it_wraps_differently(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identity_of(task)
    monkeypatch.setattr(cprop.results, "RESULTS_VERSION", 3)
    now = identity_of(task)
    assert differences(of_entry(before, "sgd"), of_entry(now, "sgd")) == {}
    field = "optimizers.cprop_sgd.cprop.results_version"
    assert differences(of_entry(before, "cprop_sgd"), of_entry(now, "cprop_sgd")) == {
        field: f"{field} was 1, is 3"
    }
