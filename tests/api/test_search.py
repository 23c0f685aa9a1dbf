"""``lrsearch.search``: what it finds is what a task file finds, it goes on, and it leaves the process as it was."""

import importlib.util
import itertools
import linecache
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import yaml

import lrsearch
from lrsearch.errors import StudyMismatchError, TrainingError, UsageError
from lrsearch.task.live_code import live_code
from lrsearch.trial import SearchId

LOOP = """
import torch
from torch import nn

POINTS = 64

def loss_of(model):
    fixed = torch.Generator().manual_seed(0)
    x = torch.randn(POINTS, 4, generator=fixed)
    return (model(x) - x[:, :1] + x[:, 1:2] ** 2).square().mean()

def train(trial):
    model = nn.Sequential(nn.Linear(4, trial.arguments.get("width", 8)), nn.Tanh(), nn.LazyLinear(1))
    loss_of(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.lr)
    for iteration in range(trial.iterations + 1):
        if trial.is_due(iteration) and trial.report(iteration, train_loss=loss_of(model)):
            return
        optimizer.zero_grad()
        (loss_of(model) * (1 + 0.1 * torch.randn(()))).backward()
        optimizer.step()
"""


CELLS = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the user's, imported, in a folder where the process stands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(LOOP)
    spec = importlib.util.spec_from_file_location("mine", tmp_path / "mine.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mine", made)
    spec.loader.exec_module(made)
    return made


def search(train: Callable[..., Any], **changed: Any) -> lrsearch.Verdicts:
    given = {"start": 0.1, "iterations": 40, "seeds": 2, "progress": False} | changed
    return lrsearch.search(train, given.pop("optimizers", "sgd"), **given)


def in_a_notebook(source: str, kept: bool = True) -> Callable[..., Any]:
    """What a cell defines: it lies in no file that could be imported. IPython keeps its text, a shell does not."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cell = f"<cell {next(CELLS)}>"  # never that of another, whose text may still be kept
    if kept:
        linecache.cache[cell] = (len(source), None, source.splitlines(keepends=True), cell)
    exec(compile(source, cell, "exec"), names)
    found: Callable[..., Any] = names["train"]
    return found


# -- what it finds -----------------------------------------------------------------------------------------------------


def test_it_finds_what_the_task_file_finds(module: ModuleType, tmp_path: Path) -> None:
    found = search(module.train)
    (tmp_path / "task.yaml").write_text(
        "name: train\nloop: mine.py:train\nbudget: {iterations: 40, evaluate_every: 2}\nseeds: 2\n"
        "optimizers: {sgd: {lr: {start: 0.1}}}\n"
    )
    command = [
        sys.executable,
        "-m",
        "lrsearch.cli",
        "run",
        "task.yaml",
        "--engine",
        "inline",
        "--studies",
        "other",
    ]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    kept = yaml.safe_load((tmp_path / "other/train/chosen.yaml").read_text())
    assert {**found.content, "made_with": None} == {**kept, "made_with": None}


def test_a_function_of_no_file_finds_the_same(module: ModuleType) -> None:
    def train(trial: lrsearch.LiveTrial) -> None:
        module.train(trial)

    of_a_file, of_none = search(module.train), search(train, name="other")
    assert of_a_file.content["chosen"] == of_none.content["chosen"]


def test_a_workload_is_searched_too(module: ModuleType) -> None:
    def make(scale: float) -> lrsearch.Workload:
        model = torch.nn.Linear(4, 1)
        data = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
        targets = scale * data[:, :1]

        def loss(model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return (model(batch[0]) - batch[1]).square().mean()

        batches = lrsearch.Batches(data, targets, batch_size=8)
        return lrsearch.Workload(model, batches, loss, {"train_loss": lrsearch.Mean(loss, data, targets)})

    found = lrsearch.search(workload=make, start=0.1, iterations=40, arguments={"scale": 2.0}, progress=False)
    assert found.lr is not None


def test_what_it_gives_back(module: ModuleType) -> None:
    found = search(module.train)
    (verdict,) = found.verdicts.values()
    assert found.lr == verdict.chosen == found.chosen["sgd"].hyperparameters["lr"]
    assert list(found.verdicts) == [SearchId("sgd", "lr")]
    assert found.resolved == verdict.resolved
    assert isinstance(found.chosen["sgd"].build([torch.nn.Parameter(torch.ones(1))]), torch.optim.SGD)


def test_it_shows_itself_as_a_table_and_in_a_notebook_with_pictures(module: ModuleType) -> None:
    found = search(module.train)
    assert "chosen" in repr(found)
    assert "bracketed by" in str(found)
    html = found._repr_html_()
    assert html.count("<table>") == 1
    assert html.count("data:image/png;base64,") == 2


def test_several_entries_have_no_one_rate(module: ModuleType) -> None:
    entries = {"sgd": {"lr": {"start": 0.1}}, "fast": {"base": "sgd", "lr": 0.1}}
    found = search(module.train, optimizers=entries, start=None)
    with pytest.raises(UsageError, match=r'there are several entries; give one of them: .chosen\["sgd"\]'):
        _ = found.lr


# -- going on ----------------------------------------------------------------------------------------------------------


def test_the_same_call_goes_on_where_it_stopped(module: ModuleType, tmp_path: Path) -> None:
    tries: list[int] = []

    def train(trial: lrsearch.LiveTrial) -> None:
        tries.append(trial.seed)
        if len(tries) in (5, 6):  # twice alike: the run ends
            raise RuntimeError("the disk is full")
        module.train(trial)

    with pytest.raises(TrainingError, match="raised RuntimeError: the disk is full"):
        search(train)
    before = len(tries)
    whole = search(train)
    assert whole.lr is not None
    after = len(tries)
    search(train)
    assert after > before
    assert len(tries) == after  # a finished search trains nothing


@pytest.mark.parametrize(
    "change",
    [
        ("POINTS = 64", "POINTS = 32"),
        ("0.1 * torch.randn", "0.2 * torch.randn"),
        ("x[:, 1:2] ** 2", "x[:, 1:2]"),
    ],
    ids=["a value", "the function", "a function that it calls"],
)
@pytest.mark.parametrize("kept", [True, False], ids=["notebook", "shell"])
def test_a_notebook_s_changed_code_is_another_training(
    change: tuple[str, str], kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search(in_a_notebook(LOOP, kept))
    with pytest.raises(StudyMismatchError, match="loop's code has changed"):
        search(in_a_notebook(LOOP.replace(*change), kept))


def digest(cells: str) -> str:
    return live_code(in_a_notebook(cells)).text


NAMED = {
    "a dict": "config = {'width': 64}\ndef train(trial): return config['width']",
    "a list": "widths = [64]\ndef train(trial): return widths",
    "a base class": "class A:\n    width = 64\nclass B(A): pass\ndef train(trial): return B()",
    "a static method's helper": "def h(): return 64\nclass N:\n    @staticmethod\n    def f(): return h()\n"
    "def train(trial): return N.f()",
    "a partial": "import functools\ndef h(w): return w\np = functools.partial(h, 64)\ndef train(trial): return p()",
    "a default": "W = 64\ndef h(w=W): return w\ndef train(trial): return h()",
    "a decorated helper": "import torch\ndef g(): return 64\n@torch.no_grad()\ndef h(): return g()\n"
    "def train(trial): return h()",
}


@pytest.mark.parametrize("cells", NAMED.values(), ids=NAMED)
def test_what_a_notebook_s_function_names_belongs_to_it(cells: str) -> None:
    assert digest(cells) == digest(cells)
    assert digest(cells) != digest(cells.replace("64", "65"))


UNNAMED = {
    "an attribute's name": "def train(trial): return trial.lr",
    "what it fills itself": "seen = []\ndef train(trial): seen.append(trial.lr)",
    "an object": "data = (object(),)\ndef train(trial): return data",
}


@pytest.mark.parametrize("cells", UNNAMED.values(), ids=UNNAMED)
def test_what_is_no_code_of_a_notebook_s_function_does_not(cells: str) -> None:
    later = cells.replace("[]", "[1]") + "\nlr = 0.1"
    assert digest(cells) == digest(later)


@pytest.mark.parametrize("kept", [True, False], ids=["notebook", "shell"])
def test_the_same_code_in_another_session_goes_on(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (search(in_a_notebook(f"{comment}{LOOP}", kept)) for comment in ("", "# a comment"))
    assert first.content == second.content


def test_the_command_line_cannot_go_on_with_a_notebook_s_search(module: ModuleType, tmp_path: Path) -> None:
    def train(trial: lrsearch.LiveTrial) -> None:
        if trial.lr > 0.1 and trial.report(0, train_loss=1.0) is False:
            raise RuntimeError
        module.train(trial)

    with pytest.raises(TrainingError):
        search(train)
    done = subprocess.run(
        [sys.executable, "-m", "lrsearch.cli", "resume", "train"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.strip().endswith(
        "loop is train of a notebook or shell, which is not here; go on there, by calling lrsearch.search again"
    )


# -- the process -------------------------------------------------------------------------------------------------------


def test_it_leaves_the_process_s_generators_and_threads_as_they_were(module: ModuleType) -> None:
    torch.manual_seed(17)
    expected = torch.rand(1)
    torch.manual_seed(17)
    threads = torch.get_num_threads()
    search(module.train)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


def test_a_function_of_the_same_name_is_another_workload(module: ModuleType) -> None:
    def made(scale: float) -> Callable[..., lrsearch.Workload]:
        def make() -> lrsearch.Workload:
            data = torch.linspace(-1, 1, 32)[:, None]

            def loss(model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
                return (model(batch[0]) - batch[1]).square().mean()

            batches = lrsearch.Batches(data, scale * data, batch_size=8)
            metrics = {"train_loss": lrsearch.Mean(loss, data, scale * data)}
            return lrsearch.Workload(torch.nn.Linear(1, 1), batches, loss, metrics)

        return make

    firsts = []
    for scale in (1.0, 100.0):
        found = lrsearch.search(
            workload=made(scale), name=f"by{scale:g}", start=0.1, iterations=20, seeds=1, progress=False
        )
        firsts.append(found.states[0].trials[0].curve[0].value)
    assert firsts[1] > 100 * firsts[0]


def test_what_an_interrupt_left_does_not_train_beside_what_goes_on(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search(module.train, studies="whole")
    slow = threading.Event()

    def train(trial: lrsearch.LiveTrial) -> None:
        if trial.seed == 1 and not slow.is_set():
            trial.report(0, train_loss=1.0)
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            slow.set()
            for _ in range(200):
                time.sleep(0.01)
                torch.rand(100)
            trial.report(2, train_loss=1.0)
        module.train(trial)

    with pytest.raises(KeyboardInterrupt, match="every finished training is kept: the same call goes on"):
        search(train)
    again = search(train)
    assert again.content["chosen"] == whole.content["chosen"]


# -- what cannot be used -----------------------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"start": None}, "lrsearch.search needs a first guess for the learning rate of sgd; give start=0.01"),
    ({"start": 0.2}, "lrsearch.search: optimizers.sgd.lr.start is 0.2, on no rung of the lr ladder; give 0.1 or 0.3"),
    ({"optimizers": {"sgd": {"lr": {"start": 0.1}}}}, "start stands beside optimizers that have their own; write"),
    ({"iterations": "20"}, 'lrsearch.search: budget.iterations is "20"; give a whole number'),
    ({"seeds": "3"}, 'lrsearch.search: seeds is "3"; give a whole number'),
    ({"metric": 3}, "lrsearch.search: metric.name is 3; give text"),
    ({"evaluate_every": 0}, "lrsearch.search: budget.evaluate_every is 0; give a whole number"),
    ({"iterations": 0}, "lrsearch.search: budget.iterations is 0; give a whole number of at least 1"),
    ({"recipe": {"gradient_clip": 1}}, "lrsearch.search: recipe is not for a loop: it makes its own updates"),
    ({"settings": {"reslove": True}}, "lrsearch.search: search.reslove is not a key here; did you mean resolve?"),
    ({"name": "a/b"}, 'lrsearch.search: name is "a/b"; give a name of letters'),
]  # fmt: skip


@pytest.mark.parametrize(("given", "line"), BAD, ids=[line[17:60] for _, line in BAD])
def test_what_cannot_be_used_is_refused_in_one_line(
    given: dict[str, Any], line: str, module: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as raised:
        search(module.train, **given)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "studies").exists()


def test_neither_a_loop_nor_a_workload_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"takes a training loop or workload=\.\.\., one of them, a function"
    ):
        lrsearch.search(start=0.1, iterations=10)


CELLS_WITH_DATA = LOOP.replace("import torch", "import torch\nshift = torch.tensor([1.0, 2.0])", 1).replace(
    "def train(trial):\n", "def train(trial):\n    assert len(shift)\n"
)


def test_a_notebook_s_changed_data_is_another_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search(in_a_notebook(CELLS_WITH_DATA))
    with pytest.raises(StudyMismatchError, match="loop's data shift has changed"):
        search(in_a_notebook(CELLS_WITH_DATA.replace("2.0]", "3.0]")))


def test_data_that_cannot_be_seen_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = CELLS_WITH_DATA.replace("shift = torch.tensor([1.0, 2.0])", "shift = range(3)")
    search(in_a_notebook(cells.replace("range(3)", "__import__('collections').deque([3])")), progress=True)
    assert "changes of shift (deque) are not noticed" in capsys.readouterr().err


def test_a_loop_that_was_edited_after_its_import_is_refused(module: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LOOP.replace("0.1 * torch.randn", "0.2 * torch.randn"))
    with pytest.raises(UsageError, match="train would train as it was; restart"):
        search(module.train)
    assert not (tmp_path / "studies").exists()


def test_a_loop_that_ignores_the_rate_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = search(in_a_notebook(LOOP.replace("lr=trial.lr", "lr=0.1")))
    (state,) = found.states
    assert (found.lr, len({trial.spec.rung for trial in state.trials})) == (None, 4)
    assert "lr seems not to be used" in " ".join(str(found).split())


@pytest.mark.parametrize("form", ["train", "workload"])
def test_a_loss_that_is_not_finite_before_any_update_ends_at_once(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def train(trial: lrsearch.LiveTrial) -> None:
        trial.report(0, train_loss=float("nan"))

    def workload() -> lrsearch.Workload:
        x = torch.full((8, 2), float("nan"))
        model = torch.nn.Linear(2, 1)
        return lrsearch.Workload(
            model=model,
            batches=[x],
            loss=lambda net, batch: net(batch).mean(),
            metrics={"train_loss": lambda net, examples: net(x).mean()},
        )

    given = {"train": train} if form == "train" else {"workload": workload}
    with pytest.raises(UsageError, match="before the first update: this is the data or the model"):
        lrsearch.search(**given, start=0.1, iterations=40, seeds=2, progress=False)
    assert not (tmp_path / "studies").exists()


def test_another_optimizer_under_the_same_name_is_said_to_hide_the_first(
    module: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    search(module.train)
    search(module.train, optimizers="adam", progress=True)
    assert "also holds results of sgd, not searched this time" in " ".join(capsys.readouterr().err.split())
