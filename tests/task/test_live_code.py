"""What a function of a shell or notebook is hangs on its code alone, not on what ran before in its process."""

import builtins
import linecache
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lrsearch.task.live_code import live_code

CELLS = {
    "a function": "k = 2\ndef helper(x): return k * x\ndef train(trial):\n    return helper(trial)",
    "a lambda": "k = 2\ntrain = lambda trial: k * trial",
    "a closure": "def make(k):\n    def train(trial):\n        return k * trial\n    return train\ntrain = make(2)",
    "a class": "class Net:\n    width = 2\n    def __init__(self, x): self.x = x\n"
    "def train(trial):\n    return Net(trial).x",
    "a decorated one": "import functools\ndef plus(f):\n    @functools.wraps(f)\n"
    "    def wrapper(x): return f(x) + 1\n    return wrapper\n@plus\ndef train(trial):\n    return 2 * trial",
    "a partial": "import functools\ndef scaled(k, trial): return k * trial\ntrain = functools.partial(scaled, 2)",
}


def train_of(cell: str, file: str, kept: str | None = None) -> Any:
    """What a cell defines as ``train``; ``kept`` is the text that is kept under its file's name."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(cell, file, "exec"), names)
    if kept is not None:
        keep(file, kept)
    return names["train"]


def keep(file: str, text: str) -> None:
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)


@pytest.fixture(autouse=True)
def texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text that is kept here is kept for other tests."""
    monkeypatch.setattr(linecache, "cache", dict(linecache.cache))


@pytest.mark.parametrize("file", ["<stdin>", "<console>", "<string>"])
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_name_that_all_inputs_share_has_no_text(cell: str, file: str) -> None:
    alone = live_code(train_of(cell, file)).text
    assert live_code(train_of(cell, file, kept=cell)).text == alone
    assert live_code(train_of(cell, file, kept=CELLS["a function"])).text == alone


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_the_text_of_another_input_is_not_taken(cell: str) -> None:
    alone = live_code(train_of(cell, "<cell a>")).text
    other = f"def train(trial): return 1\n{cell.replace('2', '3')}"
    assert live_code(train_of(cell, "<cell b>", kept=other)).text == alone


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_what_is_kept_of_its_own_input_is_its_text(cell: str) -> None:
    commented = f"# a comment\n{cell}"
    first = live_code(train_of(cell, "<cell a>", kept=cell)).text
    assert live_code(train_of(commented, "<cell b>", kept=commented)).text == first


def test_of_two_lambdas_on_a_line_neither_has_the_text() -> None:
    cell = "one, two = (lambda trial: 1), (lambda trial: 2)\ntrain = one"
    other = cell.replace("train = one", "train = two")
    assert (
        live_code(train_of(cell, "<cell a>", kept=cell)).text
        != live_code(train_of(other, "<cell b>", kept=other)).text
    )


@pytest.mark.parametrize("kept", [True, False], ids=["notebook", "shell"])
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_it_is_the_same_after_a_thousand_runs(cell: str, kept: bool) -> None:
    train = train_of(cell, "<cell a>", cell if kept else None)
    before = live_code(train).text
    for _ in range(1000):  # its bytecode is specialised by then
        train(3)
    assert live_code(train).text == before


CHANGING = {
    "a number": "n = 0\ndef train(trial):\n    global n\n    n += 1",
    "a counted dict": "n = {'a': 0}\ndef train(trial):\n    n['a'] += 1",
    "a dict by several keys": "n = {}\ndef train(trial):\n    n[trial, trial, trial, trial] = 1",
    "a list in a dict": "n = {'a': []}\ndef train(trial):\n    n['a'].append(1)",
    "a list that another function fills": "n = []\ndef note(): n.append(1)\n"
    "def train(trial):\n    note()\n    return len(n)",
    "a number that another function counts": "n = 0\ndef note():\n    global n\n    n += 1\n"
    "def train(trial):\n    note()\n    return n",
    "a default": "def train(trial, seen={}):\n    seen[trial] = 1",
    "a keyword's default": "def train(trial, *, seen=[]):\n    seen.append(trial)",
    "a closure's number": "def make():\n    n = 0\n    def train(trial):\n        nonlocal n\n        n += 1\n"
    "    return train\ntrain = make()",
    "a closure's list": "def make():\n    n = []\n    def note(): n.append(1)\n    def train(trial):\n"
    "        note()\n        return n\n    return train\ntrain = make()",
    "a class's number": "class A:\n    n = 0\n    def __init__(self): A.n += 1\ndef train(trial): return A()",
    "a class's number by cls": "class A:\n    n = 0\n    @classmethod\n    def make(cls):\n        cls.n += 1\n"
    "def train(trial): return A.make()",
    "a class's list": "class A:\n    n = []\n    def __init__(self): self.n.append(1)\ndef train(trial): return A()",
    "a tensor": "import torch\nn = torch.zeros(2, 2)\ndef train(trial):\n    n[0, :] += trial",
}


@pytest.mark.parametrize("cell", CHANGING.values(), ids=CHANGING)
def test_what_it_changes_as_it_trains_is_no_code(cell: str) -> None:
    train = train_of(cell, "<stdin>")
    before = live_code(train)
    train(3)
    after = live_code(train)
    assert (before.text, before.data) == (after.text, after.data)


def test_a_list_that_it_only_reads_still_is() -> None:
    one, other = (
        live_code(train_of(f"n = [{k}]\ndef train(trial):\n    return n[0]", "<stdin>")) for k in "12"
    )
    assert one.text != other.text


def test_a_function_that_it_calls_on_the_way_still_is() -> None:
    cell = "def helper(): return [1]\ndef train(trial):\n    helper()[0] = 3"
    one, other = (live_code(train_of(cell.replace("[1]", k), "<stdin>")) for k in ("[1]", "[2]"))
    assert one.text != other.text


def test_names_that_a_shell_adds_to_the_builtins_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    train = train_of("_ = 3\ndef train(trial):\n    return _", "<stdin>")
    before = live_code(train).text
    monkeypatch.setattr(builtins, "_", 1, raising=False)  # what a shell does when it has shown a value
    assert live_code(train).text == before


def test_a_name_that_nothing_was_given_to_yet_has_no_value() -> None:
    cell = "def make():\n    def train(trial): return later\n    return train\n    later = 1\ntrain = make()"
    assert "later" not in live_code(train_of(cell, "<stdin>")).text


def test_a_class_of_the_program_that_runs_the_shell_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = "class Net:\n    def f(self): return 1\nclass Sizes:\n    width = 3\ndef train(trial): return Net(), Sizes()"
    train = train_of(cell, "<stdin>")
    before = live_code(train).text
    (tmp_path / "launcher.py").write_text(
        "class Net:\n    def run(self): pass\nclass Sizes:\n    height = 2\n"
    )
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "launcher.py"), raising=False)
    assert live_code(train).text == before


IN_A_PROCESS = """
import hashlib, sys
from lrsearch.task.live_code import live_code

names = {"__name__": "__main__"}
exec(compile(sys.argv[1], "<stdin>", "exec"), names)
print(hashlib.sha256(live_code(names["train"]).text.encode()).hexdigest())
"""


def test_it_is_the_same_in_every_process() -> None:
    cell = "\n".join(cell.replace("train", f"train_{n}") for n, cell in enumerate(CELLS.values()))
    cell += f"\ndef train(trial): return {', '.join(f'train_{n}' for n in range(len(CELLS)))}"
    command = [sys.executable, "-c", IN_A_PROCESS, cell]
    seen = {
        subprocess.run(
            command,
            env={"PYTHONHASHSEED": str(n), "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for n in range(3)
    }
    assert len(seen) == 1
