"""A comparison file: what it takes over of its task, and what is wrong with it, at its place."""

from pathlib import Path

import pytest

from lrsearch import load_task
from lrsearch.comparing import load_comparison
from lrsearch.errors import TaskError
from lrsearch.task.compared import parse_stored
from lrsearch.task.fingerprint import identity_of
from lrsearch.task.model import Compared, Schedule

TASK = """\
name: valley
workload: valley.py:valley
budget: {iterations: 20, evaluate_every: 5}
seeds: {screen: 1, confirm: 2}
search: {limits: {lr: [1e-6, 10]}}
optimizers:
  sgd: {lr: {start: 0.1}, momentum: 0.9}
  adam: {lr: {start: 1e-3}, betas: [0.9, 0.99]}
  amsgrad: {base: adam, amsgrad: true, lr: {of: adam}}
  cprop_sgd: {base: sgd, lr: {of: sgd}, momentum: 0.9, cprop: {beta: 0.9}}
"""
CHOSEN = """\
lrsearch: 0.1.0
task: valley
metric: {name: train_loss, iteration: 20, window: 1}
chosen:
  sgd: {optimizer: sgd, hyperparameters: {lr: 0.3}}
  adam: {optimizer: adam, hyperparameters: {lr: 0.003}}
"""
HEAD = "name: mine\ntask: task.yaml\nrates: chosen.yaml\n"


@pytest.fixture
def load(tmp_path: Path):
    (tmp_path / "task.yaml").write_text(TASK)
    (tmp_path / "chosen.yaml").write_text(CHOSEN)

    def loaded(text: str, head: str = HEAD):
        path = tmp_path / "compare.yaml"
        path.write_text(head + text)
        return load_comparison(path, tmp_path / "studies")

    return loaded


def numbers(task, entry: str) -> dict[str, float]:
    return {
        name: value.start if isinstance(value, Compared) else value
        for name, value in task.entries[entry].hyperparameters.items()
    }


def test_entries_of_the_task_train_at_what_was_chosen(load) -> None:
    task = load("optimizers: {sgd: {}, cprop_sgd: {}, amsgrad: {}}")
    assert numbers(task, "sgd") == {"lr": 0.3, "momentum": 0.9}
    assert numbers(task, "cprop_sgd") == {"lr": 0.3, "momentum": 0.9, "cprop.beta": 0.9}
    assert numbers(task, "amsgrad") == {"lr": 0.003}
    assert task.entries["amsgrad"].options == {"amsgrad": True}


def test_rest_of_the_task_holds_but_for_what_is_given(load) -> None:
    task = load("budget: {iterations: 40}\noptimizers: {sgd: {}}")
    assert (task.name, task.seeds) == ("mine", 2)
    assert (task.budget.iterations, task.budget.evaluate_every) == (40, 5)
    assert task.workload == "valley.py:valley"


def test_an_entry_like_another_takes_all_of_it_but_what_it_gives(load) -> None:
    task = load("optimizers: {c3: {like: cprop_sgd, cprop: {c: 3}}, slow: {like: c3, lr: 0.01}}")
    assert numbers(task, "c3") == {"lr": 0.3, "momentum": 0.9, "cprop.beta": 0.9, "cprop.c": 3}
    assert numbers(task, "slow") == numbers(task, "c3") | {"lr": 0.01}


def test_a_rate_is_shared_from_an_entry_here_before_one_of_the_task(load) -> None:
    task = load("optimizers: {sgd: {lr: 0.05}, cprop_sgd: {}, b: {base: adam, lr: {of: adam, times: 2}}}")
    assert numbers(task, "cprop_sgd")["lr"] == 0.05
    assert numbers(task, "b")["lr"] == 0.006


def test_a_schedule_is_an_entry_s_own(load) -> None:
    task = load("optimizers: {sgd: {}, cosine: {like: sgd, schedule: CosineAnnealingLR}}")
    assert task.recipe_of("cosine").schedule == Schedule("CosineAnnealingLR")
    assert task.recipe_of("sgd").schedule is None


def test_an_entry_in_cprop_is_paired_with_the_bare_one_that_is_alike(load) -> None:
    task = load("optimizers: {sgd: {}, slow: {like: sgd, lr: 0.1}, cprop_sgd: {}, adam: {against: sgd}}")
    assert task.comparison.pairs == {"cprop_sgd": "sgd", "adam": "sgd"}
    assert task.comparison.controls == {"cprop_sgd": "cprop_sgd_control"}
    control = task.entries["cprop_sgd_control"]
    assert control.hyperparameters["lr"].scaled_by == "cprop_sgd"
    assert not control.wrapped_in_cprop


@pytest.mark.parametrize(("control", "controls"), [("false", {}), ("[c]", {"c": "c_control"})])
def test_controls_can_be_chosen(load, control: str, controls: dict[str, str]) -> None:
    task = load(f"control: {control}\noptimizers: {{sgd: {{}}, cprop_sgd: {{}}, c: {{like: cprop_sgd}}}}")
    assert task.comparison.controls == controls


def test_what_a_study_keeps_is_the_same_task(load, tmp_path: Path) -> None:
    task = load("optimizers: {sgd: {schedule: CosineAnnealingLR}, cprop_sgd: {like: sgd, cprop: {}}}")
    (tmp_path / "chosen.yaml").unlink()
    again = parse_stored(task.text, task.path)
    assert (again.entries, again.comparison) == (task.entries, task.comparison)
    assert identity_of(again) == identity_of(task)


def test_rates_are_part_of_what_a_study_is_made_from(load) -> None:
    before, after = (identity_of(load(f"optimizers: {{sgd: {{lr: {lr}}}}}")) for lr in (0.1, 0.3))
    assert {name for name in before if before[name] != after[name]} == {"optimizers.sgd.lr"}


WRONG = {
    "budgett: {}\noptimizers: {sgd: {}}": "4:1 budgett is not a key here; did you mean budget?",
    "optimizers: {sgd: {lr: {start: 0.1}}}": "4:20 optimizers.sgd.lr is to be searched, and a comparison searches "
    "nothing; give a number or {of: ENTRY}",
    "optimizers: {b: {like: sdg}}": '4:18 optimizers.b.like is "sdg", which is no entry here or in the task; did you '
    "mean sgd?",
    "optimizers: {sgd: {like: cprop_sgd, base: sgd}}": "4:20 optimizers.sgd.like stands beside base, and both say "
    "what it is; remove one",
    "optimizers: {a: {like: b}, b: {like: a}}": "4:18 optimizers.a.like makes a circle (b is like a is like b); "
    "write one of them out (and 1 more)",
    "optimizers: {sgd: {}, adam: {against: sdg}}": '4:30 optimizers.adam.against is "sdg", which is no other entry '
    "here; did you mean sgd?",
    "optimizers: {sgd: {schedule: 3}}": "4:20 optimizers.sgd.schedule is 3; give a class of "
    "torch.optim.lr_scheduler, such as CosineAnnealingLR, or {name: CLASS, ...}",
    "optimizers: {b: {base: sgd, lr: {of: sdg}}}": '4:34 optimizers.b.lr.of is "sdg", which is no entry; the entries '
    "are b",
    "optimizers: {b: {base: sgd}}": "4:14 optimizers.b has no lr; give a number or {of: ENTRY}",
    "optimizers: {sgd: {lr: -1}}": "4:20 optimizers.sgd.lr is -1; give a value above 0",
    "control: [sgd]\noptimizers: {sgd: {}}": '4:1 control names "sgd", which is no entry in CProp that is compared '
    "with a bare one; there is none",
    "histogram: {bins: 0}\noptimizers: {sgd: {}}": "4:13 histogram.bins is 0; give a whole number from 1 to 100",
    "histogram: {spacing: log}\noptimizers: {sgd: {}}": '4:13 histogram.spacing is "log"; give even or logarithmic',
    "metric: {curve_examples: 10}\noptimizers: {sgd: {}}": "4:1 metric.examples is all and metric.curve_examples "
    "10, so when a training is first as good as another's end cannot be told; give one number for both: "
    "metric: {examples: N, curve_examples: N}",
    "optimizers: {}": "4:1 optimizers is a mapping; give entries, such as sgd: {}",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_named_at_its_place(load, tmp_path: Path, text: str) -> None:
    with pytest.raises(TaskError) as caught:
        load(text)
    assert str(caught.value).removeprefix(f"{tmp_path}/compare.yaml:") == WRONG[text]


def test_a_rate_that_was_not_searched_yet_is_named_at_its_entry(load, tmp_path: Path) -> None:
    with pytest.raises(TaskError) as caught:
        load("optimizers:\n  sgd: {}\n", head="name: mine\ntask: task.yaml\n")
    assert str(caught.value) == (
        f"{tmp_path}/compare.yaml:4:3 optimizers.sgd.lr is searched in {tmp_path}/task.yaml, and without a study in "
        f"{tmp_path}/studies/valley there is no value of sgd/lr; search it with: lrsearch run {tmp_path}/task.yaml, "
        "or give rates: CHOSEN.yaml, or a number"
    )


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (
            "name: mine\ntask: none.yaml\n",
            "2:1 task is none.yaml, which is no file; give a task file, relative",
        ),
        ("name: mine\ntask: task.yaml\nrates: none.yaml\n", "3:1 rates is none.yaml, which does not exist"),
        ("name: mine\n", "1:1 task is missing; add task: TASK.yaml"),
        (
            "name: valley\ntask: task.yaml\n",
            "1:1 name is valley, which the study of the task has; give another",
        ),
    ],
)
def test_what_does_not_fit_the_task_is_named_at_its_key(load, tmp_path: Path, head: str, said: str) -> None:
    with pytest.raises(TaskError) as caught:
        load("optimizers: {sgd: {}}", head)
    assert str(caught.value).removeprefix(f"{tmp_path}/compare.yaml:").startswith(said)


def test_run_is_told_that_a_file_is_a_comparison(load, tmp_path: Path) -> None:
    load("optimizers: {sgd: {}}")
    with pytest.raises(TaskError, match="this is a comparison; run it with: lrsearch compare"):
        load_task(tmp_path / "compare.yaml")
