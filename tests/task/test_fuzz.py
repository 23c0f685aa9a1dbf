"""Whatever a file holds, it becomes a task or one line that begins with its name.

A run of all tests takes 100 files of each kind; 1,000 of each:

    pytest tests/task/test_fuzz.py tests/cli/test_fuzz_commands.py --hypothesis-profile=fuzz
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrsearch.errors import TaskError
from lrsearch.task import load_task, parse_task

GOOD = """\
name: mine
workload: mine.py:workload
arguments: {batch_size: 32, sizes: [1, 2]}
budget: {iterations: 5000, evaluate_every: 250}
seeds: 3
metric: {name: train_loss, mode: min, examples: all, curve_examples: 2000, window: 1}
optimizers:
  sgd: {lr: {start: 0.1}, momentum: {start: 0.9}}
  adam: {lr: {of: sgd, times: 0.125}, betas: [0.9, 0.99], amsgrad: true}
  cprop:
    base: torch.optim:SGD
    cprop: {c: {start: 1}, beta: 0.999, measure: logistic}
    lr: {of: sgd}
search: {limits: {lr: [1e-8, 1e3]}, tolerance: 0.05}
resources: {cpus: 1, gpus: 0.5}
"""

MARKS = [*"{}[]:,-#!'|>?%@", '"', "&a", "*a", "!!int ", "---", " ", "  ", ": ", "\n", "\t"]
SCALARS = ["~", "true", "-1", "0", "1e-3", "1e999", ".nan", "0x1F", "<<", "\\", "/", "9" * 30]
WORDS = ["lr", "of", "start", "sgd", "adam", "cprop", "c", "ladder", "name", "null", "ä"]
UNPRINTABLE = ["\u2028", "\ud800", "\0"]
pieces = st.sampled_from([*MARKS, *SCALARS, *WORDS, *UNPRINTABLE])
values = st.recursive(
    st.sampled_from(
        ["~", "true", "-1", "0", "0.1", "1e30", "1e-40", "1e308", ".inf", "''", "sgd", "all", "[key]"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(
                ["lr", "of", "start", "times", "ladder", "c", "beta", "<search>", "'[key]'", "0"]
            ),
            inner,
            max_size=3,
        ).map(lambda items: "{" + ", ".join(f"{k}: {v}" for k, v in items.items()) + "}"),
    ),
    max_leaves=6,
)


def becomes_a_task_or_one_line(text: str) -> None:
    line = refusal(lambda: parse_task(text, Path("mine.yaml")))
    if line is not None:
        assert line.startswith("mine.yaml")
        assert line.isprintable()
        assert len(line) < 2000
        assert "pydantic" not in line
        assert "yaml.org" not in line


def refusal(action: Callable[[], object]) -> str | None:
    """The line of the only error that there may be."""
    try:
        action()
    except TaskError as error:
        return str(error)
    return None


@settings(deadline=None)
@given(st.text())
@example('"\\UFFFFFFFF"')
@example("? []\n: 1\n")
@example("[" * 3000)
@example("a: " * 3000)
@example("- " * 3000)
@example("? " * 3000)
def test_any_text(text: str) -> None:
    becomes_a_task_or_one_line(text)


@settings(deadline=None)
@given(st.lists(pieces, max_size=30).map("".join))
def test_any_mixture_of_what_yaml_is_made_of(text: str) -> None:
    becomes_a_task_or_one_line(text)


@given(st.data())
@settings(deadline=None)
def test_a_good_file_with_a_few_places_changed(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(pieces) + text[end:]
    becomes_a_task_or_one_line(text)


@given(st.sampled_from(range(GOOD.count(": "))), values)
@settings(deadline=None)
def test_a_good_file_with_any_value_for_one_of_its_keys(place: int, value: str) -> None:
    parts = GOOD.split(": ")
    before, rest = ": ".join(parts[: place + 1]), ": ".join(parts[place + 1 :])
    becomes_a_task_or_one_line(f"{before}: {value}{rest[_length_of_value(rest) :]}")


OPENING = ["[", "{a: ", "- ", "? ", "a:\n ", "!!seq [", "&a [", "- - ", "{? ", "|\n ", "'", '"\\"']
NUMBERS = [
    "9223372036854775808",
    "-9223372036854775809",
    "1e308",
    "1e-320",
    "-0.0",
    "0b1",
    "1_0",
    "1:30",
    "²",
]


@settings(deadline=None)
@given(
    st.sampled_from(["", "name: ", "optimizers: ", "optimizers:\n  sgd: ", GOOD]),
    st.lists(st.sampled_from(OPENING), min_size=1, max_size=4).map("".join),
    st.integers(1, 20_000),
    st.booleans(),
)
def test_any_depth(before: str, opening: str, depth: int, closed: bool) -> None:
    inside = opening * depth
    closing = inside[::-1].translate({ord("["): "]", ord("{"): "}"}) if closed else ""
    becomes_a_task_or_one_line(before + inside + closing)


@settings(deadline=None)
@given(st.sampled_from(range(GOOD.count(": "))), st.one_of(st.sampled_from(NUMBERS), st.floats().map(repr)))
def test_any_number_for_any_key(place: int, number: str) -> None:
    parts = GOOD.split(": ")
    before, rest = ": ".join(parts[: place + 1]), ": ".join(parts[place + 1 :])
    becomes_a_task_or_one_line(f"{before}: {number}{rest[_length_of_value(rest) :]}")


def _length_of_value(text: str) -> int:
    """How long the YAML value is that text begins with."""
    depth = 0
    for index, character in enumerate(text):
        if depth == 0 and character in ",}\n":
            return index
        depth += (character in "[{") - (character in "]}")
    return len(text)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that each example writes anew."""
    return tmp_path_factory.mktemp("fuzz") / "mine.yaml"


def is_refused_or_fine(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    line = refusal(lambda: load_task(path))
    assert line is None or (line.startswith(str(path)) and line.isprintable())


@settings(deadline=None)
@given(content=st.binary(max_size=2000))
@example(b"\xff\xfe")
@example(b"\x00" * 70_000)
@example(b"name: \xed\xa0\x80")
def test_any_bytes(path: Path, content: bytes) -> None:
    is_refused_or_fine(path, content)


FILES = sorted((Path(__file__).parents[2] / "tasks").glob("*.yaml"))


@settings(deadline=None)
@given(data=st.data())
def test_a_real_file_with_bytes_changed(path: Path, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(FILES)).read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 40)))
        instead = data.draw(
            st.one_of(st.binary(max_size=4), st.just(content[start:end] * 2), st.just(content[:start]))
        )
        content = content[:start] + instead + content[end:]
    is_refused_or_fine(path, content)
