"""The reference of the task file says what is so."""

import re
from pathlib import Path

import pytest

from lrsearch.ladder import LADDERS
from lrsearch.task import parse_task
from lrsearch.task.entries import DEFAULT_LIMITS
from lrsearch.task.schema import CPropBlock, EntryBlock, TaskBlock

PAGE = (Path(__file__).parents[2] / "docs" / "task-file.md").read_text()
EXAMPLE, *MORE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_its_example_is_a_task() -> None:
    assert len(parse_task(EXAMPLE, Path("task.yaml")).searches()) == 3


@pytest.mark.parametrize("snippet", MORE)
def test_its_snippets_fit_a_task(snippet: str) -> None:
    text = EXAMPLE.replace("search: {limits: {lr: [1e-8, 1e3]}}\n", snippet)
    parse_task(text.replace("adam:      {", "adam: {weight_decay: 0, "), Path("task.yaml"))


def test_it_has_every_key() -> None:
    keys = set(EntryBlock.model_fields) | set(CPropBlock.model_fields)
    for name, field in TaskBlock.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        keys |= {f"{name}.{key}" for key in inner} if inner else {name}
    assert not [key for key in keys if f"| `{key}` |" not in PAGE]


def test_its_limits_are_the_ones_unless_given() -> None:
    words = ", ".join(f"`{ladder}` {low:.6g} to {high:.6g}" for ladder, (low, high) in DEFAULT_LIMITS.items())
    assert words.replace("1e-08", "1e-8").replace("1000", "1e3") in " ".join(PAGE.split())


def test_its_ladders_have_the_values_shown() -> None:
    for name, values in re.findall(r"^\| `(lr|c|beta)` \| ([0-9., ]+)", PAGE, re.MULTILINE):
        for value in re.findall(r"[0-9.]*[0-9]", values):
            LADDERS[name].rung(float(value))
