"""Laws of shares, over random tasks: a task is refused exactly when a value waits for itself."""

import re
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lrsearch.errors import TaskError
from lrsearch.task import Task, parse_task

NAMES = ("a", "b", "c", "d")
HEAD = "name: mine\nworkload: mine.py:workload\nbudget: {iterations: 1, evaluate_every: 1}\noptimizers:\n"

# Each entry: what its lr and its cprop.c are, (None: fixed, "": searched, else shared from), lr first.
Kind = str | None
kinds = st.sampled_from([None, "", *NAMES])
tasks = st.lists(st.tuples(kinds, kinds, st.booleans()), min_size=len(NAMES), max_size=len(NAMES))
Tasks = list[tuple[Kind, Kind, bool]]


def written(kind: Kind) -> str:
    """The YAML of one hyperparameter."""
    return "1" if kind is None else f"{{of: {kind}}}" if kind else "{start: 1}"


def text_of(entries: Tasks) -> str:
    """The task file."""
    lines = []
    for name, (lr, c, lr_first) in zip(NAMES, entries, strict=True):
        keys = [f"lr: {written(lr)}", f"cprop: {{c: {written(c)}}}"]
        lines.append(f"  {name}: {{base: sgd, {', '.join(keys if lr_first else keys[::-1])}}}\n")
    return HEAD + "".join(lines)


def waits(entries: Tasks) -> dict[str, set[str]]:
    """What each value waits for, written once more and plainly."""
    graph: dict[str, set[str]] = {}
    for name, (lr, c, lr_first) in zip(NAMES, entries, strict=True):
        for own, other, kind, other_kind, comes_first in (
            ("lr", "cprop.c", lr, c, lr_first),
            ("cprop.c", "lr", c, lr, not lr_first),
        ):
            graph[f"{name}/{own}"] = set()
            if kind:
                graph[f"{name}/{own}"] = {f"{kind}/{own}"}
            elif kind == "" and (other_kind or (other_kind == "" and not comes_first)):
                graph[f"{name}/{own}"] = {f"{name}/{other}"}
    return graph


def has_circle(graph: dict[str, set[str]]) -> bool:
    """Whether a value is left when all that wait for nothing have been taken away, again and again."""
    left = set(graph)
    while free := {value for value in left if not graph[value] & left}:
        left -= free
    return bool(left)


def outcome(entries: Tasks) -> Task | str:
    """The task, or the line that refuses it."""
    try:
        return parse_task(text_of(entries), Path("mine.yaml"))
    except TaskError as error:
        return str(error)


@settings(deadline=None)
@given(tasks)
def test_a_task_is_refused_exactly_when_a_value_waits_for_itself(entries: Tasks) -> None:
    assert isinstance(outcome(entries), str) == (
        has_circle(waits(entries))
        or any(name in entry[:2] for name, entry in zip(NAMES, entries, strict=True))
    )


@settings(deadline=None)
@given(tasks)
def test_the_circle_that_is_named_is_one_and_is_named_at_its_first_share(entries: Tasks) -> None:
    line = outcome(entries)
    if not isinstance(line, str):
        return
    match = re.match(r"mine\.yaml:(\d+):(\d+) optimizers\.(.*)\.of makes a circle of shares \((.*)\); ", line)
    assert match is not None
    circle = match[4].split(" needs ")
    assert circle[0] == circle[-1] == match[3].replace(".", "/", 1)
    assert all(second in waits(entries)[first] for first, second in pairwise(circle))
    lines = [5 + NAMES.index(value.split("/")[0]) for value in circle if is_shared(entries, value)]
    assert int(match[1]) == min(lines)


def is_shared(entries: Tasks, value: str) -> bool:
    """Whether a value is a share."""
    name, hyperparameter = value.split("/")
    return bool(entries[NAMES.index(name)][0 if hyperparameter == "lr" else 1])
