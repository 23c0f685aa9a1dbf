"""A finished study goes on only with a task that trains as it did: each field of a task file, changed once.

The lists below name every field of the schema. A new one fails the first test until it is said whether it changes
what a training gives: if it does, it belongs into ``lrsearch.task.fingerprint`` too.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
import yaml
from cli_runs import TASK, write_task
from pydantic import BaseModel

import cprop.results
from lrsearch.cli import main
from lrsearch.task import fingerprint
from lrsearch.task.schema import TaskBlock

LOOP = """

def train(trial):
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.lr)
    for iteration in range(trial.iterations + 1):
        if trial.is_due(iteration) and trial.report(iteration, train_loss=model()):
            return
        optimizer.zero_grad()
        model().backward()
        optimizer.step()


def other(scale=10.0):
    return valley(scale)
"""
RECIPE: dict[str, Any] = {
    "schedule": {"name": "CosineAnnealingLR", "eta_min": {"times": 0.5}},
    "groups": [{"match": "x", "lr_times": 1.0, "weight_decay": 0.0}],
}
FULL: dict[str, Any] = {
    **yaml.safe_load(TASK),
    "seeds": 1,
    "arguments": {"scale": 10.0},
    "recipe": RECIPE,
    "optimizers": {
        "sgd": {"lr": {"start": 0.1}, "momentum": 0.5, "nesterov": True, "arguments": {"scale": 5.0}},
        "adam": {"base": "sgd", "lr": {"start": 0.1}, "cprop": {"c": 1.0, "measure": "normal"}},
    },
    "search": {"limits": {"lr": [0.01, 1]}},
}
"""A task whose fields are given where that is needed to change them."""

KEYED: dict[str, tuple[Any, str]] = {
    "workload": ("valley.py:other", "workload was \"valley.py:valley\", is \"valley.py:other\""),
    "loop": ("valley.py:train", 'loop was not given, is "valley.py:train"'),
    "arguments": ({"scale": 20.0}, "arguments.scale was 10.0, is 20.0"),
    "budget.iterations": (25, "budget.iterations was 20, is 25"),
    "budget.evaluate_every": (10, "budget.evaluate_every was 5, is 10"),
    "metric.name": ("other_loss", 'metric.name was "train_loss", is "other_loss"'),
    "metric.mode": ("max", 'metric.mode was "min", is "max"'),
    "metric.examples": (10, "metric.examples was null, is 10"),
    "metric.curve_examples": (10, "metric.curve_examples was null, is 10"),
    "metric.window": (2, "metric.window was 1, is 2"),
    "metric.take": ("best", 'metric.take was not given, is "best"'),
    "recipe.schedule": ("CosineAnnealingLR", "recipe.schedule was "),
    "recipe.schedule.name": ({"name": "LinearLR", "start_factor": 1.0, "end_factor": 0.5}, "recipe.schedule was "),
    "recipe.schedule.*": ({"name": "CosineAnnealingLR", "T_max": 30}, "recipe.schedule was "),
    "recipe.schedule.*.times": (
        {"name": "CosineAnnealingLR", "eta_min": {"times": 0.25}},
        "recipe.schedule was ",
    ),
    "recipe.warmup": (4, "recipe.warmup was not given, is 4"),
    "recipe.accumulate": (2, "recipe.accumulate was not given, is 2"),
    "recipe.compile": (True, "recipe.compile was not given, is true"),
    "recipe.groups": ([], "recipe.groups was "),
    "recipe.groups.match": ([{**RECIPE["groups"][0], "match": "?"}], "recipe.groups was "),
    "recipe.groups.lr_times": ([{**RECIPE["groups"][0], "lr_times": 2.0}], "recipe.groups was "),
    "recipe.groups.*": ([{**RECIPE["groups"][0], "weight_decay": 0.1}], "recipe.groups was "),
    "recipe.gradient_clip": (1.0, "recipe.gradient_clip was null, is 1.0"),
    "recipe.precision": ("bf16", 'recipe.precision was "float32", is "bf16"'),
    "resources.cpus": (2, "resources.cpus was 1, is 2"),
    "optimizers.base": ("rmsprop", 'optimizers.sgd.base was "sgd", is "rmsprop"'),
    "optimizers.arguments": ({"scale": 6.0}, "optimizers.sgd.arguments.scale was 5.0, is 6.0"),
    "optimizers.cprop": ({}, "optimizers.sgd.cprop was false, is true"),
    "optimizers.*": (0.25, "optimizers.sgd.momentum was 0.5, is 0.25"),
    "optimizers.* (an option)": (False, "optimizers.sgd.nesterov was true, is false"),
    "optimizers.cprop.c": (3.0, "optimizers.adam.cprop.c was 1.0, is 3.0"),
    "optimizers.cprop.beta": (0.9, "optimizers.adam.cprop.beta was not given, is 0.9"),
    "optimizers.cprop.eps": (1e-6, "optimizers.adam.cprop.eps was not given, is 1e-06"),
    "optimizers.cprop.eps_placement": ("inside", 'optimizers.adam.cprop.eps_placement was not given, is "inside"'),
    "optimizers.cprop.measure": ("logistic", 'optimizers.adam.cprop.measure was "normal", is "logistic"'),
}  # fmt: skip
"""What changes what a training gives: a value other than in ``FULL``, and how the difference is shown."""

FREE: dict[str, Any] = {
    "seeds": 2,
    "seeds.screen": {"screen": 1, "confirm": 2},
    "seeds.confirm": {"screen": 1, "confirm": 3},
    "metric.lower_bound": 0,
    "metric.kind": None,
    "optimizers": {**FULL["optimizers"], "more": {"base": "sgd", "lr": {"of": "sgd"}}},
    "optimizers.*.start": {"start": 0.3},
    "optimizers.*.start.from": None,
    "optimizers.*.start.rule": None,
    "optimizers.*.start.by": None,
    "optimizers.*.start.times": None,
    "optimizers.*.start.entry": None,
    "optimizers.*.ladder": {"start": 0.1, "ladder": "lr"},
    "optimizers.*.of": None,
    "optimizers.*.times": None,
    "search.limits": {"lr": [0.001, 1]},
    "search.tolerance": 0.5,
    "search.prefer": "largest",
    "search.resolve": True,
    "search.max_seeds": 4,
    "search.patience": 2,
    "watch": ["valley.py"],
    "search.race": False,
    "resources.gpus": None,
    "resources.timeout": 600,
    "resources.max_failures": 1,
    "resources.pack": 2,
}
"""What changes no training on record. None: each trial has the value itself on record, a start (``from``) leads to
trials that have, and GPUs count as some or none (``KEYED`` would need one); they are tested where they are made. So is
a metric's kind, which this task's loss cannot have. A file that is watched from now on counts from now on."""

NAMES_THE_STUDY = {"name"}
"""Another name is another study."""


def blocks_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, UnionType, list, dict, tuple):
        for argument in get_args(annotation):
            yield from blocks_in(argument)


def fields_of(block: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of all fields; ``*`` stands for keys of the user's own."""
    fields = {field.alias or name: field.annotation for name, field in block.model_fields.items()}
    extra = block.__annotations__.get("__pydantic_extra__")
    if extra is not None:
        fields["*"] = get_args(extra)[1]
    for name, annotation in fields.items():
        yield f"{prefix}{name}"
        for inner in blocks_in(annotation):
            yield from fields_of(inner, f"{prefix}{name}.")


def decided(name: str) -> str:
    """The name under which a field is in the lists: numbers of CProp are searched and shared as others are."""
    for number in ("c", "beta", "eps"):
        name = name.replace(f"optimizers.cprop.{number}.", "optimizers.*.")
    return name


def test_each_field_of_the_schema_is_in_one_of_the_lists() -> None:
    decisions = [*(name.partition(" (")[0] for name in KEYED), *FREE, *NAMES_THE_STUDY]
    blocks = {"budget", "metric", "search", "recipe", "resources"}
    assert {decided(name) for name in fields_of(TaskBlock)} - blocks == set(decisions)
    assert not KEYED.keys() & FREE.keys()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the full task and its finished study; to be copied."""
    folder = tmp_path_factory.mktemp("study")
    write_task(folder)
    python = folder / "valley.py"
    other_metric = python.read_text().replace(
        "_: scale * model()}", '_: scale * model(), "other_loss": lambda model, _: model()}'
    )
    python.write_text(other_metric + LOOP)
    (folder / "valley.yaml").write_text(yaml.safe_dump(FULL, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "valley.yaml", "--engine", "inline"]) == 0
    return folder


@pytest.fixture
def again(cli, tmp_path: Path, study: Path) -> Callable[[dict[str, Any]], tuple[int, str, str]]:
    """Run a task over the finished study."""
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)

    def run(task: dict[str, Any]) -> tuple[int, str, str]:
        (tmp_path / "valley.yaml").write_text(yaml.safe_dump(task, sort_keys=False))
        return cli("run", "valley.yaml", "--engine", "inline")

    return run


def changed(name: str, value: Any) -> dict[str, Any]:
    """The full task with one field changed: in the entry that has it."""
    task: dict[str, Any] = yaml.safe_load(yaml.safe_dump(FULL))
    top, *inner = name.partition(" (")[0].split(".")
    sgd, adam = (task.get("optimizers", {}).get(entry) for entry in ("sgd", "adam"))
    if name == "loop":
        del task["workload"], task["recipe"]
        task["loop"] = value
    elif name == "optimizers.*":
        sgd["momentum"] = value
    elif name == "optimizers.* (an option)":
        sgd["nesterov"] = value
    elif name.startswith("optimizers.*."):
        sgd["lr"] = value
    elif name == "optimizers.base":
        sgd["base"] = value
        del sgd["nesterov"]
    elif name in ("optimizers.arguments", "optimizers.cprop"):
        sgd[inner[0]] = value
    elif top == "optimizers" and inner:
        adam["cprop"][inner[1]] = value
    elif top in ("optimizers", "seeds", "arguments", "workload", "watch"):
        task[top] = value
    else:
        task.setdefault(top, {})[inner[0]] = value
    return task


def test_the_task_as_it_was_goes_on(again) -> None:
    assert again(FULL)[0] == 0


@pytest.mark.parametrize(("name", "value", "shown"), [(name, *row) for name, row in KEYED.items()], ids=KEYED)
def test_what_changes_a_training_is_refused_with_the_difference(again, tmp_path, name, value, shown) -> None:
    chosen = tmp_path / "studies/valley/chosen.yaml"
    before = chosen.read_bytes()
    status, out, err = again(changed(name, value))
    assert (status, out) == (2, ""), err
    assert "was made from a task that trains differently: " in err
    assert shown in err
    assert chosen.read_bytes() == before


@pytest.mark.parametrize("name", [name for name, value in FREE.items() if value is not None])
def test_what_changes_no_training_is_not_refused(again, name) -> None:
    status, _, err = again(changed(name, FREE[name]))
    assert status == 0, err


PERCENT = """
def train(trial):
    for iteration in range(trial.iterations + 1):
        if trial.is_due(iteration):
            noise = (5 * trial.seed + int(90 * trial.lr)) % 4
            worst = 10 + abs(trial.lr - 0.1) / (trial.lr + 0.1) + noise
            if trial.report(iteration, accuracy=100 - worst - 80 * (1 - iteration / trial.iterations)):
                return
"""


def test_a_kind_of_metric_that_is_named_later_is_judged_by_and_not_trained_for(cli, tmp_path) -> None:
    (tmp_path / "percent.py").write_text(PERCENT)
    task = {
        "name": "percent",
        "loop": "percent.py:train",
        "budget": {"iterations": 10, "evaluate_every": 1},
        "metric": {"name": "accuracy", "mode": "max"},
        "optimizers": {"sgd": {"lr": {"start": 0.1}}},
    }
    found = []
    for kind in ({}, {"kind": "accuracy"}):
        (tmp_path / "percent.yaml").write_text(yaml.safe_dump({**task, "metric": {**task["metric"], **kind}}))
        status, _, err = cli("run", "percent.yaml", "--engine", "inline")
        assert status == 0, err
        found.append(yaml.safe_load((tmp_path / "studies/percent/chosen.yaml").read_text()))
    before, after = (content["chosen"]["sgd"]["searches"]["lr"] for content in found)
    assert found[0]["fingerprint"] == found[1]["fingerprint"]
    assert (before["candidates"], before["iterations"]) == (after["candidates"], after["iterations"])
    assert (before["regret_of"], after["regret_of"]) == ("learned", "error")
    assert after["regret_at_most"] > before["regret_at_most"] > 0


def test_other_code_is_refused(again, tmp_path) -> None:
    python = tmp_path / "valley.py"
    python.write_text(python.read_text().replace("0.1 * torch", "0.2 * torch"))
    status, _, err = again(FULL)
    assert (status, "workload's code has changed" in err) == (2, True)


def test_a_comment_in_the_code_is_not_refused(again, tmp_path) -> None:
    python = tmp_path / "valley.py"
    python.write_text(f"# said\n{python.read_text()}")
    assert again(FULL)[0] == 0


@pytest.mark.parametrize("module", [fingerprint, cprop.results], ids=["lrsearch", "cprop"])
def test_results_of_another_version_are_refused(again, monkeypatch, module) -> None:
    monkeypatch.setattr(module, "RESULTS_VERSION", 7)
    status, _, err = again(FULL)
    assert status == 2
    assert "results_version was 1, is 7" in err


def test_other_data_is_refused() -> None:
    was, now = (fingerprint.with_data({}, [("digits", "digits: all", sum_)]) for sum_ in ("a" * 64, "b" * 64))
    assert [*fingerprint.differences(was, now)] == ["data.digits"]
