"""Recording the noisy quadratic's table, whose losses are known; and the tables that are in the repository."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsearch.ladder import LR

REPLAY = Path(__file__).parents[3] / "benchmarks/replay"
TABLES = sorted((REPLAY / "tables").glob("*.npz"))
Table = Mapping[str, Any]


def record(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, REPLAY / "record.py", "noisy_quadratic", "--seeds", "1", "--workers", "1"]
    return subprocess.run(
        [*command, "--work", folder, "--tables", folder, *options], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    done = record(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_recording_again_gives_the_same_numbers(recorded: Path) -> None:
    new, kept = np.load(recorded / "noisy_quadratic.npz"), np.load(REPLAY / "tables/noisy_quadratic.npz")
    # Other processors and versions of torch add in another order.
    np.testing.assert_allclose(new["value"][:, :, 0], kept["value"][:, :, 0], rtol=1e-3)


def test_what_is_recorded_is_not_trained_again(recorded: Path) -> None:
    assert (
        record(recorded).stdout == f"{recorded / 'noisy_quadratic.npz'}: 1 of 1 seeds, {_kb(recorded)} kB\n"
    )


def test_only_whole_seeds_are_exported(recorded: Path) -> None:
    # Seed 1 has no results.
    assert f": 1 of 2 seeds, {_kb(recorded)} kB" in record(recorded, "--export", "--seeds", "2").stdout


def test_nothing_is_exported_from_nothing(tmp_path: Path) -> None:
    assert (
        record(tmp_path, "--export").stdout
        == "no seed of noisy_quadratic is whole yet; nothing was written\n"
    )


def test_results_of_another_torch_are_not_added_to(tmp_path: Path, recorded: Path) -> None:
    file = "noisy_quadratic.db"
    with sqlite3.connect(recorded / file) as here, sqlite3.connect(tmp_path / file) as there:
        here.backup(there)
        there.execute(
            "UPDATE results SET result = json_set(result, '$.torch', '1.0') WHERE job = 'provenance'"
        )
    done = record(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "holds results made with torch 1.0, here is" in done.stderr


@pytest.fixture(params=TABLES, ids=lambda path: path.stem)
def table(request: pytest.FixtureRequest) -> Table:
    return np.load(request.param)


def test_learning_rates_are_the_ladders_decimals(table: Table) -> None:
    expected = [[LR.value(int(rung)) for rung in rungs] for rungs in table["rungs"]]
    assert table["learning_rates"].tolist() == expected


def test_every_training_either_finished_or_diverged(table: Table) -> None:
    assert (np.isfinite(table["value"]) ^ np.isfinite(table["diverged_at"])).all()


def test_what_decides_is_the_last_evaluation(table: Table) -> None:
    np.testing.assert_array_equal(table["value"], table["train_loss"][..., -1])


def test_a_curve_ends_where_divergence_was_noticed(table: Table) -> None:
    noticed = np.where(np.isnan(table["diverged_at"]), np.inf, table["diverged_at"])
    before = table["iterations"] < noticed[..., None]
    np.testing.assert_array_equal(np.isfinite(table["train_loss"]), before)


def test_a_seed_starts_alike_at_every_rung(table: Table) -> None:
    initial = table["train_loss"][..., 0]
    np.testing.assert_array_equal(initial, np.broadcast_to(initial[:1, :1], initial.shape))


def test_the_best_rung_is_inside_the_ladder(table: Table) -> None:
    means = table["value"].mean(axis=-1)  # NaN where a seed diverged
    assert all(4 <= best <= means.shape[1] - 5 for best in np.nanargmin(means, axis=1)), means


def test_range_tests_rise_from_the_lowest_rate(table: Table) -> None:
    rates = table["range_test_lr"]
    assert rates.shape[-1] == 100
    assert (rates[..., 0] == 1e-7).all()
    np.testing.assert_array_equal(np.isfinite(rates), np.isfinite(table["range_test_loss"]))


def test_provenance_says_what_it_was_made_with(table: Table) -> None:
    provenance = json.loads(str(table["provenance"]))
    assert {"task", "code", "torch", "python", "threads", "began"} <= provenance.keys()


def test_the_quadratics_means_are_as_computed() -> None:
    table = np.load(REPLAY / "tables/noisy_quadratic.npz")
    learned = np.isfinite(table["value"]).all(axis=-1)
    means, spreads = table["value"][learned].mean(axis=-1), table["value"][learned].std(axis=-1, ddof=1)
    error = np.abs(means - table["expected_loss"][learned]) / (spreads / np.sqrt(len(table["seeds"])))
    assert (error < 4).all(), error


def _kb(folder: Path) -> str:
    return f"{(folder / 'noisy_quadratic.npz').stat().st_size / 1000:.0f}"
