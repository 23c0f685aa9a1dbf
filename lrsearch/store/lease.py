"""The lease of a study: which process, on whatever machine, may write to it; kept in the study's own database.

A row a study holds its owner and when that was last heard of. Who finds no owner, or one that has ended, takes over in
one transaction that succeeds only where the row is still as it was read. From then on every transaction of the store
first reads the row, in a way that nobody can change it before the transaction has ended: a process that was taken for
dead (its machine slept) finds another's name there and writes nothing more.
"""

import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Double, Integer, MetaData, String, Table
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from lrsearch.errors import LeaseLostError, StudyLockedError
from lrsearch.store.owner import Owner

EXPIRY_SECONDS = 30.0
"""After so long without a sign of its owner a lease is anybody's, also on another machine."""
BEAT_SECONDS = 5.0
"""How often the owner gives a sign."""

_METADATA = MetaData()
_LEASES = Table(
    "lrsearch_leases",
    _METADATA,
    Column("study", String(512), primary_key=True),
    Column("token", String(32), nullable=False),
    Column("host", String(255), nullable=False),
    Column("machine", String(16), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Double, nullable=False),
    Column("since", Double, nullable=False),
    Column("heartbeat", Double, nullable=False),
)


class _Now(FunctionElement[float]):
    """The database's own clock as Unix time: those of two machines may differ."""

    type = Double()
    inherit_cache = True


@compiles(_Now)
def _now(element: _Now, compiler: Any, **options: Any) -> str:
    return {
        "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
        "postgresql": "extract(epoch from clock_timestamp())",
    }.get(compiler.dialect.name, "UNIX_TIMESTAMP(SYSDATE(6))")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease, as another process sees it.

    Attributes:
        owner: the process.
        since: when it took it, as Unix time.
        silent: seconds since it was last heard of.
    """

    owner: Owner
    since: float
    silent: float

    def is_gone(self, machine: str, expiry: float = EXPIRY_SECONDS) -> bool:
        """Whether another may take over: seen from its own machine when it has ended, from elsewhere by its silence."""
        if self.owner.machine == machine and self.owner.has_ended():
            return True
        # Never mind a heartbeat from far in the future: the clock was wrong then.
        return self.owner.machine != machine and abs(self.silent) >= expiry

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"process {self.owner.pid} on {self.owner.host}, since {since:%Y-%m-%d %H:%M:%S} UTC"


def make_table(engine: sqlalchemy.Engine) -> None:
    """Make the table of leases where there is none."""
    _METADATA.create_all(engine)


def holder_of(engine: sqlalchemy.Engine, study: str) -> Holder | None:
    """Give who has the lease of a study; None if nobody has."""
    if not sqlalchemy.inspect(engine).has_table(_LEASES.name):
        return None
    with engine.connect() as connection:
        return _holder(connection, study)


def locked(
    study: str, holder: Holder | None, here: Owner, expiry: float = EXPIRY_SECONDS
) -> StudyLockedError:
    """Make the error for a study that another process writes to."""
    who = f" ({holder})" if holder is not None else ""
    elsewhere = ""
    if holder is not None and holder.owner.machine != here.machine:
        elsewhere = (
            f"; it was heard of {max(0.0, holder.silent):.0f} s ago, and if it has died, "
            f"the study is free {expiry:.0f} s after that"
        )
    return StudyLockedError(
        f"another lrsearch{who} is writing to the study {study}; wait for it, or look: "
        f"lrsearch status {study}{elsewhere}"
    )


class Lease:
    """The right of one process to write to a study, while it gives signs of itself.

    Args:
        engine: of the study's database, for the lease alone; it is disposed of with it.
        study: the study's name.
        owner: this process.
        expiry: seconds without a sign after which another machine may take over.
        beat: seconds between signs.

    Raises:
        StudyLockedError: another process has it.
    """

    def __init__(
        self,
        engine: sqlalchemy.Engine,
        study: str,
        owner: Owner,
        expiry: float = EXPIRY_SECONDS,
        beat: float = BEAT_SECONDS,
    ) -> None:
        self._engine = engine
        self._study = study
        self._owner = owner
        self._expiry = expiry
        self._beat = beat
        self._closing = threading.Event()
        self.lost: LeaseLostError | None = None
        """Why this process may not write any more, once it has noticed."""
        if (holder := self._take()) is not None:
            raise locked(study, holder, owner, expiry)
        self._heart = threading.Thread(target=self._give_signs, name="lrsearch lease", daemon=True)
        self._heart.start()

    def guard(self, engine: sqlalchemy.Engine) -> None:
        """Let every transaction of an engine begin by making sure of the lease, which then stays until it ends.

        What begins later raises LeaseLostError where another has the lease.
        """
        sqlalchemy.event.listen(engine, "begin", self._make_sure)

    def release(self) -> None:
        """Let the next one in; where the database cannot be reached, the lease expires by itself."""
        self._closing.set()
        self._heart.join(self._beat)
        with suppress(SQLAlchemyError), self._engine.begin() as connection:
            connection.execute(_LEASES.delete().where(*self._ours()))
        self._engine.dispose()

    def _ours(self) -> tuple[sqlalchemy.ColumnElement[bool], ...]:
        return _LEASES.c.study == self._study, _LEASES.c.token == self._owner.token

    def _take(self) -> Holder | None:
        """Take the lease; give who has it if that is another."""
        values = asdict(self._owner) | {"since": _Now(), "heartbeat": _Now()}
        while True:
            with (
                suppress(IntegrityError),
                self._engine.begin() as connection,
            ):  # another was first: look again
                holder = _holder(connection, self._study, for_update=True)
                if holder is None:
                    connection.execute(_LEASES.insert().values(study=self._study, **values))
                    return None
                if not holder.is_gone(self._owner.machine, self._expiry):
                    return holder
                as_it_was = _LEASES.c.study == self._study, _LEASES.c.token == holder.owner.token
                if connection.execute(_LEASES.update().where(*as_it_was).values(**values)).rowcount == 1:
                    return None

    def _give_signs(self) -> None:
        while self.lost is None and not self._closing.wait(self._beat):
            # Where the database is away, the next sign or the next write says whether that lasts.
            with suppress(SQLAlchemyError), self._engine.begin() as connection:
                beat = _LEASES.update().where(*self._ours()).values(heartbeat=_Now())
                if connection.execute(beat).rowcount == 0:
                    self._lose(connection)

    def _make_sure(self, connection: sqlalchemy.Connection) -> None:
        if self.lost is None:
            token = sqlalchemy.select(_LEASES.c.token).where(_LEASES.c.study == self._study)
            if connection.execute(token.with_for_update(read=True)).scalar() == self._owner.token:
                return
        raise self._lose(connection)

    def _lose(self, connection: sqlalchemy.Connection) -> LeaseLostError:
        if self.lost is None:
            holder = _holder(connection, self._study)
            who = str(holder) if holder is not None else "which has ended since"
            self.lost = LeaseLostError(
                f"the study {self._study} was taken over by another lrsearch ({who}), as this one was not heard of for "
                f"{self._expiry:.0f} s; it has written nothing since, and what had ended before is kept; look: "
                f"lrsearch status {self._study}"
            )
        return self.lost


def _holder(connection: sqlalchemy.Connection, study: str, for_update: bool = False) -> Holder | None:
    asked = sqlalchemy.select(_LEASES, (_Now() - _LEASES.c.heartbeat).label("silent"))
    asked = asked.where(_LEASES.c.study == study)
    row = connection.execute(asked.with_for_update() if for_update else asked).one_or_none()
    if row is None:
        return None
    owner = Owner(row.host, row.machine, row.pid, row.process_started, row.token)
    return Holder(owner, row.since, float(row.silent))
