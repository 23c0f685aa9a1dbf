"""Every way in which a workload can be wrong is one line, with a place and a remedy, before any training."""

# ruff: noqa: E501  # a mistake a row: the tables are read across

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lrsearch.errors import DataError, LRSearchError, TaskError, WorkloadError
from lrsearch.task import Task
from lrsearch.training.preflight import check_trains, measure_cost
from lrsearch.training.workloads import make_workload

MakeTask = Callable[..., Task]

HEAD = "import torch\nfrom torch import nn\nfrom lrsearch import Batches, Mean, Workload\n"
GOOD = """
def loss(model, batch):
    (x,) = batch
    return model(x).square().mean()

def make(kind="tensors", **parts):
    x = torch.randn(20, 3)
    given = dict(model=nn.Linear(3, 1), batches=Batches(x, batch_size=5), loss=loss,
                 metrics={"train_loss": Mean(loss, x)})
    return Workload(**(given | parts))
"""


def broken(lines: str) -> str:
    return f"{HEAD}{GOOD}\n{lines}"


CASES = {
    "no such file": (None, ("workload.py:make", "worklaod.py:make"), "task.yaml:3:1 workload names worklaod.py, which does not exist; write it"),
    "a file of nearly that name": ("", ("workload.py:make", "worklad.py:make"), "task.yaml:3:1 workload names worklad.py, which does not exist; did you mean workload.py?"),
    "no such name": (broken(""), (":make", ":mke"), "task.yaml:3:1 workload names mke in workload.py, which does not exist; did you mean make?"),
    "not callable": (broken("value = 3"), (":make", ":value"), "task.yaml:3:1 workload names value in workload.py, which is not callable; name a function"),
    "no such package": ("", ("workload.py:make", "no_such_package.x:make"), "task.yaml:3:1 workload names the module no_such_package.x, which cannot be found; install it or mend the name"),
    "a package that needs one": ("import no_such_package\n", None, "workload.py:1 needs no_such_package, which is not installed; install it"),
    "import raises": ("x = 1\nraise OSError('no\\nluck')\n", None, "workload.py:2 importing workload.py raised OSError: no; mend it, then run again"),
    "import exits": ("import sys\nsys.exit(3)\n", None, "workload.py:2 importing workload.py raised SystemExit: 3; mend it"),
    "syntax error": ("def make(:\n", None, "workload.py:1 importing workload.py raised SyntaxError: invalid syntax"),
    "raises": ("def make(kind):\n    raise ValueError\n", None, "workload.py:2 workload.py:make raised ValueError; mend it, then run again"),
    "raises in a library": ("import torch\ndef make(kind):\n    torch.zeros(2) + torch.zeros(3)\n", None, "workload.py:3 workload.py:make raised RuntimeError: The size of tensor"),
    "exits": ("import sys\ndef make(kind):\n    sys.exit('no data')\n", None, "workload.py:3 workload.py:make raised SystemExit: no data; mend it"),
    "another type": ("def make(kind):\n    return {}\n", None, "task.yaml:3:1 workload workload.py:make returned dict; let it return a lrsearch.Workload"),
    "misspelt argument": ("def make(kinds=1):\n    ...\n", None, "task.yaml:4:13 arguments.kind is no argument of workload.py:make; did you mean kinds?"),
    "unknown argument": ("def make(a, b):\n    ...\n", None, "task.yaml:4:13 arguments.kind is no argument of workload.py:make; it takes a, b"),
    "argument of none": ("def make():\n    ...\n", None, "task.yaml:4:13 arguments.kind is no argument of workload.py:make; it takes none"),
    "an argument missing": ("def make(kind, size):\n    ...\n", None, "task.yaml:4:1 arguments.size is missing, which workload.py:make needs; add arguments: {size: ...}"),
    "something built in": (None, ("workload.py:make", "builtins:dict"), "task.yaml:3:1 workload builtins:dict returned dict; let it return"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_callable_is_one_line(make_task: MakeTask, case: str, tmp_path: Path) -> None:
    workload, replacement, line = CASES[case]
    task = make_task(*[replacement] if replacement else [], workload=workload)
    with pytest.raises(LRSearchError) as raised:
        make_workload(task, "sgd", seed=0)
    message = str(raised.value).replace(f"{tmp_path}/", "")
    assert message.startswith(line)
    assert "\n" not in message
    assert raised.value.exit_status == 2


def test_an_entrys_own_argument_is_named_at_its_place(make_task: MakeTask) -> None:
    own = "{arguments: {kin: 1}, lr: {start: 0.1}}"
    task = make_task(("{lr: {start: 0.1}}", own), workload="def make(kind):\n    ...\n")
    with pytest.raises(
        TaskError, match=r"task.yaml:7:21 optimizers.sgd.arguments.kin is no .*; did you mean kind\?"
    ):
        make_workload(task, "sgd", seed=0)


def test_the_projects_own_errors_pass_as_they_are(make_task: MakeTask) -> None:
    workload = "from lrsearch.errors import DataError\ndef make(kind):\n    raise DataError('x.gz is cut short; fetch it')\n"
    with pytest.raises(DataError, match=r"^x.gz is cut short; fetch it$"):
        make_workload(make_task(workload=workload), "sgd", seed=0)


def test_modules_beside_the_workload_can_be_imported(make_task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "lying_beside.py").write_text("def size(): return 3\n")
    workload = f"{HEAD}from lying_beside import size\n{GOOD}"
    make_workload(make_task(workload=workload), "sgd", seed=0)


def test_a_seed_gives_the_same_weights_whatever_was_drawn_before(make_task: MakeTask) -> None:
    task = make_task()
    one = make_workload(task, "sgd", seed=1).model.state_dict()
    torch.rand(5)
    two = make_workload(task, "sgd", seed=1).model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


# -- one try before a run ----------------------------------------------------------------------------------------------

TRIES = {
    "a vector for a loss": ("loss=lambda model, batch: model(batch[0])", "workload workload.py:make has a loss of shape [5, 1]; let it give one number, a scalar tensor"),
    "a float for a loss": ("loss=lambda model, batch: 0.5", "workload workload.py:make has a loss of type float; let it give one number"),
    "a loss that raises": ("loss=lambda model, batch: batch.no", "workload.py:15 workload.py:make raised AttributeError: 'tuple' object has no attribute 'no' on its first batch; mend it"),
    "a loss without a gradient": ("loss=lambda model, batch: torch.zeros(())", "raised RuntimeError: element 0 of tensors does not require grad"),
    "a loss that exits": ("loss=lambda model, batch: exit('enough')", "raised SystemExit: enough on its first batch"),
    "empty batches": ("batches=[]", "raised ValueError: the workload's batches are empty"),
    "a metric that raises": ("metrics={'train_loss': lambda model, n: 1 / 0}", "workload.py:15 workload.py:make raised ZeroDivisionError: division by zero"),
    "a metric of another name": ("metrics={'train_los': lambda model, n: 1.0}", "task.yaml:2:1 metric.name is train_loss, which workload.py:make does not give; did you mean train_los?"),
}  # fmt: skip


@pytest.mark.parametrize("case", TRIES)
def test_what_fails_on_the_first_batch_is_one_line(make_task: MakeTask, case: str, tmp_path: Path) -> None:
    parts, line = TRIES[case]
    workload = (
        f"{HEAD}{GOOD.replace('(kind=', '_parts(kind=')}def make(kind):\n    return make_parts({parts})\n"
    )
    with pytest.raises((WorkloadError, TaskError)) as raised:
        check_trains(make_task(workload=workload))
    message = str(raised.value).replace(f"{tmp_path}/", "")
    assert line in message
    assert "\n" not in message


def test_a_good_task_gives_the_parameters_of_each_entry(make_task: MakeTask) -> None:
    entries = "sgd: {lr: {start: 0.1}}\n  adam: {lr: {start: 0.1}}\n  other: {base: sgd, lr: 0.1, arguments: {kind: loader}}"
    assert check_trains(make_task(("sgd: {lr: {start: 0.1}}", entries))).parameters == {
        "sgd": 81,
        "adam": 81,
        "other": 81,
    }


@pytest.mark.parametrize("kind", ["tensors", "loader", "carried"])
def test_a_good_task_passes(make_task: MakeTask, kind: str) -> None:
    check_trains(make_task(("kind: tensors", f"kind: {kind}")))


def test_the_cost_of_a_training_grows_with_its_length(make_task: MakeTask, tmp_path: Path) -> None:
    costs = []
    for iterations in (2_000, 200_000):
        task = make_task(
            ("iterations: 20, evaluate_every: 5", f"iterations: {iterations}, evaluate_every: 1000")
        )
        costs.append(measure_cost(task, task.entries["sgd"]))
    assert 20 < costs[1] / costs[0] < 500  # 100 times, but for the noise of a busy machine
