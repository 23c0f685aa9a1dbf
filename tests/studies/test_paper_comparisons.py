"""The comparison files of the paper's figures: each loads, and compares what its figure shows."""

import json
import os
from pathlib import Path

import pytest
import yaml

from lrsearch.cli import main
from lrsearch.comparing import load_comparison
from lrsearch.task import Task
from lrsearch.training.optimizers import check_optimizers

FOLDER = Path(__file__).parents[2] / "studies/paper"
BESIDE = FOLDER.parents[2] / "shared/data"
"""Where the real data may lie beside a checkout."""
FILES = sorted(FOLDER.glob("*.yaml"))
BASES = ("sgd", "adam", "rmsprop")


def load(name: str) -> Task:
    return load_comparison(FOLDER / f"{name}.yaml", FOLDER.parent)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_loads_and_its_optimizers_can_be_made(path: Path) -> None:
    task = load(path.stem)
    assert task.name == path.stem
    assert task.seeds == 5
    assert check_optimizers(task) == []


def test_figure_2_sets_each_optimizer_against_its_cprop_variant() -> None:
    task = load("fig02_fc")
    assert task.comparison.pairs == {f"cprop_{base}": base for base in BASES}
    rates = {name: task.entries[name].hyperparameters["lr"].start for name in ("sgd", "adam", "rmsprop")}
    assert rates == {"sgd": 0.1, "adam": 1e-3, "rmsprop": 1e-3}  # figure 15


def test_figure_2_trains_each_base_at_the_rate_that_cprop_used() -> None:
    task = load("fig02_fc")
    assert task.comparison.controls == {f"cprop_{base}": f"cprop_{base}_control" for base in BASES}


def test_figure_8_records_histograms_of_scales() -> None:
    task = load("fig08_cnn")
    assert (task.comparison.bins, task.comparison.spacing) == (50, "even")
    assert task.entries["cprop_sgd"].hyperparameters["lr"].start == 0.3  # figure 16
    assert task.comparison.controls.keys() == {"cprop_sgd", "cprop_adam"}


def test_figure_11_varies_c_and_nothing_else() -> None:
    task = load("fig11_cnn")
    numbers = {name: dict(entry.hyperparameters) for name, entry in task.entries.items()}
    varied = [numbers[f"cprop_sgd{c}"] for c in ("", "_c3", "_c9", "_c27")]
    assert [values.pop("cprop.c", 1) for values in varied] == [1, 3, 9, 27]
    assert all(values == varied[0] for values in varied)
    assert {*task.comparison.pairs.values()} == {"sgd"}


def test_figure_13_has_the_alternatives_at_their_tuned_c() -> None:
    task = load("fig13_cnn")
    tuned = {
        name: (
            task.entries[name].options.get("cprop.measure", "normal"),
            task.entries[name].hyperparameters["cprop.c"],
        )
        for name in ("cprop", "relative_rate", "moment_rate")
    }
    assert tuned == {
        "cprop": ("normal", 1),
        "relative_rate": ("relative_rate", 27),
        "moment_rate": ("moment_rate", 27),
    }  # figure 14


def test_each_figure_from_2_to_14_has_a_file() -> None:
    assert {int(path.stem[3:5]) for path in FILES} == {*range(2, 15)}


def test_figure_9_scales_the_rate_of_sgd_with_the_batch_size() -> None:
    task = load("fig09_cnn_batch_sizes")
    rates = {size: task.entries[f"sgd_{size}"].hyperparameters["lr"].start for size in (4, 8, 16, 32, 64)}
    assert rates == {4: 0.0375, 8: 0.075, 16: 0.15, 32: 0.3, 64: 0.6}


def test_figure_12_drops_in_half_of_its_entries() -> None:
    task = load("fig12_cnn_dropout")
    dropped = [name for name in task.entries if task.arguments_of(name).get("dropout") == 0.3]
    assert [name for name in dropped if "control" not in name] == [
        name for name in task.entries if name.endswith("_dropout")
    ]
    assert task.comparison.pairs["cprop_sgd_dropout"] == "sgd_dropout"


PUBLISHED = {
    "fig03_cifar100_vgg": {"sgd": 0.01, "adam": 1e-4, "rmsprop": 1e-4},
    "fig04_cifar100_resnet": {"sgd": 0.03, "adam": 1e-4, "rmsprop": 1e-4},
    "fig05_tiny_imagenet_vgg": {"sgd": 0.01, "adam": 3e-5},
    "fig06_tiny_imagenet_resnet": {"sgd": 0.01, "adam": 1e-4},
    "fig07_penn_treebank": {"sgd": 30, "adam": 1e-3},
    "fig07_penn_treebank_dropout": {"sgd": 30, "adam": 3e-3},
}
"""Figures 17 to 21."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_cprop_takes_the_published_rate_of_what_it_wraps(name: str) -> None:
    task = load(name)
    rates = {entry: task.entries[entry].hyperparameters["lr"].start for entry in task.comparison.pairs}
    assert rates == {f"cprop_{base}": rate for base, rate in PUBLISHED[name].items()}


ITERATIONS = 2
SMALL = {
    "cifar100": {"width": 0.25, "batch_size": 4},
    "tiny_imagenet": {"width": 0.1, "batch_size": 2},
    "penn_treebank": {"batch_size": 4, "length": 5},
}
"""Arguments by which the large networks are tried in seconds."""


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_runs_shortened(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair of its entries, one seed, two iterations, on few examples of the real data."""
    if not os.environ.get("LRSEARCH_DATA"):
        monkeypatch.setenv("LRSEARCH_DATA", str(BESIDE))
    content = yaml.safe_load(path.read_text())
    bare, *variants = content["optimizers"]
    pair = {name: content["optimizers"][name] for name in (bare, variants[0])}
    if small := next((of for name, of in SMALL.items() if name in path.stem), None):
        pair = {name: {**entry, "arguments": small} for name, entry in pair.items()}
    examples = 280 if "penn_treebank" in path.stem else 16
    content |= {
        "task": str(FOLDER / content["task"]),
        "seeds": 1,
        "control": False,
        "metric": {"examples": examples, "curve_examples": examples},
        "optimizers": pair,
    }
    content |= {"rates": str(FOLDER / content["rates"])} if "rates" in content else {}
    (tmp_path / "few.yaml").write_text(json.dumps(content, indent=1))  # JSON is YAML
    scale = ITERATIONS / content["budget"]["iterations"]
    arguments = ("--scale", f"{scale:.10g}", "--engine", "inline", "--studies", str(tmp_path / "studies"))
    status = main(["compare", str(tmp_path / "few.yaml"), *arguments])
    said = capfd.readouterr().err
    if status == 2 and "LRSEARCH_DATA" in said:
        pytest.skip(said.strip())
    assert status == 0, said
    folder = tmp_path / "studies" / f"{path.stem}_at_{scale:g}"
    found = yaml.safe_load((folder / "comparison.yaml").read_text())
    assert found["scale"] == pytest.approx(scale)
    assert all(entry["ends"]["train_loss"][0] > 0 for entry in found["entries"].values())
    assert "of the file&#x27;s length" in (folder / "report.html").read_text()
