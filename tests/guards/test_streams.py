"""lrsearch's own streams, and users' code where it runs in this process."""

import fcntl
import io
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import lrsearch
from lrsearch import streams, users_code
from lrsearch.report.console import OwnConsole


def printed(logs: Path, name: str = "a") -> str:
    return (logs / f"{name}.log").read_text()


def test_what_is_no_descriptor_is_redirected_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook."""
    cell = io.StringIO()
    monkeypatch.setattr(sys, "stdout", cell)
    with users_code.contained(tmp_path):
        users_code.begin("a")
        print("in the log")
    print("in the cell")
    assert (printed(tmp_path), cell.getvalue()) == ("in the log\n", "in the cell\n")


def test_all_is_left_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr, os.getcwd(), os._exit, os.execv, os.fstat(0), os.fstat(1), os.fstat(2)
    with users_code.contained(tmp_path):
        users_code.begin("a")
        os.chdir(tmp_path)
        sys.stdout = sys.stderr = io.StringIO()
    after = sys.stdout, sys.stderr, os.getcwd(), os._exit, os.execv, os.fstat(0), os.fstat(1), os.fstat(2)
    assert after == before
    os.write(1, b"out")
    assert capfd.readouterr() == ("out", "")


@pytest.mark.parametrize(
    "leave",
    [
        lambda: sys.stdout.close(),
        lambda: setattr(sys, "stdout", io.TextIOWrapper(sys.stdout.detach())),  # type: ignore[attr-defined]
        lambda: setattr(sys, "stdout", None),
    ],
    ids=["closed", "detached", "replaced"],
)
def test_the_next_training_has_its_output_whatever_the_one_before_left(tmp_path: Path, leave: object) -> None:
    with users_code.contained(tmp_path):
        users_code.begin("a")
        assert callable(leave)
        leave()
        users_code.end()
        users_code.begin("b")
        print("printed")
    assert printed(tmp_path, "b") == "printed\n"


def test_a_handler_that_a_training_made_writes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with users_code.contained(tmp_path):
        users_code.begin("a")
        handler = logging.StreamHandler()
        sys.stderr.close()
    handler.emit(logging.makeLogRecord({"msg": "later"}))
    assert capfd.readouterr().err == "later\n"


def test_each_training_begins_in_the_folder_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LRSEARCH_DATA", "data")
    with users_code.contained(tmp_path / "logs"):
        for name in "ab":
            users_code.begin(name)
            os.chdir("data")
            assert Path(os.environ["LRSEARCH_DATA"]).samefile(tmp_path / "data")


def test_where_no_log_can_be_written_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with users_code.contained(tmp_path / "file/logs"):
        users_code.begin("a")
        print("lost", flush=True)
        subprocess.run("echo lost", shell=True, check=True)


def test_logs_are_shown_line_by_line_with_their_names(tmp_path: Path) -> None:
    (tmp_path / "old.log").write_bytes(b"before\n")
    said: list[str] = []
    with streams.shown(tmp_path, said.append):
        with (tmp_path / "old.log").open("ab") as old:
            old.write(b"10 %\r50 %\rdone\r\n")
        (tmp_path / "new.log").write_bytes(b"one\n\xff\nhalf")
    assert sorted(said) == ["new | half", "new | one", "new | \ufffd", "old | done"]


def test_a_console_is_as_wide_as_its_own_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 133, 0, 0))
    with open(theirs, "w") as terminal, users_code.contained(tmp_path):
        users_code.begin("a")
        assert OwnConsole(terminal).size == (133, 40)
        monkeypatch.setenv("COLUMNS", "70")
        assert OwnConsole(terminal).width == 70
    os.close(ours)


def test_a_search_in_python_leaves_what_it_prints_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def train(trial: lrsearch.LiveTrial) -> None:
        os.chdir("data")
        print("trains", trial.seed)
        for iteration in range(trial.iterations + 1):
            loss = 1 / (1 + iteration * trial.lr) + trial.lr
            if trial.is_due(iteration) and trial.report(iteration, train_loss=loss):
                return

    given = {"start": 0.1, "iterations": 20, "seeds": 1, "progress": False}
    found = lrsearch.search(train, name="quiet", **given)  # type: ignore[arg-type]
    assert capfd.readouterr() == ("", "")
    assert printed(found.folder / "logs", "sgd-lr-0") == "trains 0\n"
    lrsearch.search(train, name="shown", show_output=True, **given)  # type: ignore[arg-type]
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.splitlines())[0] == "sgd-lr-0 | trains 0"
