"""Death right before and right after each call that writes: of the database, of files, of checkpoints."""

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers import HERE, chosen, ended, lost, repeated, start

TASK = HERE / "short.yaml"
COUNTED = "boundaries"


def torture(scratch: Path, times: int, seed: int) -> dict[str, Any]:
    """Die at every boundary (every ``times``-th of them if that is above 1), go on, compare."""
    root = scratch / "whole"
    driver = start(root, task=TASK, before=lambda: _count(root / COUNTED))
    assert driver.ended() == 0, driver.said
    expected = chosen(root, "short")
    count = int((root / COUNTED).read_text())
    deaths = gone = again = otherwise = 0
    for number, after in itertools.product(range(1, count + 1, times), (False, True)):
        root = scratch / f"{number}{'after' if after else 'before'}"
        status = start(root, task=TASK, before=lambda n=number, a=after: _die_at(n, a)).ended()
        deaths += status == -signal.SIGKILL
        before = ended(root, "short")
        driver = start(root, task=TASK)
        assert driver.ended() == 0, driver.said
        now = ended(root, "short")
        gone, again = gone + lost(before, now), again + repeated(now)
        otherwise += chosen(root, "short") != expected
    return {
        "what": f"death before and after each of {count} writing calls (statements, commits, files): {deaths} deaths",
        "good": not (gone or again or otherwise) and deaths > 0,
        "found": f"{gone} ended trainings lost, {again} made again, {otherwise} searches with another chosen.yaml",
    }


def _count(file: Path) -> None:
    calls = itertools.count(1)

    def counted(after: bool) -> None:
        if not after:
            file.write_text(str(next(calls)))

    _listen(counted)


def _die_at(number: int, after: bool) -> None:
    calls = {False: itertools.count(1), True: itertools.count(1)}

    def die(now_after: bool) -> None:
        if next(calls[now_after]) == number and now_after == after:
            os.kill(os.getpid(), signal.SIGKILL)

    _listen(die)


def _listen(hear: Callable[[bool], None]) -> None:
    """Have ``hear`` called before (False) and after (True) each call that writes."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

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

    from sqlalchemy.engine.default import DefaultDialect

    def around(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def call(*arguments: Any, **more: Any) -> Any:
            hear(False)
            result = real(*arguments, **more)
            hear(True)
            return result

        setattr(owner, name, call)

    around(DefaultDialect, "do_commit")
    for name in ("fsync", "replace", "rename", "mkdir", "unlink"):
        around(os, name)
