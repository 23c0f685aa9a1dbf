"""The walk on recordings of other people: right from nearly all starts, on no cliff, and hardly dearer."""

import gzip
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

Load = Callable[[str], ModuleType]
STARTS = 101
BESIDE = Path(__file__).parents[4] / "shared" / "data"


def of_all(load: Load, evaluations: int | None, *methods: str) -> list[Any]:
    """What became of the paper's rule and some methods: how often right, trainings, iterations, and on a cliff."""
    path = Path(os.environ.get("LRSEARCH_DATA") or BESIDE) / "deepobs-curves.json.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    deepobs = load("deepobs")
    recordings = deepobs.deepobs(path, evaluations)
    assert len(recordings) == 12
    assert sum(1 for recording in recordings for _ in deepobs.starts_of(recording)) == STARTS
    return list(sum(deepobs.totals(recording, methods) for recording in recordings))


@pytest.mark.parametrize("evaluations", [None, 20, 8])
def test_it_holds_on_the_baselines_of_deepobs(load: Load, evaluations: int | None) -> None:
    papers, ours, patient = of_all(load, evaluations, "default", "patience 2")
    assert papers[0] < 0.9 * STARTS
    assert ours[0] >= 0.97 * STARTS
    assert ours[1] <= 1.05 * papers[1]
    assert ours[3] == 0
    assert patient[0] >= 0.99 * STARTS
    assert ours[1] < patient[1] <= 1.43 * papers[1]


@pytest.mark.parametrize("evaluations", [20, 8])
def test_a_race_is_as_safe_on_long_trainings_however_often_they_are_evaluated(
    load: Load, evaluations: int
) -> None:
    _, ours, race = of_all(load, evaluations, "default", "race")
    assert race[0] >= ours[0] - 2
    assert race[2] <= 0.98 * ours[2]


def test_each_rung_is_the_nearest_rate_and_ends_where_it_was_not_finite(load: Load, tmp_path: Path) -> None:
    rates = [10 ** (k / 5) for k in range(-10, 1)]

    def training(rate: float, seed: int) -> dict[str, object]:
        losses = [2.0, 1.0 + rate, None if rate > 0.5 else 0.5 + rate, 0.4]
        return {"lr": rate, "seed": seed, "iterations": 30, "train_losses": losses}

    trainings = [training(rate, 42) for rate in rates] + [training(0.1, 43)]
    path = tmp_path / "curves.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"valley/AdamOptimizer": trainings}).encode()))
    (recording,) = load("deepobs").deepobs(path)
    assert recording.name == "valley adam"
    assert recording.rungs.tolist() == [-4, -3, -2, -1, 0]
    assert recording.iterations.tolist() == [0, 10, 20, 30]
    assert recording.values[1, 0].tolist() == pytest.approx([2.0, 1 + 10**-1.6, 0.5 + 10**-1.6, 0.4])
    assert np.isnan(recording.diverged_at[3, 0])
    assert recording.diverged_at[4, 0] == 20
    assert all(math.isnan(value) for value in recording.values[4, 0, 2:])


def test_a_cliff_is_a_rung_above_one_that_diverged_or_died(load: Load, tmp_path: Path) -> None:
    curves = {
        1e-2: [3.0, 2.0, 1.8, 1.6, 1.5],
        3.16e-2: [3.0, 2.0, 1.6, 1.3, 1.0],
        1e-1: [3.0, 2.3, 2.3, 2.3, 2.3],
        3.16e-1: [3.0, 2.2, 2.2, 2.2, 2.2],
        1.0: [3.0, None, None, None, None],
        3.16: [3.0, 2.1, 2.1, 2.1, 2.1],
    }
    trainings = [{"lr": lr, "seed": 1, "iterations": 4, "train_losses": c} for lr, c in curves.items()]
    path = tmp_path / "curves.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"valley/SGD": trainings}).encode()))
    deepobs = load("deepobs")
    (recording,) = deepobs.deepobs(path)
    assert [deepobs.on_a_cliff(recording, rung) for rung in (None, -4, -3, -2, -1, 0, 1)] == [
        False, False, False, False, True, True, True
    ]  # fmt: skip
