"""The task of one search that no file says: the same settings, checked in the same way."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrsearch.errors import TaskError, UsageError
from lrsearch.task.file import parse_task
from lrsearch.task.model import Mode, Searched, Task

_ENTRY = "study"
_PREFIXES = re.compile(rf"\b(optimizers\.{_ENTRY}\.lr|search|metric)\.")
_SEARCH_KEYS = ("tolerance", "prefer", "resolve", "max_seeds")


def task_of_one_search(parameter: str, start: float, mode: Mode, settings: Mapping[str, Any]) -> Task:
    """Make the task that a user would have written for one search.

    Args:
        parameter: what is searched; any text.
        start: where the search begins.
        mode: whether the metric is to be low or high.
        settings: ``ladder``, ``limits``, ``seeds``, ``lower_bound``, ``tolerance``, ``prefer``, ``resolve`` and
            ``max_seeds``; what is missing or None is as unless given in a task file.

    Raises:
        UsageError: a setting is none that a task could have.
    """
    limits = settings.get("limits")
    document = {
        "name": _ENTRY,
        "workload": "objective.py:objective",  # never looked for
        "budget": {"iterations": 1, "evaluate_every": 1},
        "seeds": settings.get("seeds"),
        "metric": _given({"name": "value", "mode": mode, "lower_bound": settings.get("lower_bound")}),
        "search": _given({key: settings.get(key) for key in _SEARCH_KEYS})
        | ({} if limits is None else {"limits": {"lr": limits}}),
        "optimizers": {
            _ENTRY: {"base": "sgd", "lr": {"start": start, "ladder": settings.get("ladder", "lr")}}
        },
    }
    try:
        # JSON is YAML; what it cannot hold becomes text, which is no number.
        task = parse_task(json.dumps(_given(document), default=str), Path("settings"))
    except TaskError as error:
        raise UsageError(_PREFIXES.sub("", error.problem).replace("limits.lr", "limits")) from None
    entry = task.entries[_ENTRY]
    searched = entry.hyperparameters["lr"]
    assert isinstance(searched, Searched)
    if searched.start is None:
        raise UsageError(f"start is {start}, which only a task file can have; give a number")
    return replace(task, entries={_ENTRY: replace(entry, hyperparameters={parameter: searched})})


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}
