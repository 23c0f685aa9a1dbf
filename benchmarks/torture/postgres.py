"""A PostgreSQL server of one's own on this machine, which asks for a password; for the torture and the tests."""

import atexit
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PASSWORD = "canary7"
_PROGRAMS = ("initdb", "postgres", "pg_isready")


class MissingError(Exception):
    """PostgreSQL or its driver is not installed."""


@contextmanager
def server() -> Iterator[str]:
    """Run a server; give the URL of its first database. It ends with the context, and its data with it.

    Raises:
        MissingError: PostgreSQL or psycopg is not installed.
    """
    folders = [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    programs = {name: shutil.which(name, path=os.pathsep.join(folders)) for name in _PROGRAMS}
    if None in programs.values():
        raise MissingError("PostgreSQL is not installed")
    if find_spec("psycopg") is None:
        raise MissingError("psycopg is not installed")
    # PostgreSQL does not run as root, so where this process does, it runs as the user that it was installed with.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    (folder / "password").write_text(PASSWORD)
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
            if running.poll() is not None:
                raise RuntimeError("the PostgreSQL server ended as it began")
        yield f"postgresql+psycopg://lrsearch:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        running.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        running.wait(timeout=30)
        shutil.rmtree(folder)


def new_database(of_server: str) -> str:
    """Make a database on a server and give its URL."""
    import sqlalchemy

    name = f"test_{secrets.token_hex(4)}"
    engine = sqlalchemy.create_engine(of_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{of_server.rpartition('/')[0]}/{name}"


@cache
def shared_server() -> str:
    """Give the URL of a server that runs until this process ends."""
    running = ExitStack()
    url = running.enter_context(server())
    owner = os.getpid()
    atexit.register(lambda: running.close() if os.getpid() == owner else None)
    return url
