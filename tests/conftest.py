"""What all tests share: one Ray and one PostgreSQL server for the whole run."""

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def started_ray() -> Iterator[None]:
    """Ray with two processors, started once: engines use it as it is. Its folder is short, for sockets' sake."""
    import_module("lrsearch.engine.ray")  # sets what Ray reads when it is imported
    import ray

    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        _temp_dir=folder,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


POSTGRES_PASSWORD = "canary7"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of the tests' own, which asks for a password; it ends with them."""
    folders = [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    programs = {
        name: shutil.which(name, path=os.pathsep.join(folders))
        for name in ("initdb", "postgres", "pg_isready")
    }
    if None in programs.values():
        pytest.skip("PostgreSQL is not installed")
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    # PostgreSQL does not run as root, so where these tests do, it runs as the user that it was installed with.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    (folder / "password").write_text(POSTGRES_PASSWORD)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    make = [programs["initdb"], "-D", folder / "data", "-U", "lrsearch", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run([*make, f"--pwfile={folder / 'password'}"], user=user, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    serve = [programs["postgres"], "-D", folder / "data", "-p", port, "-k", folder, "-h", "127.0.0.1"]
    # -F: without waiting for the disk.
    running = subprocess.Popen(
        [*serve, "-F"], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        ready = [programs["pg_isready"], "-h", "127.0.0.1", "-p", port, "-t", "30"]
        while subprocess.run(ready, capture_output=True).returncode:
            assert running.poll() is None, "the server ended"
        yield f"postgresql+psycopg://lrsearch:{POSTGRES_PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        running.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        running.wait(timeout=30)
        shutil.rmtree(folder)


@pytest.fixture
def postgres_database(postgres_server: str) -> str:
    """The URL of a database of the test's own on that server."""
    import sqlalchemy

    name = f"test_{secrets.token_hex(4)}"
    engine = sqlalchemy.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{postgres_server.rpartition('/')[0]}/{name}"
