"""On what data a run was made: said in its summary, and part of what its study is."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[1] / "datasets"))

from small_sets import cifar100_archive, cifar100_parts

SHARED = Path(os.environ.get("LRSEARCH_DATA") or Path(__file__).parents[3] / "shared" / "data")
WORKLOAD = """\
import torch
from torch import nn
from lrsearch import Batches, Mean, Workload, datasets

def linear():
    data = datasets.cifar100()
    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])
    tensors = data.train_images[:, :, 0, 0] / 255, data.train_labels
    batches = Batches(*tensors, batch_size=20)
    return Workload(nn.Linear(3, 100), batches, loss, {"train_loss": Mean(loss, *tensors)})
"""
TASK = """\
name: colours
workload: colours.py:linear
budget: {iterations: 4, evaluate_every: 2}
seeds: 1
search: {limits: {lr: [0.1, 0.3]}}
optimizers:
  sgd: {lr: {start: 0.1}}
"""

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def archive() -> Path:
    path = SHARED / "cifar-100-python.tar.gz"
    if not path.is_file():
        pytest.skip(f"no CIFAR-100 in {SHARED}: set LRSEARCH_DATA to its folder")
    return path


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Path) -> Iterator[Path]:
    """The task, and data of 200 + 100 real images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LRSEARCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("lrsearch.datasets.reading._read", {})
    (tmp_path / "colours.py").write_text(WORKLOAD)
    (tmp_path / "colours.yaml").write_text(TASK)
    put_data(tmp_path, archive, images=200)
    yield tmp_path
    sys.modules.pop("lrsearch_workload_colours", None)


def put_data(folder: Path, archive: Path, images: int) -> None:
    parts = cifar100_parts(archive)
    parts["train"] = {key: values[:images] for key, values in parts["train"].items()}
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "cifar-100-python.tar.gz").write_bytes(cifar100_archive(parts))


def test_a_subset_is_named_in_the_chosen_values(task: Path, cli: Cli) -> None:
    status, _, err = cli("run", "colours.yaml", "--engine", "inline")
    assert status == 0, err
    made_with = yaml.safe_load((task / "studies/colours/chosen.yaml").read_text())["made_with"]
    assert made_with["data"] == "cifar100: 200 of 50,000 training and 100 of 10,000 test images (a subset)"


def test_an_export_from_the_record_alone_names_it_too(task: Path, cli: Cli) -> None:
    cli("run", "colours.yaml", "--engine", "inline")
    (task / "data" / "cifar-100-python.tar.gz").unlink()
    status, out, _ = cli("export", "colours")
    assert status == 0
    assert "(a subset)" in yaml.safe_load(out)["made_with"]["data"]


def test_other_data_is_not_mixed_into_a_study(
    task: Path, cli: Cli, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("run", "colours.yaml", "--engine", "inline")
    put_data(task, archive, images=150)
    monkeypatch.setattr("lrsearch.datasets.reading._read", {})
    (task / "colours.yaml").write_text(TASK.replace("seeds: 1", "seeds: 2"))
    status, _, err = cli("run", "colours.yaml", "--engine", "inline")
    assert status == 2
    assert 'data.cifar100 was "cifar100: 200 of 50,000' in err
    assert 'is "cifar100: 150 of 50,000' in err
