"""One process writes to a study: leases, with real processes and databases."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from lrsearch.errors import LeaseLostError, StudyLockedError
from lrsearch.store.database import another_engine
from lrsearch.store.lease import EXPIRY_SECONDS, Lease, holder_of, make_table
from lrsearch.store.owner import Owner

HERE = Owner.this_process()
ELSEWHERE = replace(HERE, host="elsewhere", machine="another", token="elsewhere")
LATER = replace(ELSEWHERE, host="third", machine="third", token="third")

Take = Callable[..., Lease]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    server: str = request.getfixturevalue("postgres_database")
    return server


@pytest.fixture
def database(url: str) -> Iterator[sqlalchemy.Engine]:
    """The database as its table of leases is made; for looks and changes beside the leases."""
    engine = another_engine(url)
    make_table(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE written (what VARCHAR(10))")
    yield engine
    engine.dispose()


@pytest.fixture
def take(url: str, database: sqlalchemy.Engine) -> Iterator[Take]:
    """Take the lease of the study; what is left is released with the test. It beats too seldom to be noticed."""
    with ExitStack() as stack:

        def take_it(owner: Owner, beat: float = 3600.0) -> Lease:
            lease = Lease(another_engine(url), "study", owner, beat=beat)
            stack.callback(lease._closing.set)
            return lease

        yield take_it


def silent_for(database: sqlalchemy.Engine, seconds: float) -> None:
    with database.begin() as connection:
        connection.execute(
            sqlalchemy.text("UPDATE lrsearch_leases SET heartbeat = heartbeat - :seconds"),
            {"seconds": seconds},
        )


def owner_of(database: sqlalchemy.Engine) -> Owner | None:
    holder = holder_of(database, "study")
    return None if holder is None else holder.owner


def process(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


# -- taking it ---------------------------------------------------------------------------------------------------------


def test_the_lease_is_on_record_until_it_is_released(take: Take, database: sqlalchemy.Engine) -> None:
    lease = take(HERE)
    assert owner_of(database) == HERE
    lease.release()
    assert owner_of(database) is None


@pytest.mark.parametrize("second", [replace(HERE, token="again"), ELSEWHERE], ids=["here", "elsewhere"])
def test_a_second_is_refused_by_the_name_of_the_first(take: Take, second: Owner) -> None:
    take(HERE)
    named = rf"another lrsearch \(process {os.getpid()} on {HERE.host}, since .* UTC\) is writing to the study study"
    with pytest.raises(StudyLockedError, match=named):
        take(second)


def test_another_machine_is_told_when_it_may_take_over(take: Take, database: sqlalchemy.Engine) -> None:
    take(ELSEWHERE)
    silent_for(database, 10)
    with pytest.raises(
        StudyLockedError, match=r"heard of 1\d s ago, and if it has died, the study is free 30 s after"
    ):
        take(HERE)


def test_studies_of_one_database_have_a_lease_each(url: str, take: Take) -> None:
    take(HERE)
    Lease(another_engine(url), "another study", ELSEWHERE).release()


def test_the_lease_of_a_process_that_was_killed_is_taken_over_at_once(
    take: Take, database: sqlalchemy.Engine
) -> None:
    with process("input()") as killed:
        dead = Owner(HERE.host, HERE.machine, killed.pid, owner_started(killed.pid))
        take(dead)
        with pytest.raises(StudyLockedError):
            take(HERE)
        killed.kill()
    take(HERE)
    assert owner_of(database) == HERE


def owner_started(pid: int) -> float:
    import psutil

    return float(psutil.Process(pid).create_time())


def test_a_process_that_has_the_number_of_a_dead_one_is_not_taken_for_it(
    take: Take, database: sqlalchemy.Engine
) -> None:
    take(replace(HERE, process_started=HERE.process_started - 3600, token="dead"))
    take(HERE)
    assert owner_of(database) == HERE


def test_the_lease_of_another_machine_is_taken_over_when_it_has_expired(
    take: Take, database: sqlalchemy.Engine
) -> None:
    take(ELSEWHERE)
    silent_for(database, EXPIRY_SECONDS - 10)
    with pytest.raises(StudyLockedError):
        take(HERE)
    silent_for(database, 10)
    take(HERE)
    assert owner_of(database) == HERE


def test_a_live_process_of_this_machine_keeps_its_lease_however_silent(
    take: Take, database: sqlalchemy.Engine
) -> None:
    take(HERE)
    silent_for(database, 10 * EXPIRY_SECONDS)
    with pytest.raises(StudyLockedError):
        take(replace(HERE, token="again"))


def test_signs_keep_a_lease_from_expiring(take: Take, database: sqlalchemy.Engine) -> None:
    take(ELSEWHERE, beat=0.05)
    silent_for(database, 10 * EXPIRY_SECONDS)
    holder = holder_of(database, "study")
    while holder is not None and holder.silent > 1:
        holder = holder_of(database, "study")
    with pytest.raises(StudyLockedError):
        take(HERE)


TAKER = """
import sys
from dataclasses import replace
from lrsearch.errors import StudyLockedError
from lrsearch.store.database import another_engine
from lrsearch.store.lease import Lease
from lrsearch.store.owner import Owner
url, name = sys.argv[1:]
owner = replace(Owner.this_process(), machine=name)
print("ready", flush=True)
input()
try:
    lease = Lease(another_engine(url), "study", owner)
except StudyLockedError:
    print("refused", flush=True)
else:
    print("taken", flush=True)
input()
"""


@pytest.mark.parametrize("before", ["nobody's", "expired"])
def test_of_several_who_take_it_at_once_one_wins(
    url: str, take: Take, database: sqlalchemy.Engine, before: str
) -> None:
    if before == "expired":
        take(ELSEWHERE)
        silent_for(database, 2 * EXPIRY_SECONDS)
    takers = [process(TAKER, url, f"machine {number}") for number in range(4)]
    try:
        for line in ("ready\n", "taken or refused"):
            said = [taker.stdout.readline() for taker in takers]  # type: ignore[union-attr]
            if line == "ready\n":
                assert said == [line] * 4
                for taker in takers:
                    taker.stdin.write("\n")  # type: ignore[union-attr]
                    taker.stdin.flush()  # type: ignore[union-attr]
        assert sorted(said) == ["refused\n"] * 3 + ["taken\n"]
    finally:
        for taker in takers:
            taker.kill()
            taker.communicate()


# -- losing it ---------------------------------------------------------------------------------------------------------


def write(engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO written VALUES ('x')")


def written(database: sqlalchemy.Engine) -> int:
    with database.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM written").scalar_one())


@pytest.fixture
def guarded(url: str) -> Iterator[sqlalchemy.Engine]:
    engine = another_engine(url)
    yield engine
    engine.dispose()


def test_the_owner_writes(take: Take, guarded: sqlalchemy.Engine, database: sqlalchemy.Engine) -> None:
    take(HERE).guard(guarded)
    write(guarded)
    assert written(database) == 1


def test_who_was_taken_for_dead_writes_nothing_and_says_who_has_it(
    take: Take, guarded: sqlalchemy.Engine, database: sqlalchemy.Engine
) -> None:
    lease = take(ELSEWHERE)
    lease.guard(guarded)
    silent_for(database, 2 * EXPIRY_SECONDS)
    take(LATER)
    for _ in range(2):
        with pytest.raises(
            LeaseLostError, match=r"taken over by another lrsearch \(process .* on third, since"
        ):
            write(guarded)
    assert lease.lost is not None
    assert written(database) == 0


def test_it_stays_lost_when_the_other_has_ended(
    take: Take, guarded: sqlalchemy.Engine, database: sqlalchemy.Engine
) -> None:
    take(ELSEWHERE).guard(guarded)
    silent_for(database, 2 * EXPIRY_SECONDS)
    take(LATER).release()
    with pytest.raises(LeaseLostError, match="which has ended since"):
        write(guarded)
    assert written(database) == 0


def test_the_owner_that_wakes_does_not_take_it_back_by_releasing_it(
    take: Take, database: sqlalchemy.Engine
) -> None:
    lost = take(ELSEWHERE)
    silent_for(database, 2 * EXPIRY_SECONDS)
    take(LATER)
    lost.release()
    assert owner_of(database) == LATER


def test_it_is_noticed_between_writes_too(take: Take, database: sqlalchemy.Engine) -> None:
    lease = take(ELSEWHERE, beat=0.05)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE lrsearch_leases SET token = 'x'")
    lease._heart.join(timeout=30)
    assert lease.lost is not None


def test_nobody_takes_over_amid_a_transaction(
    url: str, take: Take, guarded: sqlalchemy.Engine, database: sqlalchemy.Engine
) -> None:
    """What began as the owner's write ends before another has the lease."""
    take(ELSEWHERE).guard(guarded)
    silent_for(database, 2 * EXPIRY_SECONDS)
    with process(TAKER, url, "third") as taker:
        assert taker.stdin is not None
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
        with guarded.begin() as connection:
            taker.stdin.write("\n")
            taker.stdin.flush()
            connection.exec_driver_sql("INSERT INTO written VALUES ('x')")
            sqlite = guarded.dialect.name == "sqlite"
            options = {"timeout": 0} if sqlite else {"options": "-c lock_timeout=300"}
            impatient = sqlalchemy.create_engine(url, connect_args=options)
            with pytest.raises(sqlalchemy.exc.OperationalError, match="lock"), impatient.begin() as other:
                other.exec_driver_sql("UPDATE lrsearch_leases SET token = 'x'")
            impatient.dispose()
        assert taker.stdout.readline() == "taken\n"
        with pytest.raises(LeaseLostError):
            write(guarded)
        os.kill(taker.pid, signal.SIGKILL)
    assert written(database) == 1
