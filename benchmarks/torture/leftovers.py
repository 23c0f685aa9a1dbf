"""What a crash may leave: stale locks and leases, torn checkpoints, files half written. Then it goes on."""

import os
import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import sqlalchemy
from drivers import PACE, chosen, ended, lost, repeated, start, undisturbed
from rows import Found, Repetition, Row

Plant = Callable[[Path, random.Random], None]


def _nothing(folder: Path, moments: random.Random) -> None:
    """What the kill itself leaves: the lock's file and the lease of a process that has ended."""


def _lease_of(folder: Path, moments: random.Random, machine: str | None, silent: float) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{folder}/study.db")
    with engine.begin() as connection, suppress(sqlalchemy.exc.OperationalError):  # killed before the table
        connection.exec_driver_sql(
            "UPDATE lrsearch_leases SET host = ?, machine = coalesce(?, machine), pid = ?, process_started = 1, "
            "heartbeat = heartbeat - ?",
            (socket.gethostname() if machine is None else "there", machine, os.getpid(), silent),
        )
    engine.dispose()


def _reused_number(folder: Path, moments: random.Random) -> None:
    """A lease whose process number is another process's now."""
    _lease_of(folder, moments, None, 0)


def _other_machine(folder: Path, moments: random.Random) -> None:
    """A lease of another machine that was last heard of a minute ago."""
    _lease_of(folder, moments, "0123456789abcdef", 60)


def _newest(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.pt") if not path.name.endswith(".older.pt")]


def _cut_short(folder: Path, moments: random.Random) -> None:
    for path in _newest(folder):
        os.truncate(path, moments.randrange(path.stat().st_size))


def _bits(folder: Path, moments: random.Random) -> None:
    for path in _newest(folder):
        content = bytearray(path.read_bytes())
        content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
        path.write_bytes(content)


def _both(folder: Path, moments: random.Random) -> None:
    for path in folder.rglob("*.pt"):
        path.write_bytes(b"PK\x03\x04 torn")


def _halves(folder: Path, moments: random.Random) -> None:
    """Temporary files of checkpoints and of chosen.yaml."""
    for name in ("checkpoints/run-0/sgd-lr-0.1.tmp", "chosen.yaml", ".chosen.yaml.tmp", "report.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"half")


PLANTS: tuple[Plant, ...] = (_nothing, _reused_number, _other_machine, _cut_short, _bits, _both, _halves)


def plant(repetition: Repetition) -> Found:
    """Kill a driver while it trains, plant one kind of remains, go on."""
    found, root = Found(), repetition.scratch
    folder = root / "valley"
    which = PLANTS[repetition.number % len(PLANTS)]
    driver = start(root, pace=PACE)
    while not _newest(folder) and driver.ended_within(0) is None:
        time.sleep(0.001)
    driver_ended = driver.ended_within(repetition.moments.uniform(0, 0.5))
    if driver_ended is None:
        driver.kill()
    before = ended(root)
    which(folder, repetition.moments)
    again = start(root, pace=PACE)
    status = again.ended()
    now = ended(root)
    name = which.__name__.strip("_").replace("_", " ")
    found.count("plants")
    found.expect(status == 0, f"{name}: status {status}: {again.last_line}")
    found.expect("Traceback" not in again.said, f"{name}: a traceback")
    found.expect(not lost(before, now), f"{name}: {lost(before, now)} ended trainings lost")
    found.expect(not repeated(now), f"{name}: {repeated(now)} made again")
    found.expect(chosen(root) == undisturbed(pace=PACE).chosen, f"{name}: another chosen.yaml")
    return found


ROWS = (
    Row(
        "leftovers",
        "stale locks and torn checkpoints do no harm",
        "planted after a kill: leases of a reused process number and of a silent machine, checkpoints cut short, with "
        "a bit changed, both damaged, files half written; nothing ended is lost, the result is the same",
        "plants",
        35,
        plant,
    ),
)
