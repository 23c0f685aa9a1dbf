"""The comparison files of the paper's figures: each loads, and compares what its figure shows."""

from pathlib import Path

import pytest

from lrsearch.comparing import load_comparison
from lrsearch.task import Task
from lrsearch.training.optimizers import check_optimizers

FOLDER = Path(__file__).parents[2] / "studies/paper"
FILES = sorted(FOLDER.glob("*.yaml"))
BASES = ("sgd", "adam", "rmsprop", "amsgrad", "adabound")


def load(name: str) -> Task:
    return load_comparison(FOLDER / f"{name}.yaml", FOLDER.parent)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_loads_and_its_optimizers_can_be_made(path: Path) -> None:
    task = load(path.stem)
    assert task.name == path.stem
    assert task.seeds == 3  # as all of the paper's figures
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
    assert task.comparison.controls == {}


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
