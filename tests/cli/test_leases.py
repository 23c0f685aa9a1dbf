"""Runs of several machines on one server: each a process with a host name and a cache of its own."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from cli_runs import LRSEARCH, TASK, Process, wait_for, without_date, write_task

RUN = ("run", "valley.yaml", "--engine")
OTHER_NAME = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']


def may_rename() -> bool:
    with suppress(OSError):
        return subprocess.run([*OTHER_NAME, "there", "true"], capture_output=True).returncode == 0
    return False


pytestmark = pytest.mark.skipif(not may_rename(), reason="a process may not be given another host name here")

Machine = Callable[..., Process]


@pytest.fixture
def machine(tmp_path: Path, short_folder: Path, postgres_database: str) -> Iterator[Machine]:
    """Call the command line on a machine of a name, in its own folder; none of its processes outlives the test."""
    processes: list[subprocess.Popen[str]] = []

    def on(name: str, *arguments: str) -> Process:
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        own = {"XDG_CACHE_HOME": str(home / "cache"), "RAY_TMPDIR": str(short_folder)}
        popen = subprocess.Popen(
            [*OTHER_NAME, name, *LRSEARCH, *arguments],
            cwd=home,
            env=os.environ | own | {"LRSEARCH_STORAGE": postgres_database},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(popen)
        return Process(popen)

    yield on
    for popen in processes:
        with suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.communicate()


def standing(machine: Machine, folder: Path, engine: str = "inline") -> Process:
    """A run on the machine ``first`` that stands in its second training."""
    home = folder / "first"
    home.mkdir()
    write_task(home)
    (home / ".stop_at").write_text("30" if engine == "inline" else "10")
    first = machine("first", *RUN, engine)
    wait_for((home / "stopped").exists, "the batch where it is to stop")
    return first


def silent(url: str) -> None:
    """Let the owner's last sign lie a minute back."""
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE lrsearch_leases SET heartbeat = heartbeat - 60")
    engine.dispose()


def test_a_second_machine_is_told_who_writes(machine: Machine, tmp_path: Path) -> None:
    first = standing(machine, tmp_path)
    (tmp_path / "second").mkdir()
    write_task(tmp_path / "second")
    status, out, err = machine("second", *RUN, "inline").ended()
    assert (status, out) == (2, "")
    assert err.startswith(f"another lrsearch (process {first.popen.pid} on first, since 20")
    assert err.count("\n") == 1
    assert "running" in machine("second", "status").ended()[1]


def test_a_machine_that_was_interrupted_leaves_the_study_free(machine: Machine, tmp_path: Path) -> None:
    first = standing(machine, tmp_path)
    first.popen.send_signal(signal.SIGINT)
    assert first.ended()[0] == 130
    (tmp_path / "second").mkdir()
    write_task(tmp_path / "second")
    assert machine("second", *RUN, "inline").ended()[0] == 0


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_a_machine_that_slept_writes_nothing_more(
    machine: Machine, tmp_path: Path, finished: Path, postgres_database: str, engine: str
) -> None:
    first = standing(machine, tmp_path, engine)
    os.kill(first.popen.pid, signal.SIGSTOP)
    silent(postgres_database)
    (tmp_path / "second").mkdir()
    write_task(tmp_path / "second")
    status, _, err = machine("second", *RUN, "inline").ended()
    assert status == 0, err
    before = trials(postgres_database)

    (tmp_path / "first/.stop_at").unlink()
    os.kill(first.popen.pid, signal.SIGCONT)
    status, out, err = first.ended()
    *_, last = err.splitlines()
    assert (status, out) == (1, "")
    assert last == (
        "the study valley was taken over by another lrsearch (which has ended since), as this one was not heard of for "
        "30 s; it has written nothing since, and what had ended before is kept; look: lrsearch status valley"
    )
    assert "Traceback" not in err
    assert trials(postgres_database) == before
    assert not (tmp_path / "first/studies/valley/chosen.yaml").exists()
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "second/studies/valley/chosen.yaml") == expected


def test_four_machines_search_in_one_database_at_once(
    machine: Machine, tmp_path: Path, finished: Path, postgres_database: str
) -> None:
    """Also the first of all makes the tables while the others want them."""
    names = [f"valley{number}" for number in range(4)]
    for name in names:
        (tmp_path / name).mkdir()
        write_task(tmp_path / name)
        (tmp_path / name / "valley.yaml").write_text(TASK.replace("name: valley", f"name: {name}"))
    for run in [machine(name, *RUN, "inline") for name in names]:
        status, _, err = run.ended()
        assert status == 0, err
    expected = without_date(finished / "studies/valley/chosen.yaml")
    for name in names:
        chosen = without_date(tmp_path / name / "studies" / name / "chosen.yaml")
        assert chosen.replace(name, "valley") == expected
        of_this = trials(postgres_database, name)
        assert max(Counter((rung, seed) for rung, seed, *_ in of_this).values()) == 1, "trained twice"
        assert len(of_this) == 6


def trials(url: str, task: str = "valley") -> list[tuple[object, ...]]:
    study = optuna.load_study(study_name=f"{task}/sgd/lr", storage=url)
    return [
        (t.user_attrs["rung"], t.user_attrs["seed"], t.state, t.intermediate_values, t.datetime_complete)
        for t in study.trials
    ]
