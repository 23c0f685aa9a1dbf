"""Schedules and warm-up: the rate of each iteration, kept ratios, and what does not fit a training."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, AdamW, lr_scheduler

from cprop import CProp
from lrsearch.errors import TaskError
from lrsearch.task import Task
from lrsearch.task.model import Recipe, Schedule
from lrsearch.training.optimizers import check_optimizers
from lrsearch.training.schedules import RecipeSchedule, schedule_class

MakeTask = Callable[..., Task]


def parameters(count: int = 1) -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(1)) for _ in range(count)]


def recipe(name: str | None = None, warmup: float = 0, **arguments: Any) -> Recipe:
    return Recipe(schedule=None if name is None else Schedule(name, arguments), warmup=warmup)


def values(
    of: Recipe, iterations: int, optimizer: torch.optim.Optimizer | None = None, key: str = "lr"
) -> list[list[Any]]:
    """What each group has of a number at each iteration."""
    optimizer = optimizer or SGD(parameters(), lr=0.3)
    schedule = RecipeSchedule(optimizer, of, iterations)
    found = []
    for _ in range(iterations):
        found.append([group[key] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return found


def rates(of: Recipe, iterations: int) -> list[float]:
    return [rate for (rate,) in values(of, iterations)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 12), st.integers(1, 40), st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_warm_up_and_cosine_are_their_closed_forms(warmup: int, after: int, share: float) -> None:
    found = rates(recipe("CosineAnnealingLR", warmup, eta_min={"times": share}), warmup + after)
    low = share * 0.3
    assert found == pytest.approx(
        [0.3 * (t + 1) / warmup for t in range(warmup)]
        + [low + (0.3 - low) * (1 + math.cos(math.pi * t / after)) / 2 for t in range(after)],
        rel=1e-9,
        abs=1e-12,
    )
    assert max(found) == 0.3


def test_a_warm_up_stands_alone() -> None:
    assert rates(recipe(warmup=3), 5) == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3])


def test_a_fraction_is_of_all_iterations_and_one_at_least() -> None:
    assert rates(recipe(warmup=0.25), 8)[:3] == pytest.approx([0.15, 0.3, 0.3])
    assert rates(recipe(warmup=0.001), 8) == [0.3] * 8


@pytest.mark.parametrize(
    ("name", "arguments", "own"),
    [
        ("CosineAnnealingLR", {}, {"T_max": 20}),
        ("CosineAnnealingLR", {"T_max": 5.0}, {"T_max": 5}),
        ("LinearLR", {"start_factor": 1, "end_factor": 0.1}, {"start_factor": 1, "end_factor": 0.1, "total_iters": 20}),
        ("PolynomialLR", {"power": 2}, {"power": 2, "total_iters": 20}),
        ("ExponentialLR", {"gamma": 0.9}, {"gamma": 0.9}),
        ("StepLR", {"step_size": 5.0}, {"step_size": 5}),
        ("MultiStepLR", {"milestones": [5.0, 15]}, {"milestones": [5, 15]}),
        ("CosineAnnealingWarmRestarts", {"T_0": 6}, {"T_0": 6}),
        ("OneCycleLR", {}, {"total_steps": 20, "max_lr": 0.3}),
        ("OneCycleLR", {"epochs": 5.0, "steps_per_epoch": 4}, {"epochs": 5, "steps_per_epoch": 4, "max_lr": 0.3}),
        ("CyclicLR", {"base_lr": {"times": 0.5}}, {"base_lr": 0.15, "max_lr": 0.3, "step_size_up": 10}),
        ("ConstantLR", {"total_iters": 4}, {"total_iters": 4}),
    ],
)  # fmt: skip
def test_it_is_what_torch_gives_to_the_bit(name: str, arguments: dict[str, Any], own: dict[str, Any]) -> None:
    plain = SGD(parameters(), lr=0.3, momentum=0.9)
    scheduler = getattr(lr_scheduler, name)(plain, **own)
    expected = []
    for _ in range(20):
        expected.append((plain.param_groups[0]["lr"], plain.param_groups[0]["momentum"]))
        plain.step()
        scheduler.step()
    found = []
    for key in ("lr", "momentum"):
        found.append([v for (v,) in values(recipe(name, **arguments), 20, SGD(parameters(), 0.3, 0.9), key)])
    assert list(zip(*found, strict=True)) == expected


def test_every_group_keeps_its_ratio() -> None:
    one, other, third = parameters(3)
    groups = [{"params": [one]}, {"params": [other], "lr": 0.1}, {"params": [third], "lr": 0.6}]
    found = values(recipe("CosineAnnealingLR", 4, eta_min=0.01), 30, SGD(groups, lr=0.3))
    assert all([b / a, c / a] == pytest.approx([1 / 3, 2]) for a, b, c in found)


def test_one_cycle_cycles_the_first_beta_and_leaves_the_second() -> None:
    found = values(recipe("OneCycleLR"), 10, AdamW(parameters(), lr=0.3, betas=(0.9, 0.98)), "betas")
    assert min(first for ((first, _),) in found) == pytest.approx(0.85)
    assert {second for ((_, second),) in found} == {0.98}


def test_it_sets_the_rate_inside_cprop() -> None:
    wrapped = CProp(SGD(parameters(), lr=0.3), beta=0.9)
    assert values(recipe("CosineAnnealingLR", 2), 10, wrapped) == values(recipe("CosineAnnealingLR", 2), 10)


def test_a_plateau_counts_evaluations_from_the_end_of_the_warm_up_on() -> None:
    optimizer = SGD(parameters(), lr=1.0)
    schedule = RecipeSchedule(optimizer, recipe("ReduceLROnPlateau", 4, patience=0, factor=0.5), 20)
    schedule.evaluated(0.0)  # iteration 0, and better than all that follow
    found = []
    for iteration in range(1, 13):
        optimizer.step()
        schedule.step()
        if iteration % 2 == 0:
            schedule.evaluated(5.0)
            found.append(optimizer.param_groups[0]["lr"])
    assert found == [0.75, 1.0, 0.5, 0.25, 0.125, 0.0625]


def test_a_plateau_goes_by_the_metrics_mode() -> None:
    optimizer = SGD(parameters(), lr=1.0)
    schedule = RecipeSchedule(optimizer, recipe("ReduceLROnPlateau", patience=0), 20, "max")
    for value in (0.1, 0.2, 0.3):
        optimizer.step()
        schedule.step()
        schedule.evaluated(value)
    assert optimizer.param_groups[0]["lr"] == 1.0


COSINE = "schedule: CosineAnnealingLR"
BAD = [
    (
        "schedule: CosineAnealingLR",
        "10 recipe.schedule is CosineAnealingLR, which torch.optim.lr_scheduler does not have; "
        "did you mean CosineAnnealingLR?",
    ),
    (
        "schedule: onecycle",
        "10 recipe.schedule is onecycle, which torch.optim.lr_scheduler does not have; did you mean OneCycleLR?",
    ),
    (
        "schedule: LambdaLR",
        "10 recipe.schedule LambdaLR takes a function, which no task file can hold; name one that takes numbers, "
        "such as CosineAnnealingLR",
    ),
    (
        "schedule: SequentialLR",
        "10 recipe.schedule SequentialLR takes other schedules; name one alone, with warmup: N before it",
    ),
    (
        "schedule: ChainedScheduler",
        "10 recipe.schedule ChainedScheduler takes other schedules; name one alone, with warmup: N before it",
    ),
    (
        "schedule: {name: CosineAnnealingLR, eta_mn: 0}",
        "46 recipe.schedule.eta_mn is no argument of CosineAnnealingLR; did you mean eta_min?",
    ),
    ("schedule: {name: OneCycleLR, max_lr: 1}", "39 recipe.schedule.max_lr is the entry's lr; leave it out"),
    ("schedule: {name: StepLR, last_epoch: 1}", "35 recipe.schedule.last_epoch is the replica's own; leave it out"),
    (
        "schedule: {name: ReduceLROnPlateau, mode: max}",
        "46 recipe.schedule.mode is metric.mode; leave it out",
    ),
    (
        "schedule: {name: StepLR, step_size: 5, gamma: {times: 0.1}}",
        "49 recipe.schedule.gamma is no learning rate, so it cannot be times the peak; give a number",
    ),
    ("schedule: StepLR", "10 recipe.schedule StepLR needs step_size; give {name: StepLR, step_size: ...}"),
    (
        "schedule: {name: StepLR, step_size: 100}",
        "35 recipe.schedule StepLR never changes the rate within the 20 iterations that it has; mend step_size",
    ),
    (
        "warmup: 10, schedule: {name: MultiStepLR, milestones: [10, 15]}",
        "52 recipe.schedule MultiStepLR never changes the rate within the 10 iterations that it has; "
        "mend milestones",
    ),
    (
        "schedule: {name: ReduceLROnPlateau, patience: 2}",
        "46 recipe.schedule ReduceLROnPlateau never changes the rate within the 20 iterations that it has; "
        "mend patience",
    ),
    (
        "schedule: {name: ExponentialLR, gamma: 1.1}",
        "10 recipe.schedule ExponentialLR raises the rate to 6.12 times lr by iteration 19, and lr is the peak; "
        "mend its arguments",
    ),
    (
        "schedule: {name: ConstantLR, total_iters: 20}",
        "39 recipe.schedule ConstantLR never changes the rate within the 20 iterations that it has; mend total_iters",
    ),
    (
        "schedule: {name: CyclicLR, base_lr: {times: 0.1}, step_size_up: 40}",
        "10 recipe.schedule CyclicLR comes to 0.527 of lr at most within the 20 iterations that it has, and lr is to "
        "be the peak; mend its arguments",
    ),
    ("warmup: 5, schedule: OneCycleLR",
     "10 recipe.schedule OneCycleLR begins at 0.04 of the peak, and recipe.warmup before it ends at the peak; "
        "leave the warmup out"),
    (
        "schedule: {name: CosineAnnealingLR, eta_min: 1e-3}",
        "46 recipe.schedule.eta_min is 0.001, and the lr of sgd may be as low as 1e-08; give {times: FACTOR} of the "
        "peak, or a higher lower limit in search.limits.lr",
    ),
    (
        "schedule: {name: CyclicLR, base_lr: 0, scale_fn: sin}",
        "49 recipe.schedule.scale_fn takes a function, which no task file can hold; leave it out",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("written", "line"), BAD, ids=[written for written, _ in BAD])
def test_what_does_not_fit_is_one_line_at_its_place(make_task: MakeTask, written: str, line: str) -> None:
    task = make_task(("optimizers:", f"recipe: {{{written}}}\noptimizers:"))
    with pytest.raises(TaskError) as raised:
        check_optimizers(task)
    assert str(raised.value) == f"task.yaml:6:{line}"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("{name: OneCycleLR, total_steps: 10}", "recipe.schedule goes no further than iteration 10 of 20"),
        ("{name: CosineAnnealingLR, T_max: 0}", "recipe.schedule"),
        ("{name: OneCycleLR, pct_start: 2}", "recipe.schedule OneCycleLR cannot be made: "),
        ("{name: ReduceLROnPlateau, factor: 2}", "recipe.schedule ReduceLROnPlateau cannot be made: "),
        ("{name: StepLR, step_size: five}", "recipe.schedule"),
        ("{name: StepLR, step_size: 0}", "recipe.schedule"),
    ],
)
def test_what_torch_refuses_is_one_line(make_task: MakeTask, written: str, why: str) -> None:
    task = make_task(("optimizers:", f"recipe: {{schedule: {written}}}\noptimizers:"))
    with pytest.raises(TaskError) as raised:
        check_optimizers(task)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["CosineAnnealingLR", "LinearLR", "ReduceLROnPlateau", "OneCycleLR"])
def test_a_class_is_found_by_its_name(name: str) -> None:
    assert schedule_class(name) is getattr(lr_scheduler, name)


def test_a_momentum_cannot_be_searched_while_the_schedule_sets_it(make_task: MakeTask) -> None:
    task = make_task(
        ("optimizers:", "recipe: {schedule: OneCycleLR}\noptimizers:"),
        ("{lr: {start: 0.1}}", "{lr: 0.1, momentum: {start: 0.9}}"),
    )
    with pytest.raises(TaskError, match=r"optimizers.sgd.momentum is searched, and OneCycleLR sets"):
        check_optimizers(task)


MOMENTUM_OF_A_GROUP = 'groups: [{match: "*.bias", momentum: 0.5}]'


@pytest.mark.parametrize("schedule", ["{name: OneCycleLR}", "{name: CyclicLR, base_lr: {times: 0.1}}"])
def test_a_group_has_no_momentum_of_its_own_while_the_schedule_sets_it(
    make_task: MakeTask, schedule: str
) -> None:
    task = make_task(
        ("optimizers:", f"recipe: {{schedule: {schedule}, {MOMENTUM_OF_A_GROUP}}}\noptimizers:"),
        ("{lr: {start: 0.1}}", "{lr: {start: 0.1}, momentum: 0.9}"),
    )
    with pytest.raises(TaskError, match=r"^\S+:\d+:\d+ recipe.groups\[0\].momentum is given, and \w+ sets"):
        check_optimizers(task)


def test_a_group_has_a_momentum_of_its_own_where_the_schedule_leaves_it(make_task: MakeTask) -> None:
    schedule = "{name: OneCycleLR, cycle_momentum: false}"
    check_optimizers(
        make_task(
            ("optimizers:", f"recipe: {{schedule: {schedule}, {MOMENTUM_OF_A_GROUP}}}\noptimizers:"),
            ("{lr: {start: 0.1}}", "{lr: {start: 0.1}, momentum: 0.9}"),
        )
    )


def test_an_absolute_rate_below_all_that_are_searched_is_fine(make_task: MakeTask) -> None:
    schedule = "recipe: {schedule: {name: CosineAnnealingLR, eta_min: 1e-3}}"
    check_optimizers(
        make_task(("optimizers:", f"{schedule}\nsearch: {{limits: {{lr: [1e-3, 1]}}}}\noptimizers:"))
    )
