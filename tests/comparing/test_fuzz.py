"""Whatever a comparison file holds, it becomes a task or one line that begins with its name."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsearch.comparing import load_comparison
from lrsearch.errors import TaskError

TASK = """\
name: valley
workload: valley.py:valley
budget: {iterations: 20, evaluate_every: 5}
metric: {window: 2}
optimizers:
  sgd: {lr: 0.1, momentum: 0.9}
  adam: {lr: {start: 1e-3}, betas: [0.9, 0.99]}
  cprop: {base: sgd, lr: {of: sgd}, momentum: 0.9, arguments: {scale: 2}, cprop: {c: {start: 1}}}
"""
GOOD = {
    "name": "mine",
    "task": "task.yaml",
    "budget": {"iterations": 40, "evaluate_every": 10},
    "metric": {"window": 1},
    "seeds": 2,
    "control": True,
    "histogram": {"bins": 10, "spacing": "even"},
    "optimizers": {
        "sgd": {},
        "slow": {"like": "sgd", "lr": {"of": "sgd", "times": 0.1}, "against": "sgd"},
        "c": {"like": "sgd", "cprop": {"c": 3.0, "beta": 0.9}, "schedule": {"name": "CosineAnnealingLR"}},
    },
}
NAMES = ["sgd", "adam", "cprop", "slow", "c", "like", "lr", "of", "times", "start", "base", "against", "beta"]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 3, 0.1, 1e30, 10**18, "", "all", "task.yaml", "CosineAnnealingLR", *NAMES]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(content: Any, place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The keys of a mapping and of those in it, and one in each that is not there."""
    if not isinstance(content, dict):
        return []
    own = [(*place, key) for key in [*content, "cprop", "lr", "arguments"]]
    return [*own, *(inner for key, value in content.items() for inner in places(value, (*place, key)))]


def changed(content: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = place
    return {**content, first: changed(content[first], tuple(rest), value) if rest else value}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "task.yaml").write_text(TASK)
    return folder


def test_what_is_changed_is_fine_to_begin_with(folder: Path) -> None:
    (folder / "mine.yaml").write_text(yaml.safe_dump(GOOD))
    assert load_comparison(folder / "mine.yaml", folder).comparison.pairs == {"slow": "sgd"}


@settings(deadline=None)
@given(st.sampled_from(places(GOOD)), values)
def test_a_changed_value_gives_a_task_or_one_line(folder: Path, place: tuple[str, ...], value: Any) -> None:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(changed(GOOD, place, value)))
    line = refusal(path)
    assert line is None or (line.startswith(str(path)) and "\n" not in line)


def refusal(path: Path) -> str | None:
    try:
        load_comparison(path, path.parent)
    except TaskError as error:
        return str(error)
    return None
