"""The database behind a storage URL: whether it is there, why it is not, how it is made and made safe."""

import errno
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy
from filelock import FileLock

from lrsearch.errors import StorageError, UsageError
from lrsearch.store.filesystem import Mount, refuse_network
from lrsearch.store.url import JOURNAL, journal_file, shown_url, without_secrets

_CREATION = 0x6C72736561726368
"""The key of PostgreSQL's advisory lock for making tables: ``lrsearch`` in ASCII."""


def database_url(url: str) -> str:
    """Give a storage URL with a driver that is there: psycopg where ``postgresql://`` would take psycopg2 in vain."""
    scheme, colon, rest = url.partition("://")
    if scheme in ("postgresql", "postgres") and find_spec("psycopg2") is None and find_spec("psycopg"):
        return f"postgresql+psycopg{colon}{rest}"
    return url


def sqlite_file(url: str) -> Path | None:
    """Give the file of a SQLite URL; None for another database.

    Raises:
        UsageError: it names no file, and would keep everything in memory.
    """
    parsed = sqlalchemy.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if parsed.database in (None, "", ":memory:") or parsed.query.get("mode") == "memory":
        raise UsageError(f"{shown_url(url)} keeps nothing; name a file, as in sqlite:///study.db")
    return Path(str(parsed.database).removeprefix("file:")).resolve()


def check_database(url: str, mounted: Iterable[Mount]) -> None:
    """Refuse a SQLite database that is no file of a local disk.

    Args:
        url: an Optuna storage URL.
        mounted: what is mounted on this machine.

    Raises:
        UsageError: it is one, or the URL is none.
    """
    if url.startswith(JOURNAL):
        return
    try:
        file = sqlite_file(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise unreachable(url, error) from error
    if file is not None:
        refuse_network(file, mounted)


def is_there(url: str) -> bool:
    """Whether there is something to read; to ask must not make it, as to connect to a SQLite file would.

    Raises:
        UsageError: the storage cannot be reached.
    """
    if url.startswith(JOURNAL):
        return journal_file(url).exists()
    try:
        parsed = sqlalchemy.make_url(database_url(url))
        file = parsed.database if parsed.get_backend_name() == "sqlite" and not parsed.query else None
        if file is not None and not Path(file).exists():
            return False
        engine = sqlalchemy.create_engine(parsed)
        try:
            return _is_whole(engine)
        finally:
            engine.dispose()
    except Exception as error:
        raise unreachable(url, error) from error


def _is_whole(engine: sqlalchemy.Engine) -> bool:
    """Whether Optuna has made all its tables: the mark of its schema's version comes last.

    A run that was killed while it made them left some; there is nothing in them yet, and the next run makes the rest.
    """
    if not sqlalchemy.inspect(engine).has_table("alembic_version"):
        return False
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text("SELECT 1 FROM alembic_version")).first() is not None


def unreachable(url: str, error: Exception) -> UsageError | StorageError:
    """Make the error for a storage that cannot be opened; it is the user's mistake unless its disk is full."""
    if _is_full(error):
        return StorageError(
            f"cannot open the storage {shown_url(url)} ({_reason(url, error)}); what had ended is kept; "
            "make room on its disk, and run it again"
        )
    remedy = "check the URL, and that its server or folder is there"
    if isinstance(error, ModuleNotFoundError):
        remedy = f"{remedy}; for postgresql+psycopg://... install lrsearch[postgres]"
    return UsageError(f"cannot open the storage {shown_url(url)} ({_reason(url, error)}); {remedy}")


def _is_full(error: BaseException) -> bool:
    """Whether there was no room to write; SQLite calls that an error of input or output where it maps a file."""
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None else error
    if isinstance(cause, sqlite3.Error):
        # The lower byte is the kind of an extended code.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def gone(url: str, error: Exception) -> StorageError:
    """Make the error for a storage that was open and cannot be written any more."""
    return StorageError(
        f"the storage {shown_url(url)} cannot be written any more ({_reason(url, error)}); what had ended is kept; see "
        "that it is there and has room, and run it again"
    )


def _reason(url: str, error: Exception) -> str:
    said = str(error).strip()
    return without_secrets(
        f"{type(error).__name__}: {said.splitlines()[0] if said else 'no reason given'}", url
    )


@contextmanager
def making_tables(url: str) -> Iterator[None]:
    """While it lasts, no other process makes tables in a database: several at once would fail.

    A SQLite file is locked on this machine, a PostgreSQL database everywhere; others are not.
    """
    file = sqlite_file(url)
    # Where the folder is missing the database says so; the lock would make it.
    with FileLock(f"{file}.lock") if file is not None and file.parent.is_dir() else nullcontext():
        if sqlalchemy.make_url(url).get_backend_name() != "postgresql":
            yield
            return
        engine = sqlalchemy.create_engine(url)
        try:
            with engine.begin() as connection:
                connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(_CREATION)))
                yield
        finally:
            engine.dispose()


def engine_options(url: str) -> dict[str, Any]:
    """Give what an engine wants to be told of a database."""
    # Between evaluations that take hours a server or firewall may have closed the connection.
    return {} if url.startswith("sqlite") else {"pool_pre_ping": True}


def another_engine(url: str) -> sqlalchemy.Engine:
    """Make an engine of its own for a database, as safe as the store's."""
    engine = sqlalchemy.create_engine(url, **engine_options(url))
    if engine.dialect.name == "sqlite":
        survive_crashes(engine)
    return engine


def survive_crashes(engine: sqlalchemy.Engine) -> None:
    """Let SQLite write ahead and synchronise fully, in transactions that take the lock at once."""
    # After the tables were made: their creation would wait for its own immediate transaction.
    engine.dispose()
    sqlalchemy.event.listen(engine, "connect", _on_connect)
    sqlalchemy.event.listen(engine, "begin", _on_begin)


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours to say
    for pragma in ("busy_timeout=60000", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _on_begin(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
