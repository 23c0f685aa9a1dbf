"""The database behind a storage URL: whether it is there, why it is not, and SQLite made safe for one writer."""

import hashlib
from pathlib import Path
from typing import Any

import sqlalchemy

from lrsearch.errors import UsageError
from lrsearch.store.url import shown_url, without_secrets


def is_there(url: str) -> bool:
    """Whether there is something to read; to ask must not make it, as to connect to a SQLite file would.

    Raises:
        UsageError: the storage cannot be reached.
    """
    try:
        parsed = sqlalchemy.make_url(url)
        file = parsed.database if parsed.get_backend_name() == "sqlite" and not parsed.query else None
        if file is not None and not Path(file).exists():
            return False
        engine = sqlalchemy.create_engine(parsed)
        try:
            return bool(sqlalchemy.inspect(engine).has_table("studies"))
        finally:
            engine.dispose()
    except Exception as error:
        raise unreachable(url, error) from error


def unreachable(url: str, error: Exception) -> UsageError:
    """Make the error for a storage that cannot be opened."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    reason = without_secrets(reason, url)
    remedy = "check the URL, and that its server or folder is there"
    if isinstance(error, ModuleNotFoundError):
        remedy = f"{remedy}; for postgresql+psycopg://... install lrsearch[postgres]"
    return UsageError(
        f"cannot open the storage {shown_url(url)} ({type(error).__name__}: {reason}); {remedy}"
    )


def survive_crashes(engine: sqlalchemy.Engine) -> None:
    """Let SQLite write ahead and synchronise fully, in transactions that take the lock at once."""
    # After the tables were made: their creation would wait for its own immediate transaction.
    engine.dispose()
    sqlalchemy.event.listen(engine, "connect", _on_connect)
    sqlalchemy.event.listen(engine, "begin", _on_begin)


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours to say
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=60000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _on_begin(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class ServerLock:
    """A named lock of a PostgreSQL server: it goes with the connection that took it, however that ends.

    ``held`` says whether nobody else has it. Other databases have none, and it is always held.

    Raises:
        UsageError: the server cannot be reached.
    """

    def __init__(self, url: str, name: str) -> None:
        self.held = True
        self._connection: sqlalchemy.Connection | None = None
        try:
            parsed = sqlalchemy.make_url(url)
            if parsed.get_backend_name() != "postgresql":
                return
            # Autocommit, or the server would see a transaction that idles for hours.
            engine = sqlalchemy.create_engine(
                parsed, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
            )
            self._connection = engine.connect()
            key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
            lock = sqlalchemy.select(sqlalchemy.func.pg_try_advisory_lock(key))
            self.held = bool(self._connection.execute(lock).scalar())
        except Exception as error:
            self.release()
            raise unreachable(url, error) from error

    def release(self) -> None:
        """Let go of the lock and of the connection."""
        if self._connection is not None:
            self._connection.close()
