"""What the commands print: files and tables to standard output, all that is said to standard error."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def warn(task: Any) -> None:
    """Say what a task may hold but surely does not mean."""
    from lrsearch.task.horizon import warnings_of

    for warning in warnings_of(task):
        say(f"{task.error(f'warning: {warning.sentence}', *warning.key)}")


def print_plan(planned: Any, as_json: bool) -> None:
    """Print what a run would train."""
    from lrsearch.report.summaries import plan_table

    if as_json:
        print(json.dumps(planned.as_dict(), indent=2))
    else:
        stdout_console().print(plan_table(planned))


def print_files(files: Sequence[Path]) -> None:
    """Print the names of files, one a line."""
    for file in files:
        print(file)


def stdout_console() -> Any:
    """Make what draws to standard output."""
    from rich.console import Console

    return Console()


def say(line: str) -> None:
    """Print a line to standard error."""
    print(line, file=sys.stderr)
