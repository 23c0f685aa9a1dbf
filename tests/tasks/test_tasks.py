"""Every task in the folder: it is valid, trains, resumes, and is the same for a seed whatever the learning rate.

The larger networks are made narrow and their batches small: the same code, in seconds.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lrsearch import Workload, load_task
from lrsearch.plan import plan
from lrsearch.task import Task
from lrsearch.task.model import Budget
from lrsearch.training.checkpoint import load_checkpoint
from lrsearch.training.optimizers import check_optimizers, stand_ins
from lrsearch.training.replica import Replica
from lrsearch.trial import Finished, SearchId, TrialSpec
from lrsearch.workload import indexed

Load = Callable[[str], ModuleType]
Train = Callable[..., Workload]

NARROW_CNN = {"width": 0.125, "batch_size": 8}
SMALL_LSTM = {"width": 0.1, "batch_size": 4, "length": 20}
SMALL: dict[str, dict[str, Any]] = {
    "cifar100_resnet18": NARROW_CNN,
    "cifar100_vgg11": NARROW_CNN,
    "digits_mlp": {},
    "fashion_mnist_cnn": {},
    "fashion_mnist_cnn_batch_sizes": {},
    "fashion_mnist_cprop": {},
    "fashion_mnist_cprop_beta": {},
    "fashion_mnist_fc": {},
    "noisy_quadratic": {},
    "penn_treebank_awd_lstm": SMALL_LSTM,
    "penn_treebank_awd_lstm_no_dropout": SMALL_LSTM,
    "tiny_imagenet_resnet50": {"width": 0.02, "batch_size": 2},
    "tiny_imagenet_vgg16": {"width": 0.0625, "batch_size": 4},
}
"""The tasks, and arguments over their own that make them cheap."""

# arXiv:1912.11493, figures 15 to 22; tests/report hold the file that `lrsearch paper` reads to the same numbers.
PUBLISHED = {
    "fashion_mnist_fc": {"sgd": 0.1, "adam": 1e-3, "rmsprop": 1e-3},
    "fashion_mnist_cnn": {"sgd": 0.3, "adam": 3e-3, "rmsprop": 3e-3},
    "cifar100_vgg11": {"sgd": 0.01, "adam": 1e-4, "rmsprop": 1e-4},
    "cifar100_resnet18": {"sgd": 0.03, "adam": 1e-4, "rmsprop": 1e-4},
    "tiny_imagenet_vgg16": {"sgd": 0.01, "adam": 3e-5},
    "tiny_imagenet_resnet50": {"sgd": 0.01, "adam": 1e-4},
    "penn_treebank_awd_lstm": {"sgd": 30, "adam": 3e-3},
    "penn_treebank_awd_lstm_no_dropout": {"sgd": 30, "adam": 1e-3},
    "fashion_mnist_cnn_batch_sizes": {
        **{"adam_4": 1e-3, "adam_8": 1e-3, "adam_16": 3e-3, "adam_32": 3e-3, "adam_64": 3e-3},
    },
}


@pytest.fixture(params=SMALL)
def task(request: pytest.FixtureRequest, tasks: Path, need: Callable[[str], Path]) -> Task:
    """The task as it is in the folder, but for what makes it cheap."""
    name: str = request.param
    for data_set in ("fashion_mnist", "cifar100", "tiny_imagenet", "penn_treebank"):
        if name.startswith(data_set):
            need(data_set)
    task = load_task(tasks / f"{name}.yaml")
    return replace(
        task,
        arguments={**task.arguments, **SMALL[name]},
        metric=replace(task.metric, examples=40, curve_examples=20),
    )


@pytest.fixture
def make(task: Task, load: Load) -> Callable[[], Workload]:
    """Make the task's workload."""
    file, function = task.workload.split(":")
    call: Callable[..., Workload] = getattr(load(file.removesuffix(".py")), function)
    return lambda: call(**task.arguments)


def seeded(make: Callable[[], Workload], seed: int) -> Workload:
    torch.manual_seed(seed)
    return make()


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return all(same(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def replica_of(task: Task, entry: str, checkpoint: Path) -> Replica:
    spec = TrialSpec(SearchId(entry, "lr"), 0, 1, stand_ins(task, task.entries[entry]))
    return Replica(task, spec, checkpoint)


def test_every_task_of_the_folder_is_tested(tasks: Path) -> None:
    assert sorted(SMALL) == sorted(path.stem for path in tasks.glob("*.yaml"))


@pytest.mark.parametrize("name", SMALL)
def test_the_file_is_valid_and_named_as_the_task(name: str, tasks: Path) -> None:
    task = load_task(tasks / f"{name}.yaml")
    check_optimizers(task)
    assert task.name == name
    assert task.budget.iterations % task.budget.evaluate_every == 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_papers_tasks_search_as_the_paper_did(name: str, tasks: Path) -> None:
    task = load_task(tasks / f"{name}.yaml")
    assert (task.budget, task.seeds) == (Budget(5000, 250), 3)
    assert {str(search) for search in task.searches()} == {f"{entry}/lr" for entry in PUBLISHED[name]}
    for entry in task.entries:
        batch_size = int(entry.rpartition("_")[2]) if name.endswith("batch_sizes") else 32
        assert task.arguments_of(entry)["batch_size"] == batch_size


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_search_begins_at_most_a_rung_from_the_published_choice(name: str, tasks: Path) -> None:
    task = load_task(tasks / f"{name}.yaml")
    for search, searched in task.searches().items():
        published = searched.ladder.rung(PUBLISHED[name][search.entry])
        first, last = searched.ladder.rungs_within(*searched.limits)
        assert first < published < last
        assert abs(published - searched.ladder.rung(searched.start)) <= 1


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_not_searched_has_the_rates_of_what_is(name: str, tasks: Path) -> None:
    task = load_task(tasks / f"{name}.yaml")
    starts = {entry: stand_ins(task, task.entries[entry]) for entry in task.entries}
    for entry, numbers in starts.items():
        if entry.startswith("cprop_"):
            assert task.entries[entry].wrapped_in_cprop
            assert numbers == starts[entry.removeprefix("cprop_")]
        if entry == "amsgrad":
            assert numbers == starts["adam"]
        if entry == "adabound":
            assert numbers == {"lr": starts["adam"]["lr"], "final_lr": starts["sgd"]["lr"]}
        if entry.startswith("sgd_"):
            assert numbers["lr"] == pytest.approx(0.3 * int(entry.removeprefix("sgd_")) / 32)


def test_a_dry_run_finds_nothing_wrong(task: Task) -> None:
    first = next(iter(task.searches()))  # all entries are tried; that one's cost is measured too
    planned = plan(replace(task, budget=Budget(1, 1)), only=frozenset([first.entry]))
    assert planned.searches[0].search == first
    assert planned.searches[0].parameters > 0


def test_a_seed_gives_the_same_weights_and_batches_again(make: Callable[[], Workload], task: Task) -> None:
    one, two, other = seeded(make, 1), seeded(make, 1), seeded(make, 2)
    batches, again = indexed(one.batches), indexed(two.batches)
    assert same(list(one.model.parameters()), list(two.model.parameters()))
    assert not same(list(one.model.parameters()), list(other.model.parameters()))
    in_order = task.name.startswith("penn_treebank")  # a text is read from its beginning, whatever the seed
    for iteration in (0, 1, 5, 2000, 3):  # any order, as after a resume
        assert same(batches.batch(1, iteration), again.batch(1, iteration))
        assert same(batches.batch(1, iteration), batches.batch(2, iteration)) is in_order
    assert not same(batches.batch(1, 0), batches.batch(1, 1))


def test_thirty_updates_on_one_batch_lower_its_loss(make: Callable[[], Workload]) -> None:
    workload = seeded(make, 0)
    batch = indexed(workload.batches).batch(0, 0)
    optimizer = torch.optim.Adam(workload.model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        state = () if workload.carried is None else (workload.carried,)
        loss = workload.loss(workload.model, batch, *state)
        loss = loss[0] if state else loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


# With 100 classes and more, thirty small batches do not show yet outside of themselves.
@pytest.mark.parametrize("task", [n for n in SMALL if not n.startswith(("cifar", "tiny"))], indirect=True)
def test_thirty_iterations_lower_the_metric(make: Callable[[], Workload], train: Train) -> None:
    # Adam: plain SGD sits on the CNN's first plateau for some hundred iterations.
    before = seeded(make, 0).evaluate(1000)["train_loss"]
    trained = train(make, lr=3e-3, iterations=30, optimizer_class=torch.optim.Adam)
    after = trained.evaluate(1000)["train_loss"]
    assert after < 0.99 * before


def test_a_replica_resumes_to_the_bit(task: Task, tmp_path: Path) -> None:
    short = replace(task, budget=Budget(30, 15))
    entry = "cprop_adam" if "cprop_adam" in task.entries else list(task.entries)[-1]
    straight = replica_of(short, entry, tmp_path / "straight")
    while (ended := straight.advance()).outcome is None:
        pass
    straight.save()

    interrupted = replica_of(short, entry, tmp_path / "interrupted")
    while not interrupted.advance().curve[-1].iteration:
        pass
    interrupted.save()
    del interrupted
    resumed = replica_of(short, entry, tmp_path / "interrupted")
    assert resumed.curve[-1].iteration == 15
    while (again := resumed.advance()).outcome is None:
        pass
    resumed.save()

    assert isinstance(ended.outcome, Finished)
    assert ended.outcome == again.outcome
    assert ended.curve == again.curve
    one, two = (load_checkpoint(tmp_path / name) for name in ("straight", "interrupted"))
    assert one is not None
    assert two is not None
    assert [
        part for part in ("model", "optimizer", "carried", "random") if not same(one[part], two[part])
    ] == []
