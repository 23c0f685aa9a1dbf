"""From a chosen.yaml back to optimizers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import lrsearch
from cprop import CProp
from lrsearch import load_chosen
from lrsearch.errors import UsageError
from lrsearch.task import Task
from lrsearch.training.checkpoint import load_checkpoint
from lrsearch.training.optimizers import stand_ins
from lrsearch.training.replica import Replica
from lrsearch.training.workloads import make_workload
from lrsearch.trial import SearchId, TrialSpec

MakeTask = Callable[..., Task]

CHOSEN = """
lrsearch: 0.1.0
chosen:
  sgd:
    optimizer: sgd
    hyperparameters: {lr: 0.1, momentum: 0.9, nesterov: true}
    searches: {lr: {verdict: bracketed}}
  adam:
    optimizer: adam
    hyperparameters: {lr: 1e-3, betas: [0.9, 0.99]}
  cprop_sgd:
    optimizer: sgd
    hyperparameters: {lr: 0.1, cprop: {c: 3, beta: 0.99}}
  cprop_plain:
    optimizer: sgd
    hyperparameters: {lr: 0.1, cprop: {}}
  unfound:
    optimizer: sgd
    hyperparameters: {lr: null}
  unfound_momentum:
    optimizer: sgd
    hyperparameters: {lr: 0.1, momentum: null}
  unfound_c:
    optimizer: sgd
    hyperparameters: {lr: 0.1, cprop: {c: null}}
  not_here:
    optimizer: sgdd
    hyperparameters: {lr: 0.1}
"""


RECIPE = """
lrsearch: 0.1.0
metric: {name: train_loss, iteration: 60}
recipe:
  warmup: 0.1
  schedule: {name: CosineAnnealingLR, eta_min: {times: 0.1}}
  groups: [{match: "*.bias", weight_decay: 0}, {match: "0.*", lr_times: 0.5}]
chosen:
  sgd: {optimizer: sgd, hyperparameters: {lr: 0.1, momentum: 0.9, weight_decay: 0.01}}
  cprop_adamw: {optimizer: adamw, hyperparameters: {lr: 0.01, cprop: {beta: 0.9}}}
"""


@pytest.fixture
def with_recipe(tmp_path: Path) -> Path:
    (tmp_path / "chosen.yaml").write_text(RECIPE)
    return tmp_path / "chosen.yaml"


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    (tmp_path / "chosen.yaml").write_text(CHOSEN)
    return tmp_path / "chosen.yaml"


def build(chosen: Path, entry: str) -> torch.optim.Optimizer:
    return load_chosen(chosen)[entry].build(nn.Linear(2, 2).parameters())


def test_an_optimizer_has_the_chosen_values(chosen: Path) -> None:
    group = build(chosen, "sgd").param_groups[0]
    assert (group["lr"], group["momentum"], group["nesterov"]) == (0.1, 0.9, True)


def test_a_number_with_an_exponent_is_a_number_and_a_list_a_tuple(chosen: Path) -> None:
    group = build(chosen, "adam").param_groups[0]
    assert (group["lr"], group["betas"]) == (0.001, (0.9, 0.99))


def test_an_entry_with_cprop_is_wrapped(chosen: Path) -> None:
    optimizer = build(chosen, "cprop_sgd")
    assert isinstance(optimizer, CProp)
    assert (optimizer.param_groups[0]["c"], optimizer.param_groups[0]["beta"]) == (3, 0.99)
    assert isinstance(build(chosen, "cprop_plain"), CProp)


def test_it_steps(chosen: Path) -> None:
    model = nn.Linear(2, 2)
    before = model.weight.clone()
    optimizer = load_chosen(chosen)["cprop_sgd"].build(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert not torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("unfound", "unfound has no lr: its search chose nothing; search it again"),
        ("unfound_momentum", "unfound_momentum has no momentum: its search chose nothing; search it again"),
        ("unfound_c", "unfound_c has no cprop.c: its search chose nothing; search it again"),
        ("not_here", "not_here: torch.optim has no optimizer sgdd; did you mean sgd?"),
    ],
)
def test_what_cannot_be_built_says_why(chosen: Path, entry: str, line: str) -> None:
    with pytest.raises(UsageError) as raised:
        build(chosen, entry)
    assert str(raised.value) == line


@pytest.mark.parametrize(
    "text",
    ["", "[1, 2]", "chosen: [1]", "chosen: {sgd: 3}", "chosen: {sgd: {optimizer: sgd}}", "a: b: c", "\x00",
     "chosen: {sgd: {optimizer: sgd, hyperparameters: text}}", "chosen: {a: 1, a: 2}", "!!python/object:os.system {}"],
)  # fmt: skip
def test_what_is_no_chosen_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(
        UsageError, match=r"x.yaml is no (YAML|chosen.yaml); lrsearch export STUDY -o FILE writes"
    ):
        load_chosen(tmp_path / "x.yaml")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"cannot be read \(No such file or directory\); lrsearch export STUDY"
    ):
        load_chosen(tmp_path / "none.yaml")


@pytest.mark.parametrize("entry", ["sgd", "cprop_adamw"])
def test_the_first_updates_are_those_of_the_training_that_it_was_chosen_in(
    make_task: MakeTask, with_recipe: Path, tmp_path: Path, entry: str
) -> None:
    recipe = RECIPE[RECIPE.index("recipe:") : RECIPE.index("chosen:")]
    entries = """
  sgd: {lr: {start: 0.1}, momentum: 0.9, weight_decay: 0.01}
  cprop_adamw: {base: adamw, lr: {start: 0.01}, cprop: {beta: 0.9}}
"""
    task = make_task(
        ("\n  sgd: {lr: {start: 0.1}}\n", entries),
        ("iterations: 20, evaluate_every: 5", "iterations: 60, evaluate_every: 50"),
        ("optimizers:", f"{recipe}optimizers:"),
    )
    spec = TrialSpec(SearchId(entry, "lr"), 0, 3, stand_ins(task, task.entries[entry]))
    replica = Replica(task, spec, tmp_path / "a.pt")
    while replica.advance().curve[-1].iteration < 50:
        pass
    replica.save()
    state = load_checkpoint(tmp_path / "a.pt")
    assert state is not None

    workload = make_workload(task, entry, seed=3)
    optimizer, scheduler = load_chosen(with_recipe)[entry].build_with_schedule(workload.model)
    assert scheduler is not None
    workload.model.train()
    for iteration in range(50):
        optimizer.zero_grad()
        workload.training_loss(workload.batches.batch(3, iteration)).backward()  # type: ignore[union-attr]
        optimizer.step()
        scheduler.step()
    for name, value in workload.model.state_dict().items():
        assert torch.equal(value, state["model"][name]), name


def test_a_schedule_lasts_as_long_as_is_asked_for(with_recipe: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer, scheduler = load_chosen(with_recipe)["sgd"].build_with_schedule(model, iterations=1000)
    assert scheduler is not None
    rates = []
    for _ in range(1000):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates.index(max(rates)) == 99
    assert rates[-1] == pytest.approx(0.01, rel=1e-4)


def test_without_a_schedule_there_is_none(chosen: Path) -> None:
    _, scheduler = load_chosen(chosen)["sgd"].build_with_schedule(nn.Linear(2, 2))
    assert scheduler is None


def test_groups_want_names(with_recipe: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    groups = load_chosen(with_recipe)["sgd"].build(model.named_parameters()).param_groups
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [(0.1, 0.01), (0.1, 0), (0.05, 0.01)]
    with pytest.raises(UsageError, match=r"^sgd: recipe.groups go by the names .*; give the model, or model"):
        load_chosen(with_recipe)["sgd"].build(model.parameters())


@pytest.mark.parametrize(
    ("recipe", "iterations", "line"),
    [
        ("warmup: 60", 60, "recipe.warmup takes 60 iterations, and there are 60; give more"),
        (
            "schedule: {name: StepLR, step_size: 50}",
            40,
            "40 iterations: recipe.schedule StepLR never changes",
        ),
        ("schedule: {name: CosineAnnealingLR, eta_min: 1}", None, "raises the rate to 9.99 times lr"),
    ],
)
def test_a_schedule_that_does_not_fit_says_so(
    tmp_path: Path, recipe: str, iterations: int | None, line: str
) -> None:
    entry = "chosen: {sgd: {optimizer: sgd, hyperparameters: {lr: 0.1}}}"
    (tmp_path / "x.yaml").write_text(
        f"lrsearch: 0.1.0\nmetric: {{iteration: 60}}\nrecipe: {{{recipe}}}\n{entry}\n"
    )
    with pytest.raises(UsageError, match=line):
        load_chosen(tmp_path / "x.yaml")["sgd"].build_with_schedule(nn.Linear(2, 2), iterations)


def test_an_entry_that_is_not_there_is_one_line(chosen: Path) -> None:
    with pytest.raises(UsageError, match=r"chosen.yaml has no entry sdg; did you mean sgd\?$"):
        load_chosen(chosen)["sdg"]
    assert "sdg" not in load_chosen(chosen)


def test_a_value_that_the_class_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "lrsearch: 0.1.0\nchosen: {sgd: {optimizer: sgd, hyperparameters: {lr: -1}}}"
    )
    with pytest.raises(UsageError, match=r"^sgd: Invalid learning rate: -1$"):
        load_chosen(tmp_path / "x.yaml")["sgd"].build(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("version", "line"),
    [
        (
            "99.0",
            r"x.yaml was written by lrsearch 99.0, and .* cannot read its recipe or metric; use lrsearch 99.0$",
        ),
        (
            lrsearch.__version__,
            r"x.yaml says of its trainings what none can be; write it anew with: lrsearch export",
        ),
    ],
)
def test_a_recipe_that_is_not_understood_names_the_version(tmp_path: Path, version: str, line: str) -> None:
    (tmp_path / "x.yaml").write_text(f'lrsearch: "{version}"\nrecipe: {{noise: 1}}\nchosen: {{}}\n')
    with pytest.raises(UsageError, match=line):
        load_chosen(tmp_path / "x.yaml")


def test_what_another_tool_wrote_is_no_chosen_yaml(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("chosen: {sgd: {optimizer: sgd, hyperparameters: {lr: 1}}}")
    with pytest.raises(
        UsageError, match=r"x.yaml is no chosen.yaml; lrsearch export STUDY -o FILE writes one"
    ):
        load_chosen(tmp_path / "x.yaml")
