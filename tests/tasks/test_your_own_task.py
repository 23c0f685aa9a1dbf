"""The guide for writing a task: each of its snippets runs, in its order, as a reader would copy it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsearch import Workload, load_task
from lrsearch.workload import indexed

GUIDE = Path(__file__).parents[2] / "docs" / "your-own-task.md"
Train = Callable[..., Workload]


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}[^\n]*\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """All that the guide's Python defines, run from first to last."""
    names: dict[str, Any] = {}
    for snippet in snippets("python"):
        exec(compile(snippet, str(GUIDE), "exec"), names)
    return names


def test_the_first_task_is_as_short_as_promised() -> None:
    assert len(snippets("python")[0].splitlines()) < 60
    assert len(snippets("yaml")[0].splitlines()) < 20


def test_the_yaml_names_the_python_above_it(tmp_path: Path, names: dict[str, Any]) -> None:
    (tmp_path / "spirals.yaml").write_text(snippets("yaml")[0])
    task = load_task(tmp_path / "spirals.yaml")
    assert task.workload == "spirals.py:mlp"
    assert task.metric.name in names["mlp"](**task.arguments).evaluate(None)


@pytest.mark.parametrize("function", ["mlp", "mlp_from_a_loader"])
def test_the_spirals_are_learned(names: dict[str, Any], train: Train, function: str) -> None:
    before = names[function]().evaluate(None)["train_loss"]
    trained = train(names[function], lr=1e-2, iterations=300, optimizer_class=torch.optim.Adam)
    assert trained.evaluate(None)["train_loss"] < 0.7 * before


def test_bytes_become_floats(names: dict[str, Any]) -> None:
    images, labels = names["batches"].batch(0, 0)
    assert (images.shape, images.dtype, labels.shape) == ((32, 1, 28, 28), torch.float32, (32,))


def test_fresh_points_are_the_same_for_a_seed_and_an_iteration(names: dict[str, Any]) -> None:
    batches = indexed(names["FreshPoints"]())
    assert torch.equal(batches.batch(1, 5)[0], batches.batch(1, 5)[0])
    assert not torch.equal(batches.batch(1, 5)[0], batches.batch(1, 6)[0])


def test_metrics_get_the_names_that_the_guide_says(names: dict[str, Any]) -> None:
    workload = names["mlp"]()
    workload.metrics = names["metrics"]
    assert sorted(workload.evaluate(None)) == ["test_accuracy", "test_loss", "weight_norm"]


def test_a_carried_state_is_carried(names: dict[str, Any]) -> None:
    torch.manual_seed(0)
    workload: Workload = names["echo"]()
    before = workload.evaluate(None)["train_loss"]
    optimizer = torch.optim.Adam(workload.model.parameters(), lr=1e-2)
    batches = indexed(workload.batches)
    for iteration in range(100):
        optimizer.zero_grad()
        loss, workload.carried = workload.loss(workload.model, batches.batch(0, iteration), workload.carried)
        loss.backward()
        optimizer.step()
    assert workload.evaluate(None)["train_loss"] < 0.9 * before
    assert not torch.equal(workload.carried, torch.zeros(1, 8, 16))


def test_images_are_augmented(names: dict[str, Any]) -> None:
    images, labels = names["augmented"].batch(0, 0)
    assert (images.shape, images.dtype, labels.shape) == ((32, 3, 32, 32), torch.float32, (32,))
    brighter = names["brighter"].batch(0, 0)[0]
    assert brighter.amax() > 1, "some are brighter than any was"


def test_the_language_model_learns_its_text(names: dict[str, Any], train: Train) -> None:
    before = names["language_model"]().evaluate(None)
    assert before.keys() == {"train_loss", "train_perplexity"}
    trained = train(names["language_model"], lr=1e-2, iterations=60, optimizer_class=torch.optim.Adam)
    assert trained.evaluate(None)["train_loss"] < 0.5 * before["train_loss"]
