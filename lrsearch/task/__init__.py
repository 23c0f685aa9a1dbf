"""task.yaml: what it says (``model``), how it is read and checked (``file``), its schema (``schema``)."""

from lrsearch.task.file import load_task, parse_task
from lrsearch.task.model import (
    Budget,
    Entry,
    Metric,
    Position,
    Resources,
    Searched,
    Shared,
    Task,
)
from lrsearch.task.schema import task_schema
from lrsearch.task.starts import ProposedStart, RangeTest, ScaledStart, Scaling
from lrsearch.task.template import write_template

__all__ = [
    "Budget",
    "Entry",
    "Metric",
    "Position",
    "ProposedStart",
    "RangeTest",
    "Resources",
    "ScaledStart",
    "Scaling",
    "Searched",
    "Shared",
    "Task",
    "load_task",
    "parse_task",
    "task_schema",
    "write_template",
]
