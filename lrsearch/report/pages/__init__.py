"""The pages: each one HTML file that needs nothing beside itself, with its pictures as files beside it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lrsearch.report.pages.comparison import write_comparison_page
from lrsearch.report.pages.search import write_report
from lrsearch.searches import SearchState
from lrsearch.task.model import Task


def write_page(
    folder: Path, task: Task, states: Iterable[SearchState], content: Mapping[str, Any]
) -> list[Path]:
    """Write ``report.html`` and its pictures, of searches or of a comparison.

    Args:
        folder: where to; made if need be.
        task: the task.
        states: where its searches or entries stand; they need not have ended.
        content: what chosen.yaml or comparison.yaml holds.

    Returns:
        The files written, the page first.
    """
    write = write_report if task.comparison is None else write_comparison_page
    return write(folder, task, states, content)


__all__ = ["write_page"]
