"""What a comparison records of CProp's scales at its evaluations, and that the training does not notice."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrsearch import load_task
from lrsearch.comparing import load_comparison
from lrsearch.task import Task
from lrsearch.task.comparison import MEAN_SCALE, Comparison, bin_name, is_of_scales
from lrsearch.training.optimizers import stand_ins
from lrsearch.training.replica import Replica
from lrsearch.trial import Curve, SearchId, TrialSpec

TASK = Path(__file__).parents[2] / "tasks/noisy_quadratic.yaml"


@pytest.fixture
def comparison(tmp_path: Path) -> Task:
    path = tmp_path / "compare.yaml"
    path.write_text(
        f"name: scales\ntask: {TASK}\nbudget: {{iterations: 40, evaluate_every: 10}}\nhistogram: {{bins: 5}}\n"
        "optimizers: {sgd: {lr: 0.1}, cprop: {like: sgd, cprop: {beta: 0.9}}}\n"
    )
    return load_comparison(path, tmp_path)


def trained(task: Task, entry: str, folder: Path, until: int | None = None) -> tuple[Replica, Curve]:
    spec = TrialSpec(SearchId(entry, "lr"), 0, 0, stand_ins(task, task.entries[entry]))
    replica = Replica(task, spec, folder / "checkpoint.pt")
    while (progress := replica.advance()).outcome is None and replica.iteration != until:
        pass
    return replica, progress.curve


def test_the_recorded_scales_are_those_of_the_latest_step(comparison: Task, tmp_path: Path) -> None:
    replica, curve = trained(comparison, "cprop", tmp_path)
    counts = replica.optimizer.scale_histogram(5)
    last = curve[-1].metrics
    assert last[MEAN_SCALE] == replica.optimizer.mean_scale()
    assert [last[bin_name(i)] for i in range(5)] == pytest.approx((counts / counts.sum()).tolist(), abs=1e-4)


def test_every_evaluation_after_the_first_step_has_a_whole_histogram(
    comparison: Task, tmp_path: Path
) -> None:
    first, *others = trained(comparison, "cprop", tmp_path)[1]
    assert not any(map(is_of_scales, first.metrics))
    for evaluation in others:
        bins = [value for name, value in evaluation.metrics.items() if is_of_scales(name)][1:]
        assert len(bins) == 5
        assert sum(bins) == pytest.approx(1, abs=1e-3)


def test_a_bare_optimizer_has_no_scales(comparison: Task, tmp_path: Path) -> None:
    assert not any(is_of_scales(name) for e in trained(comparison, "sgd", tmp_path)[1] for name in e.metrics)


def test_a_search_records_no_scales(comparison: Task, tmp_path: Path) -> None:
    plain = replace(comparison, comparison=None)
    assert not any(is_of_scales(name) for e in trained(plain, "cprop", tmp_path)[1] for name in e.metrics)


def test_a_training_is_the_same_to_the_bit_as_one_of_a_search(comparison: Task, tmp_path: Path) -> None:
    task = replace(load_task(TASK), budget=comparison.budget, entries=comparison.entries)
    plain, _ = trained(task, "cprop", tmp_path / "search")
    recorded, _ = trained(comparison, "cprop", tmp_path / "comparison")
    for one, other in zip(
        plain.workload.model.parameters(), recorded.workload.model.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_scales_from_before_an_interruption_are_kept(comparison: Task, tmp_path: Path) -> None:
    whole = trained(comparison, "cprop", tmp_path / "whole")[1]
    (tmp_path / "cut").mkdir()
    replica, _ = trained(comparison, "cprop", tmp_path / "cut", until=20)
    replica.save()
    assert trained(comparison, "cprop", tmp_path / "cut")[1] == whole


@given(st.integers(1, 50), st.integers(2, 3000))
def test_logarithmic_spacing_keeps_two_an_octave_and_the_ends(every: int, count: int) -> None:
    comparison = Comparison(spacing="logarithmic")
    last = every * count
    kept = [i for i in range(1, count + 1) if comparison.keeps_histogram(i * every, every, last)]
    assert kept[0] == 1
    assert kept[-1] == count
    assert all(1.3 < after / before <= 2 for before, after in list(pairwise(kept))[:-1])


@given(st.integers(1, 50), st.integers(1, 100))
def test_even_spacing_keeps_all(every: int, count: int) -> None:
    assert all(Comparison().keeps_histogram(i * every, every, every * count) for i in range(1, count + 1))
