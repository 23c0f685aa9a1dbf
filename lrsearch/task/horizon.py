"""What deserves a warning in a task: a CProp that never comes to its horizon, more processors than there are."""

import os
from collections.abc import Iterator

from lrsearch.ladder import BETA
from lrsearch.task.document import Problem, dotted, shown
from lrsearch.task.model import CPROP_PREFIX, Searched, Shared, Task
from lrsearch.trial import SearchId

_BETA = f"{CPROP_PREFIX}beta"
_UNLESS_GIVEN = 0.999
"""CProp's own default."""


def warnings_of(task: Task) -> list[Problem]:
    """Give what a task may say but surely does not mean: a ``beta`` whose horizon is longer than a training.

    Those that are shared are left to the entry that they come from.
    """
    return [*_warnings(task), *_too_few_processors(task)]


def _too_few_processors(task: Task) -> Iterator[Problem]:
    there = os.cpu_count() or 1
    if task.resources.cpus > there:
        yield Problem(
            ("resources", "cpus"),
            f"resources.cpus is {task.resources.cpus}, and this machine has {there}; ask for at most {there}, or run "
            "where a machine has more (--address)",
        )


def horizon_text(task: Task, search: SearchId, value: float) -> str | None:
    """Say that a value that a search chose has a horizon longer than a training; None if it is not so."""
    return _too_long(task, value) if search.hyperparameter == _BETA else None


def _warnings(task: Task) -> Iterator[Problem]:
    inner: tuple[str, ...]
    for entry in task.entries.values():
        match entry.hyperparameters.get(_BETA):
            case None if entry.wrapped_in_cprop:
                inner, value, given = (), _UNLESS_GIVEN, " unless given"
            case Searched() as searched:
                inner, value, given = ("start",), searched.guess, ""
            case float() as fixed:
                inner, value, given = (), fixed, ""
            case None | Shared():
                continue
        if problem := _too_long(task, value):
            key = ("optimizers", entry.name, "cprop", "beta", *inner)
            yield Problem(key, f"{dotted(key)} is {shown(value)}{given}; {problem}")


def _too_long(task: Task, beta: float) -> str | None:
    iterations = task.budget.iterations
    horizon = round(1 / (1 - beta)) if beta < 1 else 0
    if horizon <= iterations:
        return None
    fitting = BETA.value(BETA.rungs_within(0, 1 - 1 / iterations)[1])
    return (
        f"its horizon of {horizon:,} iterations is longer than a training of {iterations:,}; "
        f"give at most {shown(fitting)}, or train longer"
    )
