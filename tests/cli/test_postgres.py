"""Studies on a PostgreSQL server: a real one, started for these tests where it is installed."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli_runs import Process, wait_for, without_date, write_task

from lrsearch.errors import StudyLockedError
from lrsearch.store.optuna import open_store
from lrsearch.task import load_task
from lrsearch.task.fingerprint import identity_of

SECRET = "canary7"
PROGRAMS = os.pathsep.join([os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])


def program(name: str) -> str | None:
    return shutil.which(name, path=PROGRAMS)


pytestmark = [
    pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed"),
    pytest.mark.skipif(find_spec("psycopg") is None, reason="psycopg is not installed"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server of its own, which asks for a password; it ends with the tests."""
    # PostgreSQL does not run as root, so where these tests do, it runs as the user that it was installed with.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    (folder / "password").write_text(SECRET)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    make = [program("initdb"), "-D", folder / "data", "-U", "lrsearch", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run([*make, f"--pwfile={folder / 'password'}"], user=user, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # -F: without waiting for the disk.
    serve = [
        program("postgres"),
        "-D",
        folder / "data",
        "-p",
        str(port),
        "-k",
        folder,
        "-h",
        "127.0.0.1",
        "-F",
    ]
    running = subprocess.Popen(serve, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ready = [program("pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "30"]
    try:
        while subprocess.run(ready, capture_output=True).returncode:
            assert running.poll() is None, "the server ended"
        yield f"postgresql+psycopg://lrsearch:{SECRET}@127.0.0.1:{port}/postgres"
    finally:
        running.terminate()
        running.wait(timeout=30)
        shutil.rmtree(folder)


def test_a_search_goes_on_from_it_and_ends_as_in_sqlite(
    server: str, tmp_path: Path, start, finished: Path
) -> None:
    write_task(tmp_path)
    (tmp_path / "stop_at").write_text("30")
    killed: Process = start("run", "valley.yaml", "--engine", "inline", "--storage", server)
    wait_for((tmp_path / "stopped").exists, "the batch where it is to stop")
    killed.popen.kill()
    _, said, error = killed.ended()
    (tmp_path / "stop_at").unlink()
    resumed: Process = start("resume", "valley", "--engine", "inline", "--storage", server)
    status, out, err = resumed.ended()
    assert (status, out) == (0, ""), err
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "studies/valley/chosen.yaml") == expected
    assert SECRET not in said + error + err


def test_no_password_is_shown(server: str, cli) -> None:
    there = cli("status", "--storage", server)
    missing = cli("status", "nosuch", "--storage", server)
    refused = cli("status", "--storage", server.replace(SECRET, "wrong7"))
    gone = cli("status", "--storage", server.replace("/postgres", "/nosuch"))
    assert [there[0], missing[0], refused[0], gone[0]] == [0, 2, 2, 2]
    said = "".join(text for _, *texts in (there, missing, refused, gone) for text in texts)
    assert SECRET not in said
    assert "wrong7" not in said
    assert refused[2].count("\n") == gone[2].count("\n") == 1


def test_two_machines_do_not_write_to_one_study(server: str, tmp_path: Path) -> None:
    write_task(tmp_path, **{"name: valley": "name: twice"})
    task = load_task(tmp_path / "valley.yaml")
    here = open_store(task, identity_of(task), server, tmp_path / "here.lock")
    with pytest.raises(StudyLockedError, match="from another machine"):
        open_store(task, identity_of(task), server, tmp_path / "there.lock")
    here.close()
    open_store(task, identity_of(task), server, tmp_path / "there.lock").close()
