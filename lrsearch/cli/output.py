"""What the commands print: files and tables to standard output, all that is said to standard error."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrsearch import streams
from lrsearch.cli.options import DEFAULT_ROOT


def warn(task: Any) -> None:
    """Say what a task may hold but surely does not mean."""
    from lrsearch.task.horizon import warnings_of

    for warning in warnings_of(task):
        say(f"{task.error(f'warning: {warning.sentence}', *warning.key)}")


def print_plan(planned: Any, as_json: bool) -> None:
    """Print what a run would train."""
    from lrsearch.report.summaries import plan_table

    if as_json:
        print(json.dumps(planned.as_dict(), indent=2), file=streams.stdout())
    else:
        stdout_console().print(plan_table(planned))


def print_checkpoints(console: Any, count: int, size: int) -> None:
    """Print what checkpoints lie in a study's folder, if there are any."""
    from rich.filesize import decimal

    if count:
        console.print(f"{count} checkpoint{'s' * (count > 1)}, {decimal(size)}", highlight=False)


def print_files(files: Sequence[Path]) -> None:
    """Print the names of files, one a line."""
    for file in files:
        print(file)


def stdout_console() -> Any:
    """Make what draws to standard output."""
    from lrsearch.report.console import OwnConsole

    return OwnConsole(streams.stdout())


def say(line: str) -> None:
    """Print a line to standard error."""
    print(line, file=streams.stderr(), flush=True)


def resume_line(
    place: Any,
    engine: str,
    address: str | None,
    working_dir: Path | None,
    only: frozenset[str] | None,
) -> str:
    """Give the command that goes on with a study as it was run, but for a password in its storage's URL."""
    words = ["lrsearch", "resume", place.name]
    words += ["--studies", str(place.root)] if place.root != DEFAULT_ROOT else []
    if place.storage:
        from lrsearch.store.optuna import shown_url

        words += ["--storage", shown_url(place.storage)]
    words += ["--engine", engine] if engine != "ray" else []
    words += ["--address", address] if address else []
    words += ["--working-dir", str(working_dir)] if working_dir else []
    words += [word for name in sorted(only or ()) for word in ("--only", name)]
    return shlex.join(words)
