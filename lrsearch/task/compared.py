"""A comparison as its study keeps it: the task with every number given, and what is compared with what.

``lrsearch.comparing`` makes it from a comparison file; a study goes on from it though files have gone or changed.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrsearch.task.comparison import Comparison
from lrsearch.task.file import parse_task
from lrsearch.task.model import Compared, Entry, Hyperparameter, Task
from lrsearch.task.recipe import read_recipe

_BEGINS = '{"comparison":'
_LIMITS = (1e-30, 1e30)


def stored_text(task: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """Give the text that a study keeps of a comparison.

    Args:
        task: the content of a task file whose entries have numbers alone.
        comparison: the fields of ``Comparison``, and the entries' own ``schedules`` by name.
    """
    return json.dumps({"comparison": comparison, "task": task}, ensure_ascii=False)


def parse_stored(text: str, path: Path, shown_as: str | None = None) -> Task:
    """Give the task that a study keeps, whether it is one of searches or a comparison.

    Args:
        text: what ``stored_text`` gave, or a task file's.
        path: the task file: the workload's Python is looked for beside it.
        shown_as: what errors call the file; the path unless given.

    Raises:
        TaskError: it is neither.
    """
    if not text.startswith(_BEGINS):
        return parse_task(text, path, shown_as)
    kept = json.loads(text)
    fields = dict(kept["comparison"])
    schedules = fields.pop("schedules")
    comparison = Comparison(**fields)
    task = parse_task(json.dumps(kept["task"]), path, shown_as)
    base_of = {control: variant for variant, control in comparison.controls.items()}
    entries = {
        entry.name: _compared(entry, base_of.get(entry.name), schedules.get(entry.name))
        for entry in task.entries.values()
    }
    return replace(task, entries=entries, comparison=comparison, text=text)


def _compared(entry: Entry, scaled_by: str | None, schedule: Any) -> Entry:
    def rate(name: str, value: Hyperparameter) -> Hyperparameter:
        if name != "lr" or not isinstance(value, int | float):
            return value
        return Compared(value, "lr", _LIMITS, scaled_by=scaled_by)

    return replace(
        entry,
        hyperparameters={name: rate(name, value) for name, value in entry.hyperparameters.items()},
        schedule=None if schedule is None else read_recipe({"schedule": schedule}).schedule,
    )
