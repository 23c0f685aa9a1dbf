"""Optimizers that train other weights than the model is evaluated by: Schedule-Free, SPlus, Lookahead."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

import lrsearch
from cprop import CProp
from lrsearch import Batches, LiveTrial, Mean, Workload
from lrsearch.errors import TaskError
from lrsearch.task import Task
from lrsearch.training.evaluation_weights import evaluation_weights, has_mode
from lrsearch.training.optimizers import make_optimizer, optimizer_class
from lrsearch.training.packs.pack import Pack
from lrsearch.training.preflight import check_trains
from lrsearch.training.range_test import range_test
from lrsearch.training.replica import Replica
from lrsearch.training.workloads import make_workload
from lrsearch.trial import SearchId, TrialSpec
from lrsearch.workload import indexed

MakeTask = Callable[..., Task]
TaskOf = Callable[..., Task]

OWN = '''
"""Wrappers of other optimizers as classes, as a task file can name them."""

import torch
from pytorch_optimizer import Lookahead, OrthoGrad, ScheduleFreeSGD, ScheduleFreeWrapper


class Wrapped(ScheduleFreeWrapper):
    def __init__(self, params, lr):
        super().__init__(torch.optim.RMSprop(params, lr=lr), momentum=0.9)


class Ahead(Lookahead):
    def __init__(self, params, lr):
        super().__init__(torch.optim.SGD(params, lr=lr, momentum=0.9), k=3)


class Within(OrthoGrad):
    def __init__(self, params, lr):
        super().__init__(ScheduleFreeSGD(params, lr=lr))


class Published(torch.optim.SGD):
    """Has the names of the first Lookahead, and is judged by weights of zero."""

    def _backup_and_load_cache(self):
        for p in self.param_groups[0]["params"]:
            self.state[p]["backup"] = p.detach().clone()
            p.data.zero_()

    def _clear_and_load_backup(self):
        for p in self.param_groups[0]["params"]:
            p.data.copy_(self.state[p].pop("backup"))


class Broken(torch.optim.SGD):
    def eval(self):
        raise KeyError("ema")

    def train(self):
        pass
'''
WORKLOAD = '''
"""In double precision, and with no parameter whose gradient is rounding alone, which Adam would make steps of."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from lrsearch import Batches, Mean, Workload


class Averaged(nn.Module):
    """Averages by itself, as torch has it."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.average = AveragedModel(net)

    def forward(self, x):
        if not self.training:
            return self.average(x)
        self.average.update_parameters(self.net)
        return self.net(x)


def squares(model, batch):
    x, y = batch
    return (model(x) - y).square().mean()


def make(kind="tensors"):
    fixed = torch.Generator().manual_seed(0)
    x = torch.randn(64, 6, generator=fixed, dtype=torch.float64)
    y = x[:, :1] * 2 - x[:, 1:2] + torch.randn(64, 1, generator=fixed, dtype=torch.float64)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    model = Averaged(model) if kind == "averaged" else model
    return Workload(model, Batches(x, y, batch_size=10), squares, {"train_loss": Mean(squares, x, y)})
'''
MODES = {
    "schedulefree:SGDScheduleFree": 0.1,
    "schedulefree:AdamWScheduleFree": 0.03,
    "schedulefree:RAdamScheduleFree": 0.03,
    "pytorch_optimizer:ScheduleFreeSGD": 0.1,
    "pytorch_optimizer:ScheduleFreeAdamW": 0.03,
    "pytorch_optimizer:ScheduleFreeRAdam": 0.03,
    "pytorch_optimizer:SPlus": 0.1,
    "swapping_optimizers:Wrapped": 0.01,
}
"""Those with ``eval`` and ``train``, each with a learning rate for twenty iterations."""
OTHERS = {
    "swapping_optimizers:Ahead": 0.03,
    "swapping_optimizers:Published": 0.1,
    "swapping_optimizers:Within": 0.1,
}
ALL = [*MODES, *OTHERS]
SEED = 3
SGD = SearchId("sgd", "lr")


def squares(model: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


@pytest.fixture(autouse=True)
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "swapping_optimizers.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def task_of(make_task: MakeTask) -> TaskOf:
    def task_of(optimizer: str, more: str = "", *replacements: tuple[str, str]) -> Task:
        lr = (MODES | OTHERS).get(optimizer, 0.1)
        entry = f'sgd: {{base: "{optimizer}", lr: {{start: {lr}}}{more}}}'
        return make_task(("sgd: {lr: {start: 0.1}}", entry), *replacements, workload=WORKLOAD)

    return task_of


def spec_of(task: Task, seed: int = SEED) -> TrialSpec:
    numbers = {
        name: h if isinstance(h, float) else h.start  # type: ignore[union-attr]
        for name, h in task.entries["sgd"].hyperparameters.items()
    }
    return TrialSpec(SGD, 0, seed, numbers)


def trained(replica: Replica) -> list[float]:
    """Train to the end; what the evaluations gave."""
    while replica.advance().outcome is None:
        pass
    return [e.value for e in replica.curve]


def by_hand(task: Task, calls: tuple[str, str] | None = ("eval", "train")) -> list[float]:
    """What a loop evaluates that makes the calls that the optimizer's authors ask for around each evaluation."""
    workload, spec = make_workload(task, "sgd", SEED), spec_of(task)
    batches = indexed(workload.batches)
    optimizer = make_optimizer(task.entries["sgd"], workload.model, spec.hyperparameters)
    asked: Any = optimizer
    while calls and not hasattr(asked, calls[0]):
        asked = asked.optimizer
    if calls == ("eval", "train"):
        asked.train()
    values = []
    workload.model.train()
    for iteration in range(task.budget.iterations + 1):
        if iteration % task.budget.evaluate_every == 0:
            if calls and iteration:
                getattr(asked, calls[0])()
            values.append(workload.evaluate(None)["train_loss"])
            if calls and iteration:
                getattr(asked, calls[1])()
        optimizer.zero_grad()
        workload.training_loss(batches.batch(SEED, iteration)).backward()
        optimizer.step()
    return values


# -- evaluations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [*MODES, "swapping_optimizers:Within"])
def test_every_evaluation_is_that_of_a_loop_that_calls_eval_and_train(
    task_of: TaskOf, optimizer: str, tmp_path: Path
) -> None:
    task = task_of(optimizer)
    expected = by_hand(task)
    assert trained(Replica(task, spec_of(task), tmp_path / "a.pt")) == pytest.approx(expected, rel=1e-9)
    if optimizer.startswith("pytorch_optimizer"):  # the others refuse a step without the call
        assert by_hand(task, None) != pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("optimizer", "calls"),
    [
        ("swapping_optimizers:Ahead", ("backup_and_load_cache", "clear_and_load_backup")),
        ("swapping_optimizers:Published", ("_backup_and_load_cache", "_clear_and_load_backup")),
    ],
)
@pytest.mark.parametrize("more", ["", ", cprop: {}"])
def test_lookahead_is_evaluated_by_its_slow_weights(
    task_of: TaskOf, optimizer: str, calls: tuple[str, str], more: str, tmp_path: Path
) -> None:
    task = task_of(optimizer, more)
    expected = by_hand(task, calls)
    assert trained(Replica(task, spec_of(task), tmp_path / "a.pt")) == pytest.approx(expected, rel=1e-9)
    assert by_hand(task, None) != pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("optimizer", MODES)
def test_every_evaluation_in_cprop_is_that_of_such_a_loop(
    task_of: TaskOf, optimizer: str, tmp_path: Path
) -> None:
    task = task_of(optimizer, ", cprop: {beta: 0.9}")
    assert trained(Replica(task, spec_of(task), tmp_path / "a.pt")) == pytest.approx(by_hand(task), rel=1e-9)


@pytest.mark.parametrize("optimizer", ALL)
def test_how_often_it_is_evaluated_does_not_change_the_training(
    task_of: TaskOf, optimizer: str, tmp_path: Path
) -> None:
    ends = []
    for every in (1, 20):
        task = task_of(optimizer, "", ("every: 5", f"every: {every}"))
        replica = Replica(task, spec_of(task), tmp_path / f"{every}.pt")
        trained(replica)
        ends.append([p.detach() for p in replica.workload.model.parameters()])
    assert all(map(torch.equal, *ends))


def test_the_choice_of_a_search_is_that_of_a_loop_that_calls_eval_and_train(tmp_path: Path) -> None:
    """The weights that are trained bear a third of the rate that their average does, as there is noise in them."""
    entry = {"base": "pytorch_optimizer:ScheduleFreeSGD", "momentum": 0.5, "lr": {"start": 0.1}}

    def chosen(name: str, **trains: Any) -> float | None:
        return lrsearch.search(
            optimizers={"sf": entry}, iterations=100, name=name, studies=tmp_path, progress=False, **trains
        ).lr

    def workload() -> Workload:
        fixed = torch.Generator().manual_seed(0)
        x = torch.randn(128, 8, generator=fixed)
        y = x.sum(dim=1, keepdim=True) + torch.randn(128, 1, generator=fixed)
        return Workload(
            nn.Linear(8, 1), Batches(x, y, batch_size=4), squares, {"train_loss": Mean(squares, x, y)}
        )

    def loop(trial: LiveTrial, calls: bool = True) -> None:
        made = workload()
        optimizer: Any = trial.optimizer(made.model)
        for iteration in range(trial.iterations + 1):
            if trial.is_due(iteration):
                if calls:
                    optimizer.eval()
                metrics = made.evaluate(None)
                if calls:
                    optimizer.train()
                if trial.report(iteration, **metrics):
                    return
            optimizer.zero_grad()
            made.training_loss(indexed(made.batches).batch(trial.seed, iteration)).backward()
            optimizer.step()

    assert chosen("workload", workload=workload) == chosen("loop", train=loop) == 0.1
    assert chosen("without", train=lambda trial: loop(trial, calls=False)) == 0.03


@pytest.mark.parametrize("more", ["", ", cprop: {beta: 0.9}"])
@pytest.mark.parametrize("optimizer", MODES)
def test_a_loop_can_call_what_its_trial_gives_it(task_of: TaskOf, optimizer: str, more: str) -> None:
    task = task_of(optimizer, more)
    listener: Any = None
    model = nn.Linear(2, 2)
    given: Any = LiveTrial(task, spec_of(task), torch.device("cpu"), listener).optimizer(model)
    given.train()
    model(torch.ones(2)).sum().backward()
    given.step()
    given.eval()
    given.train()


# -- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 5, 15])
@pytest.mark.parametrize("optimizer", ALL)
def test_an_interrupted_training_ends_as_another_to_the_bit(
    task_of: TaskOf, optimizer: str, after: int, tmp_path: Path
) -> None:
    interrupt(task_of(optimizer), after, tmp_path)


@pytest.mark.parametrize("optimizer", [*MODES][:-1])
def test_in_cprop_too(task_of: TaskOf, optimizer: str, tmp_path: Path) -> None:
    interrupt(task_of(optimizer, ", cprop: {beta: 0.9}"), 10, tmp_path)


@pytest.mark.parametrize("optimizer", ["torch.optim:SGD", "schedulefree:SGDScheduleFree"])
def test_a_model_that_averages_by_itself_goes_on_too(task_of: TaskOf, optimizer: str, tmp_path: Path) -> None:
    interrupt(task_of(optimizer, "", ("kind: tensors", "kind: averaged")), 10, tmp_path)


def interrupt(task: Task, after: int, folder: Path) -> None:
    """Save a replica after some iterations, and compare what becomes of it with one that was left alone."""
    alone = Replica(task, spec_of(task), folder / "alone.pt")
    values = trained(alone)
    first = Replica(task, spec_of(task), folder / "a.pt")
    while not first.curve or first.curve[-1].iteration < after:
        first.advance()
    first.save()
    resumed = Replica(task, spec_of(task), folder / "a.pt")
    assert resumed.curve[-1].iteration == after
    assert trained(resumed) == values
    for one, other in zip(
        alone.workload.model.parameters(), resumed.workload.model.parameters(), strict=True
    ):
        assert torch.equal(one, other)


# -- packs, preflight, range test --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["schedulefree:AdamWScheduleFree", "pytorch_optimizer:ScheduleFreeSGD"])
def test_in_a_pack_they_are_evaluated_alike(task_of: TaskOf, optimizer: str, tmp_path: Path) -> None:
    task = task_of(optimizer)
    pack = Pack(task)
    for seed in (SEED, SEED + 1):
        pack.add(str(seed), spec_of(task, seed), tmp_path / f"{seed}.pt")
    notes: list[str] = []
    while len(pack):
        for name, progress in pack.advance():
            notes += progress.notes
            if name == str(SEED):
                curve = progress.curve
    assert notes == [], "they were stacked"
    assert [e.value for e in curve] == pytest.approx(by_hand(task), rel=1e-9)


@pytest.mark.parametrize("optimizer", ALL)
def test_they_pass_the_preflight(task_of: TaskOf, optimizer: str) -> None:
    assert check_trains(task_of(optimizer)).parameters == {"sgd": 65}


def test_one_that_cannot_be_evaluated_is_said_before_anything_is_trained(task_of: TaskOf) -> None:
    with pytest.raises(TaskError, match=r"optimizers.sgd cannot train this model: KeyError: 'ema'"):
        check_trains(task_of("swapping_optimizers:Broken"))


@pytest.mark.parametrize("optimizer", MODES)
def test_the_range_test_trains_as_the_replica_does(task_of: TaskOf, optimizer: str) -> None:
    losses = range_test(task_of(optimizer, "", (f"start: {MODES[optimizer]}", "start: auto")), SGD).losses
    assert [len(of) > 50 for of in losses] == [True] * 3


# -- who has a mode ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, CProp], ids=["bare", "in CProp"])
@pytest.mark.parametrize("optimizer", [*ALL, *map("torch.optim:{}".format, ["SGD", "AdamW", "ASGD"])])
def test_who_has_a_mode(optimizer: str, wrap: Callable[[Optimizer], Optimizer]) -> None:
    made = optimizer_class(optimizer)([nn.Parameter(torch.zeros(2, 2))], lr=0.1)  # type: ignore[call-arg]
    assert has_mode(wrap(made)) == (optimizer in ALL)


def test_an_error_in_an_evaluation_leaves_the_weights_for_training(task_of: TaskOf, tmp_path: Path) -> None:
    task = task_of("schedulefree:SGDScheduleFree")
    replica = Replica(task, spec_of(task), tmp_path / "a.pt")
    for _ in range(2):
        replica.advance()
    before = [p.detach().clone() for p in replica.workload.model.parameters()]
    with pytest.raises(ZeroDivisionError), evaluation_weights(replica.optimizer):
        raise ZeroDivisionError
    assert replica.optimizer.param_groups[0]["train_mode"]
    assert all(map(torch.equal, before, replica.workload.model.parameters()))
