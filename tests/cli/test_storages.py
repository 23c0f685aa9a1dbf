"""Storages of other kinds, and several runs that begin in one database at once."""

import os
import signal
from pathlib import Path

import optuna
from cli_runs import TASK, wait_for, without_date, write_task

from lrsearch.training import preflight

RUN = ("run", "valley.yaml", "--engine", "inline")
PROMISES = (
    "journal:///FOLDER/studies.log is a journal file: a second run is kept out on this machine only, after a kill the "
    "next run may wait half a minute, and a full disk may leave it unreadable; SQLite and PostgreSQL are safe from all "
    "three\n"
)


def test_a_journal_file_says_which_promises_it_does_not_keep(cli, tmp_path: Path, finished: Path) -> None:
    write_task(tmp_path)
    storage = ("--storage", f"journal:///{tmp_path}/studies.log")
    status, _, err = cli(*RUN, *storage)
    assert (status, err.count(PROMISES)) == (0, 1)
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "studies/valley/chosen.yaml") == expected
    assert cli("explain", "valley", *storage)[0] == 0
    assert "valley" in cli("status", *storage)[1]
    nothing = "there is no study nosuch in journal:///FOLDER/studies.log; there are valley\n"
    assert cli("explain", "nosuch", *storage) == (2, "", nothing)


def test_a_journal_file_that_is_not_there_is_not_made_by_a_look(cli, tmp_path: Path) -> None:
    assert cli("status", "--storage", "journal:///none/studies.log")[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_in_a_journal_file_is_refused_and_a_killed_one_goes_on(
    cli, tmp_path: Path, start, finished: Path, monkeypatch
) -> None:
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text("30")
    first = start(*RUN, "--storage", "journal:///studies.log")
    wait_for((tmp_path / "stopped").exists, "the batch where it is to stop")
    with monkeypatch.context() as patch:
        patch.setattr("lrsearch.training.preflight.check_trains", lambda task: preflight.Tried({}, {}))
        line = (
            "another lrsearch is writing to the study valley; wait for it, or look: lrsearch status valley\n"
        )
        assert cli(*RUN, "--storage", "journal:///studies.log") == (2, "", line)
    os.killpg(first.popen.pid, signal.SIGKILL)
    first.popen.wait()
    (tmp_path / ".stop_at").unlink()
    assert cli("resume", "valley", "--engine", "inline", "--storage", "journal:///studies.log")[0] == 0
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "studies/valley/chosen.yaml") == expected


def test_nothing_is_said_of_a_storage_that_keeps_every_promise(cli, tmp_path: Path) -> None:
    write_task(tmp_path)
    _, _, err = cli(*RUN, "--storage", "sqlite:///own.db")
    assert "sqlite" not in err


def test_a_database_in_memory_is_refused(cli, tmp_path: Path) -> None:
    write_task(tmp_path)
    line = "sqlite:// keeps nothing; name a file, as in sqlite:///study.db\n"
    assert cli(*RUN, "--storage", "sqlite://") == (2, "", line)


def test_several_runs_make_one_sqlite_file_at_once(tmp_path: Path, start) -> None:
    names = [f"valley{number}" for number in range(4)]
    write_task(tmp_path)
    for name in names:
        (tmp_path / f"{name}.yaml").write_text(TASK.replace("name: valley", f"name: {name}"))
    runs = [
        start("run", f"{name}.yaml", "--engine", "inline", "--storage", "sqlite:///all.db") for name in names
    ]
    for run in runs:
        status, _, err = run.ended()
        assert status == 0, err
    for name in names:
        study = optuna.load_study(study_name=f"{name}/sgd/lr", storage=f"sqlite:///{tmp_path}/all.db")
        assert (
            len(study.trials)
            == len({(t.user_attrs["rung"], t.user_attrs["seed"]) for t in study.trials})
            == 6
        )
