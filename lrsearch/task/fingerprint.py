"""What of a task changes the result of a training, as flat fields that can be compared and named."""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrsearch.task.model import Searched, Shared, Task

Identity = dict[str, Any]
"""Dotted field names to plain values that JSON keeps."""


def identity_of(task: Task) -> Identity:
    """Give all fields of a task that change what a training gives.

    What only widens a search is left out: seeds, limits, starts, tolerance and which entries there are. So are
    searched and shared values, which every trial has on record itself. The workload's code counts by its syntax:
    a comment or a blank line changes nothing.
    """
    metric, budget = task.metric, task.budget
    identity: Identity = {
        "workload": task.workload,
        "workload's code": _code_of(task),
        **{f"arguments.{name}": value for name, value in task.arguments.items()},
        "budget.iterations": budget.iterations,
        "budget.evaluate_every": budget.evaluate_every,
        "metric.name": metric.name,
        "metric.mode": metric.mode,
        "metric.examples": metric.examples,
        "metric.curve_examples": metric.curve_examples,
        "metric.window": metric.window,
        "resources.cpus": task.resources.cpus,
        "resources.gpus": "some" if task.resources.gpus else "none",
    }
    for entry in task.entries.values():
        here = f"optimizers.{entry.name}."
        identity |= {
            f"{here}base": entry.optimizer,
            f"{here}cprop": entry.wrapped_in_cprop,
            **{f"{here}arguments.{name}": value for name, value in entry.arguments.items()},
            **{f"{here}{name}": value for name, value in entry.options.items()},
            **{
                f"{here}{name}": value
                for name, value in entry.hyperparameters.items()
                if not isinstance(value, Searched | Shared)
            },
        }
    plain: Identity = json.loads(json.dumps(identity, default=str))
    return plain


def fingerprint(identity: Identity) -> str:
    """Give an identity in 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def of_entry(identity: Identity, entry: str) -> Identity:
    """Give the fields that concern one entry: the task's own and the entry's."""
    return {
        name: value
        for name, value in identity.items()
        if not name.startswith("optimizers.") or name.startswith(f"optimizers.{entry}.")
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Give the fields that differ, each with what it was and what it is."""
    changed = {}
    for name in sorted(before.keys() | now.keys()):
        was, is_now = before.get(name), now.get(name)
        if was != is_now or (name in before) != (name in now):
            named = (
                f"{name} has changed"
                if name == "workload's code"
                else f"{name} was {_shown(name, before)}, is {_shown(name, now)}"
            )
            changed[name] = named
    return changed


def _shown(name: str, fields: Mapping[str, Any]) -> str:
    return json.dumps(fields[name]) if name in fields else "not given"


def _code_of(task: Task) -> str | None:
    """The digest of the workload's source; None where it has none that can be read."""
    place = task.workload.rsplit(":", 1)[0]
    path = task.folder / place if place.endswith(".py") else _module_file(place)
    try:
        source = path.read_text(encoding="utf-8") if path else None
    except (OSError, UnicodeDecodeError):
        return None
    if source is None:
        return None
    with suppress(SyntaxError):  # reported with its line when the workload is made
        source = ast.unparse(ast.parse(source))
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _module_file(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
