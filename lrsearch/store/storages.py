"""Optuna's storages by their URL: databases through SQLAlchemy, and journal files."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from lrsearch.store.database import (
    database_url,
    engine_options,
    is_there,
    making_tables,
    survive_crashes,
    unreachable,
)
from lrsearch.store.lease import make_table
from lrsearch.store.url import JOURNAL, journal_file, shown_url

optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

_KEEPS_EVERY_PROMISE = ("sqlite", "postgresql")


def storage_to_write(url: str) -> BaseStorage:
    """Open a storage for writing; make what it needs where that is not there yet.

    Raises:
        UsageError: it cannot be reached.
    """
    try:
        if url.startswith(JOURNAL):
            journal_file(url).parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(journal_file(url))))
        url = database_url(url)
        with making_tables(url):
            storage = RDBStorage(url, engine_kwargs=engine_options(url))
            make_table(storage.engine)
    except Exception as error:
        raise unreachable(url, error) from error
    if storage.engine.dialect.name == "sqlite":
        survive_crashes(storage.engine)
    return storage


@contextmanager
def storage_to_read(url: str) -> Iterator[BaseStorage | None]:
    """A storage to read from, which this changes nothing of; None where there is none yet.

    Raises:
        UsageError: it cannot be reached.
    """
    storage: BaseStorage | None = None
    if is_there(url):
        try:
            if url.startswith(JOURNAL):
                storage = JournalStorage(JournalFileBackend(str(journal_file(url))))
            else:
                storage = RDBStorage(database_url(url), skip_table_creation=True)
        except Exception as error:
            raise unreachable(url, error) from error
    try:
        yield storage
    finally:
        if storage is not None:
            let_go(storage)


def let_go(storage: BaseStorage) -> None:
    """Close what a storage holds open."""
    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def missing_promises(url: str) -> str | None:
    """Say in a line what a storage does not keep of what SQLite and PostgreSQL do; None for these two."""
    if url.startswith(JOURNAL):
        return (
            f"{shown_url(url)} is a journal file: a second run is kept out on this machine only, after a kill the next "
            "run may wait half a minute, and a full disk may leave it unreadable; SQLite and PostgreSQL are safe from "
            "all three"
        )
    kind = sqlalchemy.make_url(url).get_backend_name()
    if kind in _KEEPS_EVERY_PROMISE:
        return None
    return (
        f"{shown_url(url)} is {kind}, on which lrsearch is not tested, and two runs that begin there at the same "
        "moment may fail; SQLite and PostgreSQL are tested"
    )
