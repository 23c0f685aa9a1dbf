"""Death right before and right after each call that writes: of the database, of files, of checkpoints."""

import itertools
import os
import signal
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from drivers import SHORT, chosen, ended, lost, repeated, start, undisturbed
from rows import Found, Repetition, Row

COUNTED = "boundaries"
CALLS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir")


@cache
def calls() -> int:
    """Count the writing calls of an undisturbed search."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, COUNTED)
        start(Path(folder), task=SHORT, before=lambda: _count(file)).must_end_well()
        return int(file.read_text())


def die_and_go_on(repetition: Repetition) -> Found:
    """Die before (even numbers) or after (odd numbers) one writing call, go on, compare."""
    found, root = Found(), repetition.scratch
    number, after = repetition.number // 2 % calls() + 1, bool(repetition.number % 2)
    driver = start(root, task=SHORT, before=lambda: _die_at(number, after))
    status = driver.ended()
    where = f"{'after' if after else 'before'} call {number}"
    found.expect(status == -signal.SIGKILL, f"{where}: no death, but status {status}: {driver.last_line}")
    before = ended(root, "short")
    driver = start(root, task=SHORT)
    status = driver.ended()
    now = ended(root, "short")
    found.count("deaths")
    found.expect(status == 0, f"{where}: then status {status}: {driver.last_line}")
    found.expect(not lost(before, now), f"{where}: {lost(before, now)} ended trainings lost")
    found.expect(not repeated(now), f"{where}: {repeated(now)} ended trainings made again")
    found.expect(chosen(root, "short") == undisturbed(SHORT).chosen, f"{where}: another chosen.yaml")
    return found


def _count(file: Path) -> None:
    numbers = itertools.count(1)

    def counted(after: bool) -> None:
        if not after:
            file.write_text(str(next(numbers)))

    _listen(counted)


def _die_at(number: int, after: bool) -> None:
    numbers = {False: itertools.count(1), True: itertools.count(1)}

    def die(now_after: bool) -> None:
        if next(numbers[now_after]) == number and now_after == after:
            os.kill(os.getpid(), signal.SIGKILL)

    _listen(die)


def _listen(hear: Callable[[bool], None]) -> None:
    """Have ``hear`` called before (False) and after (True) each call that writes."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.default import DefaultDialect

    def writes(statement: str) -> bool:
        return not statement.lstrip().upper().startswith(("SELECT", "PRAGMA"))

    @event.listens_for(Engine, "before_cursor_execute")
    def _before(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        if writes(statement):
            hear(False)

    @event.listens_for(Engine, "after_cursor_execute")
    def _after(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        if writes(statement):
            hear(True)

    def around(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def call(*arguments: Any, **more: Any) -> Any:
            hear(False)
            try:
                return real(*arguments, **more)
            finally:
                hear(True)  # also where there was nothing to remove

        setattr(owner, name, call)

    around(DefaultDialect, "do_commit")
    around(torch, "save")
    for name in CALLS:
        around(os, name)


ROWS = (
    Row(
        "boundaries",
        "every write boundary is safe",
        "death right before and right after each call that writes (statements, commits, files, checkpoints); then on",
        "deaths",
        lambda: 2 * calls(),
        die_and_go_on,
    ),
)
