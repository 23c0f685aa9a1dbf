"""How a training goes beside its optimizer: clipped gradients, precision, checkpoints that take little time."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
import yamlcore
from hypothesis import given
from hypothesis import strategies as st
from torch._dynamo.utils import counters

from lrsearch import Workload
from lrsearch.errors import TaskError
from lrsearch.report.export import to_yaml
from lrsearch.task import Task
from lrsearch.task.fingerprint import differences, identity_of
from lrsearch.task.model import ParameterGroup, Recipe, Schedule
from lrsearch.task.recipe import read_recipe, written
from lrsearch.training.checkpoint import load_checkpoint
from lrsearch.training.preflight import check_trains, measure_cost
from lrsearch.training.replica import Replica
from lrsearch.training.train import train
from lrsearch.training.update import clip_gradient, set_precision
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
    clip_gradient(norm, parameters)
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


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        ("schedule: CosineAnnealingLR", "schedule"),
        ("warmup: 3", "warmup"),
        ("accumulate: 2", "accumulate"),
        ("compile: true", "compile"),
        ('groups: [{match: "*.bias", weight_decay: 0}]', "groups"),
    ],
)
def test_what_came_later_is_part_of_it_where_it_is_given(
    make_task: MakeTask, recipe: str, field: str
) -> None:
    plain = identity_of(make_task())
    assert f"recipe.{field}" not in plain
    with_recipe = identity_of(make_task(("optimizers:", f"recipe: {{{recipe}}}\noptimizers:")))
    assert [*differences(plain, with_recipe)] == [f"recipe.{field}"]


RECIPES = st.builds(
    Recipe,
    gradient_clip=st.none() | st.floats(0.1, 10),
    precision=st.sampled_from(["float32", "tf32", "bf16"]),
    schedule=st.none()
    | st.builds(
        Schedule,
        st.sampled_from(["CosineAnnealingLR", "StepLR"]),
        st.dictionaries(
            st.sampled_from(["eta_min", "step_size", "gamma"]),
            st.integers(0, 9) | st.floats(0, 1).map(lambda share: {"times": share}),
        ),
    ),
    warmup=st.integers(0, 100) | st.floats(0.01, 0.99),
    accumulate=st.integers(1, 9),
    compile=st.booleans(),
    groups=st.lists(
        st.builds(
            ParameterGroup,
            st.sampled_from(["*.bias", "norm.*"]),
            st.sampled_from([1.0, 0.1]),
            st.dictionaries(st.just("weight_decay"), st.floats(0, 1)),
        )
    ).map(tuple),
)


@given(RECIPES)
def test_a_recipe_is_read_back_from_what_is_written(recipe: Recipe) -> None:
    assert read_recipe(json.loads(json.dumps(written(recipe)))) == recipe
    assert read_recipe(yaml.load(to_yaml(written(recipe)), yamlcore.CoreLoader)) == recipe


def test_the_usual_recipe_is_nothing_to_write() -> None:
    assert written(Recipe()) == {}


ACCUMULATED = """
import torch
from torch import nn
from lrsearch import Batches, Mean, Workload

def make(kind, batch_size):
    fixed = torch.Generator().manual_seed(0)
    x = torch.randn(24, 2, generator=fixed, dtype=torch.float64)
    y = x.sum(1, keepdim=True)
    loss = lambda model, batch: (model(batch[0]) - batch[1]).square().mean()
    batches = Batches(x, y, batch_size=batch_size)
    return Workload(
        model=nn.Linear(2, 1, bias=False).double(), batches=batches, loss=loss,
        metrics={"train_loss": Mean(loss, x, y, batch_size=8)},
    )
"""


@pytest.mark.parametrize("batches", [2, 3, 4])
def test_accumulated_batches_are_one_batch_of_their_size(
    make_task: MakeTask, tmp_path: Path, batches: int
) -> None:
    arguments = "arguments: {kind: tensors}", "arguments: {kind: tensors, batch_size: %d}"
    sgd = "sgd: {lr: {start: 0.1}}", "sgd: {lr: {start: 0.1}, momentum: 0.9}"
    recipe = ("optimizers:", f"recipe: {{accumulate: {batches}, gradient_clip: 0.5}}\noptimizers:")
    whole = ("optimizers:", "recipe: {gradient_clip: 0.5}\noptimizers:")
    many = make_task((arguments[0], arguments[1] % (12 // batches)), sgd, recipe, workload=ACCUMULATED)
    in_parts = trained_weight(many, tmp_path)
    one = make_task((arguments[0], arguments[1] % 12), sgd, whole, workload=ACCUMULATED)
    assert in_parts == pytest.approx(trained_weight(one, tmp_path), rel=1e-12)


def test_a_carried_state_moves_on_at_each_accumulated_batch(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(
        ("kind: tensors", "kind: carried"), ("optimizers:", "recipe: {accumulate: 3}\noptimizers:")
    )
    replica = Replica(task, SPEC, tmp_path / "a.pt")
    while replica.advance().outcome is None:
        pass
    replica.save()
    state = load_checkpoint(tmp_path / "a.pt")
    assert state is not None
    assert state["carried"][1]["n"] == 60


def test_each_group_trains_with_its_own_rate(make_task: MakeTask, tmp_path: Path) -> None:
    """The gradient is 3 for both weights, and stays so."""
    two = ONE_STEP.replace("model = nn.Linear(2, 1, bias=False)", "model = nn.Linear(2, 1)")
    two = two.replace("(model.weight)", "(model.weight); nn.init.zeros_(model.bias)")
    schedule = "{name: LinearLR, start_factor: 1, end_factor: 0}"
    recipe = f'recipe: {{groups: [{{match: "bias", lr_times: 0.5}}], schedule: {schedule}}}'
    task = make_task(("optimizers:", f"{recipe}\noptimizers:"), workload=two)
    assert trained_weight(task, tmp_path)[0, 0].item() == pytest.approx(-0.3 * 20 * 10.5 / 20)
    bias = load_checkpoint(tmp_path / "checkpoint.pt")["model"]["bias"]  # type: ignore[index]
    assert bias.item() == pytest.approx(-0.15 * 20 * 10.5 / 20)


def test_a_pattern_that_matches_nothing_is_one_line_at_its_place(make_task: MakeTask) -> None:
    task = make_task(("optimizers:", 'recipe: {groups: [{match: "*.bais", weight_decay: 0}]}\noptimizers:'))
    with pytest.raises(TaskError) as raised:
        check_trains(task)
    assert str(raised.value) == (
        'task.yaml:6:20 recipe.groups[0].match is "*.bais", which matches no parameter of the model; '
        "it has 0.bias, 1.bias, 4.bias and so on"
    )


@pytest.mark.parametrize(
    ("group", "line"),
    [
        (
            "weight_dcay: 0",
            "37 recipe.groups[0].weight_dcay is no argument of SGD (optimizers.sgd); did you mean weight_decay?",
        ),
        ("weight_decay: -1", "19 recipe.groups[0] Invalid weight_decay value: -1; mend its arguments"),
    ],
)
def test_what_an_optimizer_does_not_take_of_a_group_is_one_line(
    make_task: MakeTask, group: str, line: str
) -> None:
    task = make_task(("optimizers:", f'recipe: {{groups: [{{match: "*.bias", {group}}}]}}\noptimizers:'))
    with pytest.raises(TaskError) as raised:
        check_trains(task)
    assert str(raised.value) == f"task.yaml:6:{line}"


def test_the_cost_of_a_training_with_a_schedule_is_reckoned(make_task: MakeTask) -> None:
    task = make_task(("optimizers:", "recipe: {warmup: 19, schedule: CosineAnnealingLR}\noptimizers:"))
    assert measure_cost(task, task.entries["sgd"]) > 0


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


def test_a_compiled_model_trains_as_it_does_without_and_keeps_its_names(
    make_task: MakeTask, tmp_path: Path
) -> None:
    counters.clear()
    still = "arguments: {kind: tensors}", "arguments: {kind: tensors, dropout: 0}"
    states = []
    for recipe in ("{}", "{compile: true}"):
        replica = Replica(
            make_task(still, ("optimizers:", f"recipe: {recipe}\noptimizers:")), SPEC, tmp_path / "a"
        )
        while replica.advance().outcome is None:
            pass
        replica.save()
        state = load_checkpoint(tmp_path / "a")
        assert state is not None
        states.append(state["model"])
    assert counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], atol=1e-5), name


def test_a_model_that_cannot_be_compiled_is_one_line(make_task: MakeTask) -> None:
    """With a compiler that is not there, as where none was installed."""
    import torch._inductor.config as inductor

    # Not by monkeypatch, which takes settings away for good that were at their defaults.
    no_compiler = inductor.patch({"cpp.cxx": (None, "no-such-compiler"), "force_disable_caches": True})
    with no_compiler, pytest.raises(TaskError) as raised:
        check_trains(make_task(("optimizers:", "recipe: {compile: true}\noptimizers:")))
    assert str(raised.value).startswith(
        "task.yaml:6:10 recipe.compile is true, and the model cannot be compiled here ("
    )
    assert "\n" not in str(raised.value)
