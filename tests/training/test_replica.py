"""One replica: paired seeds, evaluations that training does not notice, divergence, what each evaluation looks at."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest
import torch

from lrsearch.task import Task
from lrsearch.training.checkpoint import load_checkpoint
from lrsearch.training.progress import Progress
from lrsearch.training.replica import Replica
from lrsearch.training.train import train
from lrsearch.training.workloads import find_callable
from lrsearch.trial import Curve, Diverged, Failed, Finished, SearchId, TrialSpec

MakeTask = Callable[..., Task]

DIVERGING = """
import torch
from torch import nn
from lrsearch import Workload

class Counting:
    def batch(self, seed, iteration):
        return iteration

def make(kind, at=12, shape=()):
    model = nn.Linear(1, 1)
    def loss(model, iteration):
        value = model(torch.ones(1, 1)).square().sum()
        if kind == "loss" and iteration == at:
            value = value * float("nan")
        if kind == "weights" and iteration == at:
            with torch.no_grad():
                model.bias.fill_(float("inf"))
        return value.reshape(shape)
    def metric(model, examples):
        return float("inf") if kind == "metric" and model.weight.grad is not None else 1.0
    return Workload(model=model, batches=Counting(), loss=loss, metrics={"train_loss": metric})
"""


def spec(seed: int = 0, lr: float = 0.1, entry: str = "sgd") -> TrialSpec:
    return TrialSpec(SearchId(entry, "lr"), 0, seed, {"lr": lr})


def trained(task: Task, folder: Path, **what: object) -> Progress:
    return list(train(task, spec(**what), folder / "checkpoint.pt"))[-1]  # type: ignore[arg-type]


def weights_at_end(task: Task, folder: Path) -> dict[str, torch.Tensor]:
    replica = Replica(task, spec(), folder / "checkpoint.pt")
    while replica.advance().outcome is None:
        pass
    replica.save()
    state = load_checkpoint(folder / "checkpoint.pt")
    assert state is not None
    (folder / "checkpoint.pt").unlink()
    model: dict[str, torch.Tensor] = state["model"]
    return model


def values(curve: Curve) -> list[float]:
    return [e.value for e in curve]


# -- seeds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tensors", "loader"])
def test_a_seed_gives_the_same_start_and_the_same_data_at_every_rate_and_optimizer(
    make_task: MakeTask, kind: str, tmp_path: Path
) -> None:
    entries = "sgd: {lr: {start: 0.1}}\n  adam: {lr: {start: 0.1}}"
    # At a rate of next to nothing, the losses of training depend on initial weights and data alone.
    task = make_task(("kind: tensors", f"kind: {kind}"), ("sgd: {lr: {start: 0.1}}", entries))
    seen = {}
    for entry, lr in [("sgd", 1e-30), ("adam", 1e-30), ("sgd", 2e-30)]:
        replica = Replica(task, spec(lr=lr, entry=entry, seed=1), tmp_path / "a.pt")
        for _ in range(3):
            replica.advance()
        replica.save()
        state = load_checkpoint(tmp_path / "a.pt")
        assert state is not None
        (tmp_path / "a.pt").unlink()
        seen[entry, lr] = (float(state["loss_total"]), replica.curve[0])
    assert len({repr(value) for value in seen.values()}) == 1, seen


def test_seeds_differ_in_start_and_data(make_task: MakeTask, tmp_path: Path) -> None:
    ends = [trained(make_task(), tmp_path, seed=seed) for seed in range(4)]
    assert len({end.curve[0].value for end in ends}) == 4
    assert len({end.outcome for end in ends}) == 4


def test_a_training_is_the_same_to_the_bit_again(make_task: MakeTask, tmp_path: Path) -> None:
    one, two = (trained(make_task(), tmp_path, seed=5) for _ in range(2))
    assert (one.outcome, one.curve) == (two.outcome, two.curve)


# -- evaluations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tensors", "loader", "carried"])
def test_how_often_it_is_evaluated_does_not_change_the_training(
    make_task: MakeTask, kind: str, tmp_path: Path
) -> None:
    ends = [
        weights_at_end(make_task(("every: 5", f"every: {every}"), ("tensors", kind)), tmp_path)
        for every in (1, 7, 20)
    ]
    for end in ends[1:]:
        assert all(torch.equal(end[name], ends[0][name]) for name in end)


def test_evaluations_come_at_0_then_every_so_many_and_at_the_end(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(("evaluate_every: 5", "evaluate_every: 8"))
    progress = list(train(task, spec(), tmp_path / "a.pt"))
    assert [p.evaluation.iteration for p in progress if p.evaluation] == [0, 8, 16, 20]
    assert [p.outcome is None for p in progress] == [True, True, True, False]


def test_every_metric_is_kept(make_task: MakeTask, tmp_path: Path) -> None:
    end = trained(make_task(), tmp_path)
    assert {tuple(e.metrics) for e in end.curve} == {("train_loss", "noise")}
    assert all(e.value == e.metrics["train_loss"] for e in end.curve)


@pytest.mark.parametrize("window", [1, 3])
def test_the_value_is_the_mean_over_the_window(make_task: MakeTask, window: int, tmp_path: Path) -> None:
    end = trained(make_task(("arguments:", f"metric: {{window: {window}}}\narguments:")), tmp_path)
    assert end.outcome == Finished(fmean(values(end.curve)[-window:]))


def test_deciding_evaluations_look_at_examples_those_between_at_curve_examples(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task(("arguments:", "metric: {window: 2, examples: 40, curve_examples: 20}\narguments:"))
    asked = find_callable(task).__globals__["asked"]
    trained(task, tmp_path)
    assert asked == [40, 20, 20, 40, 40]


def test_iteration_0_is_evaluated_once_for_all_candidates_of_a_seed(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task()
    asked = find_callable(task).__globals__["asked"]
    first = trained(task, tmp_path, lr=0.1)
    evaluations = len(asked)
    second = trained(task, tmp_path, lr=0.01)
    assert len(asked) == 2 * evaluations - 1
    assert first.curve[0] == second.curve[0]


# -- divergence --------------------------------------------------------------------------------------------------------


def diverging(make_task: MakeTask, arguments: str) -> Task:
    return make_task(("{kind: tensors}", arguments), workload=DIVERGING)


@pytest.mark.parametrize("kind", ["loss", "weights"])
def test_divergence_is_noticed_at_the_next_evaluation_and_ends_there(
    make_task: MakeTask, kind: str, tmp_path: Path
) -> None:
    end = trained(diverging(make_task, f"{{kind: {kind}, at: 14}}"), tmp_path, lr=1e-3)
    assert end.outcome == Diverged(15)
    assert [e.iteration for e in end.curve] == [0, 5, 10]
    assert end.evaluation is None


def test_a_metric_that_is_not_finite_is_divergence(make_task: MakeTask, tmp_path: Path) -> None:
    end = trained(diverging(make_task, "{kind: metric}"), tmp_path, lr=1e-3)
    assert end.outcome == Diverged(5)
    assert all(math.isfinite(value) for value in values(end.curve))


def test_a_nan_in_the_last_iteration_counts(make_task: MakeTask, tmp_path: Path) -> None:
    end = trained(diverging(make_task, "{kind: loss, at: 19}"), tmp_path, lr=1e-3)
    assert end.outcome == Diverged(20)


def test_a_loss_of_one_element_is_a_number(make_task: MakeTask, tmp_path: Path) -> None:
    end = trained(diverging(make_task, "{kind: none, shape: [1]}"), tmp_path, lr=1e-3)
    assert isinstance(end.outcome, Finished)


# -- failure -----------------------------------------------------------------------------------------------------------


def test_a_metric_that_is_not_there_fails_with_its_place(make_task: MakeTask, tmp_path: Path) -> None:
    end = trained(make_task(("arguments:", "metric: {name: train_los}\narguments:")), tmp_path)
    assert isinstance(end.outcome, Failed)
    assert end.outcome.error.startswith("task.yaml:4:")
    assert "did you mean train_loss?" in end.outcome.error


def test_an_interrupt_passes_through(make_task: MakeTask, tmp_path: Path) -> None:
    workload = "def make(kind):\n    raise KeyboardInterrupt\n"
    with pytest.raises(KeyboardInterrupt):
        trained(make_task(workload=workload), tmp_path)


def test_a_checkpoint_that_cannot_be_written_is_said_and_changes_nothing(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrsearch.training.replica.CHECKPOINT_SECONDS", 0)
    (tmp_path / "file").touch()
    undisturbed = trained(make_task(), tmp_path)
    (*before, end) = train(make_task(), spec(), tmp_path / "file" / "a.pt")
    assert (end.outcome, end.curve) == (undisturbed.outcome, undisturbed.curve)
    (note,) = {note for progress in before for note in progress.notes}
    assert note.startswith("a checkpoint cannot be written (Not a directory): trainings go on without")
