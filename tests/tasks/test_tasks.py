"""Every task in the folder: it is valid, trains, and is the same for a seed whatever the learning rate."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lrsearch import Workload, load_task
from lrsearch.workload import indexed

Load = Callable[[str], ModuleType]
Train = Callable[..., Workload]

NAMES = (
    "digits_mlp",
    "fashion_mnist_cnn",
    "fashion_mnist_cnn_batch_sizes",
    "fashion_mnist_fc",
    "noisy_quadratic",
)


@pytest.fixture(params=NAMES)
def task_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name.startswith("fashion_mnist"):
        request.getfixturevalue("real_data")
    return name


@pytest.fixture
def make(task_name: str, tasks: Path, load: Load) -> Callable[[], Workload]:
    """Make the task's workload with the task's own arguments."""
    task = load_task(tasks / f"{task_name}.yaml")
    file, function = task.workload.split(":")
    call: Callable[..., Workload] = getattr(load(file.removesuffix(".py")), function)
    return lambda: call(**task.arguments)


def seeded(make: Callable[[], Workload], seed: int) -> Workload:
    torch.manual_seed(seed)
    return make()


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    return all(same(a, b) for a, b in zip(left, right, strict=True))


def test_every_task_of_the_folder_is_tested(tasks: Path) -> None:
    assert sorted(NAMES) == sorted(path.stem for path in tasks.glob("*.yaml"))


def test_the_file_is_named_as_the_task_and_decides_by_one_of_its_metrics(
    task_name: str, tasks: Path, make: Callable[[], Workload]
) -> None:
    task = load_task(tasks / f"{task_name}.yaml")
    assert task.name == task_name
    assert task.metric.name in make().evaluate(100)
    assert task.budget.iterations % task.budget.evaluate_every == 0


def test_a_seed_gives_the_same_weights_and_batches_again(make: Callable[[], Workload]) -> None:
    one, two, other = seeded(make, 1), seeded(make, 1), seeded(make, 2)
    batches, again = indexed(one.batches), indexed(two.batches)
    assert same(list(one.model.parameters()), list(two.model.parameters()))
    assert not same(list(one.model.parameters()), list(other.model.parameters()))
    for iteration in (0, 1, 5, 2000, 3):  # any order, as after a resume
        assert same(batches.batch(1, iteration), again.batch(1, iteration))
        assert not same(batches.batch(1, iteration), batches.batch(2, iteration))
    assert not same(batches.batch(1, 0), batches.batch(1, 1))


def test_thirty_iterations_lower_the_loss(make: Callable[[], Workload], train: Train) -> None:
    # Adam: plain SGD sits on the CNN's first plateau for some hundred iterations.
    before = seeded(make, 0).evaluate(1000)["train_loss"]
    trained = train(make, lr=3e-3, iterations=30, optimizer_class=torch.optim.Adam)
    after = trained.evaluate(1000)["train_loss"]
    assert after < 0.99 * before


def test_training_is_the_same_to_the_bit_again(make: Callable[[], Workload], train: Train) -> None:
    one, two = (train(make, lr=0.1, iterations=5, seed=3) for _ in range(2))
    assert same(list(one.model.parameters()), list(two.model.parameters()))
