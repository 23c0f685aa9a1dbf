"""Studies on a PostgreSQL server: a real one, started for these tests where it is installed."""

from pathlib import Path

import pytest
import sqlalchemy
from cli_runs import Process, wait_for, without_date, write_task

from lrsearch.errors import StudyLockedError
from lrsearch.store.optuna import open_store
from lrsearch.task import load_task
from lrsearch.task.fingerprint import identity_of

SECRET = "canary7"
"""The server's password."""


def test_a_search_goes_on_from_it_and_ends_as_in_sqlite(
    postgres_server: str, tmp_path: Path, start, finished: Path
) -> None:
    server = postgres_server
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text("30")
    killed: Process = start("run", "valley.yaml", "--engine", "inline", "--storage", server)
    wait_for((tmp_path / "stopped").exists, "the batch where it is to stop")
    killed.popen.kill()
    _, said, error = killed.ended()
    (tmp_path / ".stop_at").unlink()
    resumed: Process = start("resume", "valley", "--engine", "inline", "--storage", server)
    status, out, err = resumed.ended()
    assert (status, out) == (0, ""), err
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "studies/valley/chosen.yaml") == expected
    assert SECRET not in said + error + err


def test_no_password_is_shown(postgres_server: str, cli) -> None:
    server = postgres_server
    there = cli("status", "--storage", server)
    missing = cli("status", "nosuch", "--storage", server)
    refused = cli("status", "--storage", server.replace(SECRET, "wrong7"))
    gone = cli("status", "--storage", server.replace("/postgres", "/nosuch"))
    assert [there[0], missing[0], refused[0], gone[0]] == [0, 2, 2, 2]
    said = "".join(text for _, *texts in (there, missing, refused, gone) for text in texts)
    assert SECRET not in said
    assert "wrong7" not in said
    assert refused[2].count("\n") == gone[2].count("\n") == 1


def test_two_machines_do_not_write_to_one_study(postgres_server: str, tmp_path: Path) -> None:
    server = postgres_server
    write_task(tmp_path, **{"name: valley": "name: twice"})
    task = load_task(tmp_path / "valley.yaml")
    here = open_store(task, identity_of(task), server, tmp_path / "here.lock")
    with pytest.raises(StudyLockedError, match=r"another lrsearch \(process"):
        open_store(task, identity_of(task), server, tmp_path / "there.lock")
    here.close()
    open_store(task, identity_of(task), server, tmp_path / "there.lock").close()


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_a_database_that_goes_away_ends_the_run_in_one_line(
    postgres_server: str, postgres_database: str, tmp_path: Path, short_folder: Path, start, engine: str
) -> None:
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text("30" if engine == "inline" else "10")
    run: Process = start(
        "run",
        "valley.yaml",
        "--engine",
        engine,
        "--storage",
        postgres_database,
        RAY_TMPDIR=str(short_folder),
    )
    wait_for((tmp_path / "stopped").exists, "the batch where it is to stop")
    server = sqlalchemy.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {postgres_database.rpartition('/')[2]} WITH (FORCE)")
    server.dispose()
    (tmp_path / ".stop_at").unlink()
    status, out, err = run.ended()
    assert (status, out) == (1, "")
    *_, last = err.splitlines()
    assert last.startswith("the storage postgresql+psycopg://lrsearch:***@127.0.0.1:")
    assert "cannot be written any more (OperationalError: " in last
    assert last.endswith("; what had ended is kept; see that it is there and has room, and run it again")
    assert "Traceback" not in err
    assert SECRET not in err


def test_a_connection_that_was_cut_is_made_anew(
    postgres_server: str, postgres_database: str, tmp_path: Path, start
) -> None:
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text("30")
    run: Process = start("run", "valley.yaml", "--engine", "inline", "--storage", postgres_database)
    wait_for((tmp_path / "stopped").exists, "the batch where it is to stop")
    server = sqlalchemy.create_engine(postgres_server)
    with server.connect() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        assert connection.exec_driver_sql(cut, (postgres_database.rpartition("/")[2],)).all()
    server.dispose()
    (tmp_path / ".stop_at").unlink()
    assert run.ended()[0] == 0


def test_a_url_without_a_driver_takes_the_one_that_is_there(postgres_server: str, cli) -> None:
    assert cli("status", "--storage", postgres_server.replace("+psycopg", ""))[0] == 0
