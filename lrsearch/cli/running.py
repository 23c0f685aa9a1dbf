"""A run as the commands show it: its progress and result, and what is said where it is stopped."""

import json
import time
from pathlib import Path
from typing import Any

import typer

from lrsearch import streams
from lrsearch.cli.options import EngineChoice
from lrsearch.cli.output import resume_line, warn
from lrsearch.cli.stopping import BEFORE, if_stopped
from lrsearch.errors import UsageError

STARTED = time.perf_counter()


class StoppedError(Exception):
    """Ctrl-C or SIGTERM, in a form that the parser lets through."""

    def __init__(self, line: str, interrupt: KeyboardInterrupt) -> None:
        super().__init__(line)
        self.exit_status = int(getattr(interrupt, "exit_status", 130))


def run_task(
    task: Any,
    only: list[str] | None,
    engine: EngineChoice,
    address: str | None,
    working_dir: Path | None,
    storage: str | None,
    root: Path,
    as_json: bool,
    strict: bool,
    forked_from: str | None = None,
    show_output: bool = False,
) -> None:
    """Search or compare, and show it; go on where it stopped.

    Raises:
        StoppedError: it was stopped; what had ended is kept.
        LRSearchError: it cannot be run, or failed.
    """
    from lrsearch.report.console import OwnConsole
    from lrsearch.report.summaries import result
    from lrsearch.run import run as search
    from lrsearch.studies import Place

    if working_dir is not None and address is None:
        raise UsageError("--working-dir is what is sent to a cluster; give --address too, or leave it out")
    streams.reserve_stdout()
    console = OwnConsole(streams.stderr())
    place = Place(task.name, root, storage)
    fork_of = Place(forked_from, root, storage) if forked_from is not None else None
    entries = entries_of(task, only)
    warn(task)

    def if_stopped_now() -> str:
        # Only its place knows whether there is a study to go on with, only the command line how it was called.
        goes_on = resume_line(place, engine.value, address, working_dir, entries)
        kept = "stopped; every finished training is kept. Go on with"
        return f"{kept}: {goes_on}" if place.exists() else BEFORE

    if_stopped(if_stopped_now)
    try:
        found = search(
            task, place, engine.value, address, entries, console, STARTED, working_dir, fork_of, show_output
        )
    except KeyboardInterrupt as interrupt:
        raise StoppedError(if_stopped_now(), interrupt) from interrupt
    # In a log the verdicts stand where they fell; below a display they are said once it is still.
    said = (
        ()
        if console.is_terminal
        else [s.search for s in found.states if s.verdict and s.search in found.searches]
    )
    if console.is_terminal:
        console.print()
    console.print(result(task, found.states, said, **found.cost.as_dict()), soft_wrap=not console.is_terminal)
    for line in found.comparison:
        console.print(line, soft_wrap=not console.is_terminal, markup=False, highlight=False)
    for file in found.files:
        console.print(str(file), soft_wrap=True, markup=False, highlight=False)
    if as_json:
        print(json.dumps(found.chosen | found.cost.as_dict(), indent=2), file=streams.stdout())
    if strict and not found.resolved:
        raise typer.Exit(3)


def entries_of(task: Any, only: list[str] | None) -> frozenset[str] | None:
    """Give the entries of ``--only``; None for all.

    Raises:
        UsageError: the task has no such entry.
    """
    unknown = [name for name in only or () if name not in task.entries]
    if unknown:
        raise UsageError(
            f"--only {unknown[0]}: {task.name} has no such entry; it has {', '.join(task.entries)}"
        )
    return frozenset(only) if only else None
