"""SIGKILL of drivers, and of workers, at random moments; then it goes on, until the search has ended."""

import time
from contextlib import suppress
from pathlib import Path

import psutil
from drivers import (
    PACE,
    PATIENCE,
    STEADY,
    TASK,
    Driver,
    chosen,
    ended,
    lost,
    ray_folder,
    repeated,
    start,
    undisturbed,
    wait_until_gone,
    workers,
)
from postgres import new_database, shared_server
from rows import Found, Repetition, Row

from lrsearch.trial import Trial

PROMISE = "a crash loses nothing acknowledged"
RAY_PACE = 0.02
RAY_START_SECONDS = 6.0
"""About how long Ray takes until trainings begin; kills fall before and after."""


def on_sqlite(repetition: Repetition) -> Found:
    """Kill the driver of one search again and again, until it ends before it is killed."""
    return _drivers_killed(repetition, None)


def on_postgres(repetition: Repetition) -> Found:
    """The same, with the results on a PostgreSQL server."""
    return _drivers_killed(repetition, new_database(shared_server()))


def with_ray(repetition: Repetition) -> Found:
    """Kill now the driver, now one of its workers, until the search has ended."""
    found, root = Found(), repetition.scratch
    whole = RAY_START_SECONDS + 6.0
    with ray_folder() as folder:
        before = ended(root, STEADY.stem)
        driver = start(root, task=STEADY, engine="ray", pace=RAY_PACE)
        while True:
            if (found.counts.get("kills", 0) + repetition.number) % 2:
                if not _worker_killed(driver, folder, repetition.moments.uniform(0, 3)):
                    break
                found.count("workers")
            else:
                if driver.ended_within(repetition.moments.uniform(0, whole)) is not None:
                    break
                driver.kill()
                found.count("drivers")
                wait_until_gone(folder)
                _expect_kept(found, before, root, STEADY)
                before = ended(root, STEADY.stem)
                driver = start(root, task=STEADY, engine="ray", pace=RAY_PACE)
            found.count("kills")
        _expect_the_same(found, before, root, STEADY, None, driver)
        wait_until_gone(folder)
    return found


def _drivers_killed(repetition: Repetition, storage: str | None) -> Found:
    found, root = Found(), repetition.scratch
    more = ["--storage", storage] if storage else []
    whole = undisturbed(pace=PACE).seconds
    while True:
        before = ended(root, storage=storage)
        driver = start(root, *more, pace=PACE)
        if driver.ended_within(repetition.moments.uniform(0, whole)) is not None:
            break
        driver.kill()
        found.count("kills")
        _expect_kept(found, before, root, TASK, storage)
    _expect_the_same(found, before, root, TASK, storage, driver)
    return found


def _worker_killed(driver: Driver, folder: Path, after: float) -> bool:
    """Wait for a worker and kill it some seconds later; whether one was killed before the driver ended."""
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until:
        if there := workers(folder):
            if _gone(driver.pid):
                return False
            time.sleep(after)
            with suppress(psutil.NoSuchProcess, IndexError):
                (workers(folder) or there)[0].kill()
                return not _gone(driver.pid)
        if _gone(driver.pid):
            return False
        time.sleep(0.05)
    raise TimeoutError("neither a worker nor an end")


def _gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def _expect_kept(
    found: Found, before: dict[str, Trial], root: Path, task: Path, storage: str | None = None
) -> None:
    now = ended(root, task.stem, storage)
    found.expect(not lost(before, now), f"{lost(before, now)} ended trainings lost")


def _expect_the_same(
    found: Found, before: dict[str, Trial], root: Path, task: Path, storage: str | None, driver: Driver
) -> None:
    _expect_kept(found, before, root, task, storage)
    now = ended(root, task.stem, storage)
    found.count("searches")
    found.expect(not repeated(now), f"{repeated(now)} ended trainings made again")
    same = chosen(root, task.stem) == undisturbed(task, PACE).chosen
    found.expect(same, f"another chosen.yaml; said: {driver.last_line}")


ROWS = (
    Row(
        "kills_sqlite",
        PROMISE,
        "SIGKILL of the driver at random moments, SQLite; then on, until the search has ended; nothing ended is lost "
        "or made again, `chosen.yaml` is the undisturbed one",
        "kills",
        200,
        on_sqlite,
    ),
    Row("kills_postgres", PROMISE, "the same on PostgreSQL", "kills", 50, on_postgres),
    Row("kills_ray", PROMISE, "with Ray: now the driver, now one worker process", "kills", 50, with_ray),
)
