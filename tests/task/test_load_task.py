"""Good files become tasks, whole and unchanged; files that cannot be read are refused in one line."""

import os
from pathlib import Path

import pytest

from lrsearch.errors import TaskError
from lrsearch.task import (
    Budget,
    Entry,
    Metric,
    Position,
    RangeTest,
    Resources,
    Scaling,
    Searched,
    Shared,
    load_task,
    parse_task,
)
from lrsearch.task.model import SearchSettings
from lrsearch.trial import SearchId

EXAMPLE = """\
# yaml-language-server: $schema=../lrsearch/task.schema.json
name: fashion_mnist_fc
workload: fashion_mnist.py:fully_connected   # FILE.py:callable beside this file, or package.module:callable
arguments: {batch_size: 32}                  # passed to the callable
budget: {iterations: 5000, evaluate_every: 250}
seeds: 3
metric: {name: train_loss, examples: all, curve_examples: 2000, window: 1}
optimizers:
  sgd:       {lr: {start: 0.1}}
  adam:      {lr: {start: 1e-3}}
  amsgrad:   {base: adam, amsgrad: true, lr: {of: adam}}
  adabound:  {base: "pytorch_optimizer:AdaBound", lr: {of: adam}, final_lr: {of: sgd}}
  cprop_sgd: {base: sgd, cprop: {c: {start: 1}, beta: 0.999}, lr: {of: sgd}}
search: {limits: {lr: [1e-8, 1e3]}}
resources: {cpus: 1, gpus: 0}
"""
SMALLEST = """\
name: small
workload: small.py:workload
budget: {iterations: 10, evaluate_every: 10}
optimizers: {sgd: {lr: 0.1}}
"""


def entry(text: str, search: str = "{}") -> Entry:
    """The entry ``it`` of an otherwise small task."""
    task = SMALLEST.replace("sgd: {lr: 0.1}", f"sgd: {{lr: 0.1}}, it: {text}") + f"search: {search}\n"
    return parse_task(task, Path("small.yaml")).entries["it"]


def test_the_example_becomes_a_task(tmp_path: Path) -> None:
    path = tmp_path / "fashion_mnist_fc.yaml"
    path.write_text(EXAMPLE)
    task = load_task(path)
    assert (task.path, task.text, task.folder) == (path.resolve(), EXAMPLE, tmp_path.resolve())
    assert (task.name, task.workload) == ("fashion_mnist_fc", "fashion_mnist.py:fully_connected")
    assert (task.arguments, task.budget, task.seeds) == ({"batch_size": 32}, Budget(5000, 250), 3)
    assert task.metric == Metric("train_loss", "min", examples=None, curve_examples=2000, window=1)
    assert (task.settings.tolerance, task.resources) == (0.05, Resources(1, 0.0))
    adam_lr, sgd_lr = Shared(SearchId("adam", "lr")), Shared(SearchId("sgd", "lr"))
    assert list(task.entries.values()) == [
        Entry("sgd", "sgd", {"lr": Searched(0.1, "lr", (1e-8, 1e3))}),
        Entry("adam", "adam", {"lr": Searched(1e-3, "lr", (1e-8, 1e3))}),
        Entry("amsgrad", "adam", {"lr": adam_lr}, options={"amsgrad": True}),
        Entry("adabound", "pytorch_optimizer:AdaBound", {"lr": adam_lr, "final_lr": sgd_lr}),
        Entry(
            "cprop_sgd",
            "sgd",
            {"cprop.c": Searched(1.0, "c", (1.0, 19683.0)), "cprop.beta": 0.999, "lr": sgd_lr},
            wrapped_in_cprop=True,
        ),
    ]


def test_what_is_left_out_has_the_documented_defaults() -> None:
    task = parse_task(SMALLEST, Path("small.yaml"))
    assert (task.seeds, task.settings.tolerance, task.arguments) == (3, 0.05, {})
    assert (task.metric, task.resources) == (Metric("train_loss"), Resources(1, 0.0))


def test_what_saves_or_adds_trainings_is_off_unless_given() -> None:
    assert parse_task(SMALLEST, Path("small.yaml")).settings == SearchSettings()
    text = SMALLEST + "seeds: {screen: 1, confirm: 4}\nmetric: {lower_bound: -0.5}\n"
    text += "search: {tolerance: 0.1, prefer: smallest, resolve: true, max_seeds: 6}\n"
    task = parse_task(text, Path("small.yaml"))
    assert task.settings == SearchSettings(0.1, "smallest", resolve=True, max_seeds=6, screen=1)
    assert (task.seeds, task.most_seeds, task.metric.lower_bound) == (4, 6, -0.5)


def test_what_the_metric_is_belongs_to_what_is_judged() -> None:
    task = parse_task(SMALLEST + "metric: {name: accuracy, mode: max, kind: accuracy}\n", Path("small.yaml"))
    assert task.settings == SearchSettings(kind="accuracy")
    assert task.metric == Metric("accuracy", "max")


def test_a_start_left_to_a_range_test_is_open_until_there_is_one() -> None:
    text = SMALLEST.replace("lr: 0.1", "lr: {start: auto}")
    task, search = parse_task(text, Path("small.yaml")), SearchId("sgd", "lr")
    assert task.searches()[search] == Searched(None, "lr", (1e-8, 1e3))
    test = RangeTest((1e-7, 10.0), ((1.0, 0.5),), suggested=0.3)
    assert task.with_proposed_starts({}) == task
    started = task.with_proposed_starts({search: [test]})
    assert started.searches()[search] == Searched(0.3, "lr", (1e-8, 1e3), test)


def test_a_start_that_is_given_stands_whatever_a_range_test_suggested() -> None:
    task = parse_task(SMALLEST.replace("lr: 0.1", "lr: {start: 0.1}"), Path("small.yaml"))
    assert task.with_proposed_starts({SearchId("sgd", "lr"): [RangeTest((), (), suggested=3.0)]}) == task


def test_positions_are_those_of_the_keys_and_items() -> None:
    task = parse_task(SMALLEST + "arguments:\n  sizes: [1,\n    2]\n", Path("small.yaml"))
    assert task.positions["budget",] == Position(3, 1)
    assert task.positions["budget", "evaluate_every"] == Position(3, 26)
    assert task.positions["optimizers", "sgd", "lr"] == Position(4, 20)
    assert task.positions["arguments", "sizes", 1] == Position(7, 5)
    assert str(task.error("is bad", "arguments", "sizes", 1)) == "small.yaml:7:5 is bad"
    assert str(task.error("is bad", "optimizers", "sgd", "momentum")) == "small.yaml:4:14 is bad"


def test_the_two_forms_of_yaml_give_one_task() -> None:
    block = "name: small\nworkload: small.py:workload\nbudget:\n  iterations: 10\n  evaluate_every: 10\n"
    block += "optimizers:\n  sgd:\n    lr: 0.1\n"
    flow, plain = (parse_task(text, Path("small.yaml")) for text in (SMALLEST, block))
    assert (flow.budget, flow.entries) == (plain.budget, plain.entries)


def test_numbers_are_fixed_and_anything_else_is_an_option() -> None:
    made = entry("{lr: 1, betas: [0.9, 0.99], foreach: false, mode: fast, base: adam}")
    assert made.hyperparameters == {"lr": 1.0}
    assert isinstance(made.hyperparameters["lr"], float)
    assert made.options == {"betas": [0.9, 0.99], "foreach": False, "mode": "fast"}


def test_an_empty_cprop_block_wraps() -> None:
    made = entry("{base: sgd, cprop: {}}")
    assert (made.wrapped_in_cprop, dict(made.hyperparameters), dict(made.options)) == (True, {}, {})


def test_cprop_numbers_and_options_are_dotted() -> None:
    made = entry("{base: sgd, cprop: {eps: 1e-6, measure: logistic, c: 3}}")
    assert made.hyperparameters == {"cprop.eps": 1e-6, "cprop.c": 3.0}
    assert made.options == {"cprop.measure": "logistic"}


def test_hyperparameters_keep_the_order_written() -> None:
    made = entry("{base: sgd, momentum: 0.9, cprop: {beta: 0.99, c: 1}, lr: 0.1}")
    assert list(made.hyperparameters) == ["momentum", "cprop.beta", "cprop.c", "lr"]


@pytest.mark.parametrize(
    ("hyperparameter", "ladder", "limits"),
    [
        ("lr: {start: 0.1}", "lr", (1e-8, 1e3)),
        ("final_lr: {start: 0.1}", "lr", (1e-8, 1e3)),
        ("momentum: {start: 0.9}", "beta", (0.0, 0.999999)),
        ("cprop: {c: {start: 3}}", "c", (1.0, 19683.0)),
        ("cprop: {beta: {start: 0}}", "beta", (0.0, 0.999999)),
        ("weight_decay: {start: 1e-4, ladder: lr}", "lr", (1e-8, 1e3)),
        ("lr: {start: 27, ladder: c}", "c", (1.0, 19683.0)),
    ],
)
def test_each_search_has_its_ladder_and_limits(
    hyperparameter: str, ladder: str, limits: tuple[float, float]
) -> None:
    (searched,) = [searched for _, searched in entry(f"{{base: sgd, {hyperparameter}}}").searches()]
    assert (searched.ladder_name, searched.limits) == (ladder, limits)


def test_limits_go_by_the_name_of_the_hyperparameter() -> None:
    made = entry(
        "{base: sgd, lr: {start: 0.1}, final_lr: {start: 0.1}, cprop: {c: {start: 3}}}",
        "{limits: {lr: [0.01, 1], cprop.c: [1, 27]}}",
    )
    limits = {search.hyperparameter: searched.limits for search, searched in made.searches()}
    assert limits == {"lr": (0.01, 1.0), "final_lr": (1e-8, 1e3), "cprop.c": (1.0, 27.0)}


def test_a_share_may_be_scaled_and_be_of_a_share() -> None:
    text = "{base: adam, lr: {of: sgd, times: 0.125}}, last: {base: sgd, momentum: 0, swa_lr: {of: it}}"
    task = parse_task(SMALLEST.replace("sgd: {lr: 0.1}", f"sgd: {{lr: 0.1}}, it: {text}"), Path("small.yaml"))
    assert task.entries["it"].hyperparameters["lr"] == Shared(SearchId("sgd", "lr"), 0.125)
    assert task.entries["last"].hyperparameters["swa_lr"] == Shared(SearchId("it", "lr"))


def test_a_float_that_is_whole_counts() -> None:
    task = parse_task(SMALLEST.replace("iterations: 10,", "iterations: 5e3,"), Path("small.yaml"))
    assert task.budget.iterations == 5000
    assert isinstance(task.budget.iterations, int)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.encode())
    assert load_task(str(path)).text == SMALLEST


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", " is empty; write a task, or begin with: lrsearch init"),
        (b"name: m\0", " is a binary file; give a task file, which is YAML text"),
        (b"name: m\nseeds: \xff", ":2:8 is not UTF-8 text here; save the file as UTF-8"),
        ("# ä\nname: ö".encode("latin-1"), ":1:3 is not UTF-8 text here; save the file as UTF-8"),
        (b"#" * (64 * 1024 + 1), " is larger than 64 KiB, which no task file is; check the path"),
    ],
    ids=["empty", "binary", "not-utf-8", "latin-1", "large"],
)
def test_a_file_that_is_no_text_is_refused(
    content: bytes, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_bytes(content)
    assert refusal("mine.yaml") == "mine.yaml" + problem


def test_a_missing_file_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    remedy = "check the path, or write a first task with: lrsearch init"
    assert refusal("./mine.yaml") == f"./mine.yaml does not exist; {remedy}"
    assert refusal("") == " is a folder; give a task file, such as task.yaml"
    Path("tasks").mkdir()
    Path("tasks/digits.yaml").touch()
    assert refusal("tasks/digit.yaml") == "tasks/digit.yaml does not exist; did you mean tasks/digits.yaml?"
    assert refusal("tasks") == "tasks is a folder; give a task file, such as tasks/task.yaml"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(f"{tmp_path}/pipe") == f"{tmp_path}/pipe is not an ordinary file; give a task file"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.touch(mode=0)
    assert refusal(str(path)) == f"{path} cannot be read; give yourself permission to read it"


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "pyproject.toml/x"])
def test_a_path_that_can_be_none_is_refused_in_one_line(path: str) -> None:
    assert "\n" not in refusal(path)


def refusal(path: str) -> str:
    """What loading a file raises, as the user sees it."""
    with pytest.raises(TaskError) as raised:
        load_task(path)
    return str(raised.value)


def test_a_loop_may_start_where_another_result_points() -> None:
    start = "lr: {start: {from: chosen.yaml, rule: same}}"
    text = SMALLEST.replace("workload:", "loop:").replace("lr: 0.1", start)
    (searched,) = parse_task(text, Path("small.yaml")).searches().values()
    assert searched.scaling == Scaling("chosen.yaml", "same")
