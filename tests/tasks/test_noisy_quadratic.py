"""The noisy quadratic: its theory, derived in the file's docstring, against simulation and by hand."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from types import ModuleType

import pytest
import torch

from lrsearch import Workload, load_task

Load = Callable[[str], ModuleType]
Train = Callable[..., Workload]


@pytest.mark.parametrize("lr", [0.01, 0.1, 1.0])
def test_theory_and_simulation_agree(load: Load, train: Train, lr: float) -> None:
    module = load("noisy_quadratic")
    # 20 x 400 coordinates: the mean of so many squares is within a few per cent of its expectation.
    losses = [
        train(module.noisy_quadratic, lr, iterations=100, seed=seed).evaluate(None)["train_loss"]
        for seed in range(20)
    ]
    assert fmean(losses) == pytest.approx(module.expected_loss(lr, 100), rel=0.05), "seeds 0 to 19"


def test_one_update_by_hand(load: Load) -> None:
    # h = 1 and 1/4 from E x^2 = 1, lr 1, noise 2: E x^2 becomes 0 + 4 and 9/16 + 4.
    expected = (1 * 4 + 1 / 4 * (9 / 16 + 4)) / 2
    assert load("noisy_quadratic").expected_loss(1, 1, dimensions=2, condition=4, noise=2) == pytest.approx(
        expected
    )


def test_without_an_update_only_the_start_counts(load: Load) -> None:
    expected = (1 + 1 / 4) / 2
    assert load("noisy_quadratic").expected_loss(0.1, 0, dimensions=2, condition=4) == pytest.approx(expected)


def test_many_updates_reach_the_noise_floor(load: Load) -> None:
    # The fixed point of v = (1 - lr h)^2 v + lr^2 noise^2 is v = lr noise^2 / (h (2 - lr h)).
    expected = sum(0.1 * 4 / (2 - 0.1 * h) for h in (1, 1 / 4)) / 2
    assert load("noisy_quadratic").expected_loss(0.1, 5000, 2, 4, noise=2) == pytest.approx(expected)


def test_the_gradient_is_the_curvature_times_x_plus_the_noise(load: Load) -> None:
    workload: Workload = load("noisy_quadratic").noisy_quadratic(dimensions=3, condition=4)
    noise = torch.tensor([1.0, -2.0, 3.0])
    workload.loss(workload.model, noise).backward()
    x = workload.model.x
    assert torch.allclose(x.grad, torch.tensor([1, 0.5, 0.25]) * x + noise)  # type: ignore[arg-type,operator]


def test_the_task_has_one_clear_answer(load: Load, tasks: Path) -> None:
    task = load_task(tasks / "noisy_quadratic.yaml")
    module = load("noisy_quadratic")
    losses = {
        lr: module.expected_loss(lr, task.budget.iterations, **task.arguments)
        for lr in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    }
    best, second = sorted(losses, key=losses.__getitem__)[:2]
    assert best == 0.1
    assert losses[second] > 1.5 * losses[best]
