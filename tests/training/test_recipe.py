"""How a training goes beside its optimizer: clipped gradients, precision, checkpoints that take little time."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrsearch import Workload
from lrsearch.task import Task
from lrsearch.task.fingerprint import differences, identity_of
from lrsearch.task.model import Recipe
from lrsearch.training.checkpoint import load_checkpoint
from lrsearch.training.recipe import clip_gradient, set_precision
from lrsearch.training.replica import Replica
from lrsearch.training.train import train
from lrsearch.training.workloads import find_callable
from lrsearch.trial import Finished, SearchId, TrialSpec

MakeTask = Callable[..., Task]
SPEC = TrialSpec(SearchId("sgd", "lr"), 0, 0, {"lr": 0.1})

ONE_STEP = """
import torch
from torch import nn
from lrsearch import Workload

class Same:
    def batch(self, seed, iteration):
        return torch.ones(1, 2)

def make(kind):
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    def loss(model, batch):
        make.dtype = model(batch).dtype
        return (model(batch) * torch.tensor(3.0)).sum()
    return Workload(model=model, batches=Same(), loss=loss, metrics={"train_loss": loss_of})

def loss_of(model, examples):
    make.metric_dtype = model(torch.ones(1, 2)).dtype
    return 1.0
"""


def trained_weight(task: Task, folder: Path) -> torch.Tensor:
    replica = Replica(task, SPEC, folder / "checkpoint.pt")
    while replica.advance().outcome is None:
        pass
    replica.save()
    state = load_checkpoint(folder / "checkpoint.pt")
    assert state is not None
    weight: torch.Tensor = state["model"]["weight"]
    return weight


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6), st.floats(0.01, 100))
def test_a_gradient_is_scaled_down_to_its_norm_and_never_up(values: list[float], norm: float) -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = torch.tensor([value], dtype=torch.float64)
    clip_gradient(Recipe(gradient_clip=norm), parameters)
    before = math.hypot(*values)
    factor = min(1, norm / before) if before else 1
    clipped = [float(parameter.grad) for parameter in parameters if parameter.grad is not None]
    assert clipped == pytest.approx([value * factor for value in values], rel=1e-4, abs=1e-12)


def test_a_replica_steps_by_the_clipped_gradient(make_task: MakeTask, tmp_path: Path) -> None:
    one = ("iterations: 20, evaluate_every: 5", "iterations: 1, evaluate_every: 1")
    task = make_task(one, ("optimizers:", "recipe: {gradient_clip: 0.5}\noptimizers:"), workload=ONE_STEP)
    # The gradient is (3, 3), of norm 3 sqrt 2; SGD moves by 0.1 of a gradient of norm 0.5.
    assert trained_weight(task, tmp_path).norm().item() == pytest.approx(0.05, rel=1e-5)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_losses_and_metrics_are_taken_in_the_precision(
    make_task: MakeTask, tmp_path: Path, precision: str, dtype: torch.dtype
) -> None:
    task = make_task(("optimizers:", f"recipe: {{precision: {precision}}}\noptimizers:"), workload=ONE_STEP)
    assert isinstance(list(train(task, SPEC, tmp_path / "a.pt"))[-1].outcome, Finished)
    make = find_callable(task)
    assert (make.dtype, make.metric_dtype) == (dtype, dtype)  # type: ignore[attr-defined]


def test_weights_stay_in_single_precision(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(("optimizers:", "recipe: {precision: bf16}\noptimizers:"), workload=ONE_STEP)
    assert trained_weight(task, tmp_path).dtype == torch.float32


@pytest.mark.parametrize(
    ("precision", "products", "convolutions"),
    [("float32", "highest", False), ("tf32", "high", True), ("bf16", "highest", False)],
)
def test_tf32_is_used_when_asked_for_and_at_no_other_time(
    precision: str, products: str, convolutions: bool
) -> None:
    set_precision(precision)  # type: ignore[arg-type]
    found = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    set_precision("float32")
    assert found == (products, convolutions)


@pytest.mark.parametrize("recipe", ["gradient_clip: 0.25", "precision: bf16"])
def test_a_recipe_is_part_of_what_a_task_is(make_task: MakeTask, recipe: str) -> None:
    plain = identity_of(make_task())
    with_recipe = identity_of(make_task(("optimizers:", f"recipe: {{{recipe}}}\noptimizers:")))
    assert [*differences(plain, with_recipe)] == [f"recipe.{recipe.split(':')[0]}"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("saving", "saves"), [(0.125, 20), (1.0, 5), (5.0, 1)])
def test_a_checkpoint_that_takes_long_is_written_less_often(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saving: float, saves: int
) -> None:
    """Five iterations of a second each between evaluations; writing may take a twentieth of the time."""
    clock, saved = Clock(), []

    def train_slowly(self: Workload, batch: object) -> torch.Tensor:
        clock.now += 1
        return self.loss(self.model, batch)  # type: ignore[no-any-return]

    def save_slowly(path: Path, state: dict[str, object]) -> None:
        clock.now += saving
        saved.append(state["iteration"])

    monkeypatch.setattr("lrsearch.training.replica.CHECKPOINT_SECONDS", 5.0)
    monkeypatch.setattr("lrsearch.training.replica.CHECKPOINT_SHARE", 0.05)
    monkeypatch.setattr(Workload, "training_loss", train_slowly)
    monkeypatch.setattr("lrsearch.training.replica.save_checkpoint", save_slowly)
    replica = Replica(make_task(("iterations: 20", "iterations: 105")), SPEC, tmp_path / "slow.pt", clock)
    while replica.advance().outcome is None:
        pass
    assert len(saved) == saves
