"""From a chosen.yaml back to optimizers."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cprop import CProp
from lrsearch import load_chosen
from lrsearch.errors import UsageError

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
