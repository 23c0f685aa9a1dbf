"""Studies of before what a try-out shows was on record: refused where the numbers are others now, else read."""

from pathlib import Path

import optuna
import pytest

from lrsearch.store.reading import ATTRIBUTE

LOOP = """
import torch

generator = torch.Generator()


def train(trial):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.lr)
    for iteration in range(trial.iterations + 1):
        if trial.is_due(iteration):
            x = EVALUATED
            if trial.report(iteration, train_loss=((model(x) - 1) ** 2).mean()):
                return
        x = TRAINED
        optimizer.zero_grad()
        ((model(x) - 1) ** 2).mean().backward()
        optimizer.step()
"""
WORKLOAD = """
import torch

from lrsearch import Batches, Mean, Workload


def loss(model, batch):
    return (model(batch[0]) - 1).square().mean()


def make():
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    return Workload(torch.nn.Linear(2, 1), Batches(x, batch_size=8), loss, {"train_loss": Mean(loss, x)})
"""
TASK = """\
name: t
KIND
budget: {iterations: 20, evaluate_every: 5}
seeds: 2
optimizers: {a: {base: "BASE", lr: {start: 0.1}}}
"""
FIXED, DRAWN = "torch.ones(4, 2)", "torch.randn(4, 2)"
ALIKE = {
    "a loop": ("loop: code.py:train", "sgd", FIXED, DRAWN),
    "a workload": ("workload: code.py:make", "sgd", FIXED, DRAWN),
}
OTHERWISE = {
    "a loop that draws as it evaluates": (
        ("loop: code.py:train", "sgd", DRAWN, DRAWN),
        "loop's evaluation at iteration 0 was not given",
    ),
    "a loop with a generator of its own": (
        ("loop: code.py:train", "sgd", FIXED, "torch.randn(4, 2, generator=generator)"),
        "loop's generators was not given",
    ),
    "a workload whose optimizer has a mode": (
        ("workload: code.py:make", "schedulefree:SGDScheduleFree", FIXED, DRAWN),
        "optimizers.a.weights to evaluate by was not given",
    ),
}


def write(folder: Path, kind: str, base: str, evaluated: str, trained: str) -> None:
    text = WORKLOAD if kind.startswith("workload") else LOOP
    (folder / "code.py").write_text(text.replace("EVALUATED", evaluated).replace("TRAINED", trained))
    (folder / "t.yaml").write_text(TASK.replace("KIND", kind).replace("BASE", base))


def forget(folder: Path) -> None:
    """Let a study be of an earlier version, which did not say what only shows when a task is tried."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/studies/t/study.db")
    for study in storage.get_all_studies():
        kept = dict(study.user_attrs[ATTRIBUTE])
        del kept["tried"]
        shown = ("'s evaluation at iteration 0", "'s generators", ".weights to evaluate by")
        kept["identity"] = {n: v for n, v in kept["identity"].items() if not n.endswith(shown)}
        storage.set_study_user_attr(
            storage.get_study_id_from_name(study.study_name), ATTRIBUTE, kept
        )
    storage.engine.dispose()


@pytest.mark.parametrize("case", ALIKE)
def test_one_whose_numbers_are_the_same_is_read(cli, tmp_path: Path, case: str) -> None:
    write(tmp_path, *ALIKE[case])
    assert cli("run", "t.yaml", "--engine", "inline")[0] == 0
    before = (tmp_path / "studies/t/chosen.yaml").read_bytes()
    forget(tmp_path)
    status, _, err = cli("run", "t.yaml", "--engine", "inline")
    assert (status, "everything had been trained already" in err) == (0, True), err
    assert (tmp_path / "studies/t/chosen.yaml").read_bytes() == before


@pytest.mark.parametrize("case", OTHERWISE)
def test_one_whose_numbers_are_others_now_is_refused_with_what_it_lacks(cli, tmp_path: Path, case: str) -> None:
    given, said = OTHERWISE[case]
    write(tmp_path, *given)
    assert cli("run", "t.yaml", "--engine", "inline")[0] == 0
    assert cli("run", "t.yaml", "--engine", "inline")[0] == 0
    forget(tmp_path)
    status, _, err = cli("run", "t.yaml", "--engine", "inline")
    assert status == 2
    assert said in err
