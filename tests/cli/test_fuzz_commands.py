"""Whatever stands in a task file, ``validate`` and ``run --dry-run`` end soon, with status 0 or with 2 and one line.

How to run more examples: tests/task/test_fuzz.py.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_runs import TASK, write_task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrsearch.cli import main

SOON = 60
"""Seconds that a command may take, on a machine with other work too."""
KEYS = {
    "name": "name: {}\n",
    "workload": "workload: {}\n",
    "loop": "loop: {}\n",
    "arguments": "arguments: {}\n",
    "scale": "arguments: {{scale: {}}}\n",
    "iterations": "budget: {{iterations: {}, evaluate_every: 5}}\n",
    "evaluate_every": "budget: {{iterations: 20, evaluate_every: {}}}\n",
    "seeds": "seeds: {}\n",
    "screen": "seeds: {{screen: {}, confirm: 2}}\n",
    "confirm": "seeds: {{screen: 1, confirm: {}}}\n",
    "metric": "metric: {{name: {}}}\n",
    "examples": "metric: {{examples: {}}}\n",
    "curve_examples": "metric: {{curve_examples: {}}}\n",
    "lower_bound": "metric: {{lower_bound: {}}}\n",
    "window": "metric: {{window: {}}}\n",
    "kind": "metric: {{mode: max, kind: {}}}\n",
    "lr": "optimizers: {{sgd: {{lr: {}}}}}\n",
    "start": "optimizers: {{sgd: {{lr: {{start: {}}}}}}}\n",
    "momentum": "optimizers: {{sgd: {{lr: {{start: 0.1}}, momentum: {}}}}}\n",
    "nesterov": "optimizers: {{sgd: {{lr: {{start: 0.1}}, nesterov: {}}}}}\n",
    "betas": "optimizers: {{adam: {{lr: {{start: 0.1}}, betas: {}}}}}\n",
    "base": "optimizers: {{sgd: {{base: {}, lr: {{start: 0.1}}}}}}\n",
    "cprop": "optimizers: {{sgd: {{cprop: {}, lr: {{start: 0.1}}}}}}\n",
    "c": "optimizers: {{sgd: {{cprop: {{c: {}}}, lr: {{start: 0.1}}}}}}\n",
    "beta": "optimizers: {{sgd: {{cprop: {{beta: {}}}, lr: {{start: 0.1}}}}}}\n",
    "limits": "search: {{limits: {{lr: {}}}}}\n",
    "tolerance": "search: {{tolerance: {}}}\n",
    "max_seeds": "search: {{resolve: true, max_seeds: {}}}\n",
    "race": "search: {{race: {}}}\n",
    "schedule": "recipe: {{schedule: {}}}\n",
    "step_size": "recipe: {{schedule: {{name: StepLR, step_size: {}}}}}\n",
    "T_max": "recipe: {{schedule: {{name: CosineAnnealingLR, T_max: {}}}}}\n",
    "milestones": "recipe: {{schedule: {{name: MultiStepLR, milestones: {}}}}}\n",
    "eta_min": "recipe: {{schedule: {{name: CosineAnnealingLR, eta_min: {}}}}}\n",
    "patience": "recipe: {{schedule: {{name: ReduceLROnPlateau, patience: {}}}}}\n",
    "warmup": "recipe: {{warmup: {}}}\n",
    "accumulate": "recipe: {{accumulate: {}}}\n",
    "gradient_clip": "recipe: {{gradient_clip: {}}}\n",
    "groups": "recipe: {{groups: {}}}\n",
    "group's lr_times": "recipe: {{groups: [{{match: x, lr_times: {}}}]}}\n",
    "group's weight_decay": "recipe: {{groups: [{{match: x, weight_decay: {}}}]}}\n",
    "cpus": "resources: {{cpus: {}}}\n",
    "gpus": "resources: {{gpus: {}}}\n",
    "timeout": "resources: {{timeout: {}}}\n",
    "max_failures": "resources: {{max_failures: {}}}\n",
}
"""A line of a task with any value in it, in place of the one that the task has under its first key."""
SINGLE = [
    *("~", "true", "no", "''", "x", "many", "10m", "valley.py:valley", "sgd", "adam", "all", "auto", "StepLR"),
    *("-1", "0", "1", "2", "3", "7", "20", "1000", "0.1", "0.9", "1.5", "1e-8", "1e-30", "1e30", "1e308", "1e-320"),
    *("100000000", "9223372036854775807", "18446744073709551616", "9" * 40, ".inf", "-.inf", ".nan", "2020-01-01"),
]  # fmt: skip
values = st.recursive(
    st.one_of(st.sampled_from(SINGLE), st.floats().map(repr), st.integers().map(str)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["name", "start", "of", "times", "match", "lr", "0"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=4,
)  # fmt: skip


@contextmanager
def soon() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"it takes more than {SOON} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SOON)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def with_line(line: str) -> str:
    key = line.partition(":")[0]
    kept = [block for block in _blocks(TASK) if not block.startswith(f"{key}:")]
    if key == "loop":
        kept = [block for block in kept if not block.startswith("workload:")]
    return "".join([*kept, line])


def _blocks(text: str) -> list[str]:
    """A task's text by its keys."""
    blocks: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(" "):
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


@pytest.fixture
def ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., None]:
    """Call a command over a text and see how it ends."""
    write_task(tmp_path)
    monkeypatch.chdir(tmp_path)

    def check(content: bytes, *command: str) -> None:
        Path("fuzz.yaml").write_bytes(content)
        with soon():
            status = main([*command, "fuzz.yaml"])
        _, err = capsys.readouterr()
        assert status in (0, 2), err
        assert "Traceback" not in err
        if status == 2:
            last = err.splitlines()[-1]
            in_a_library = (
                " valley.py:valley raised " in last
            )  # where torch takes an argument and fails over it
            assert in_a_library or last.startswith(
                ("fuzz.yaml", "valley.py:", str(tmp_path / "valley.py"))
            ), err
            assert "pydantic" not in last
        assert {path.name for path in tmp_path.iterdir()} <= {
            "valley.py",
            "valley.yaml",
            "fuzz.yaml",
            "__pycache__",
        }

    return check  # fmt: skip


fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(
    content=st.one_of(
        st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode(errors="replace"))
    )
)
def test_validate_of_anything(ends, content: bytes) -> None:
    ends(content, "validate")


@fuzz
@given(key=st.sampled_from([*KEYS]), value=values)
def test_validate_of_a_task_with_any_value(ends, key: str, value: str) -> None:
    ends(with_line(KEYS[key].format(value)).encode(), "validate")


@fuzz
@given(key=st.sampled_from([*KEYS]), value=values)
def test_a_dry_run_of_a_task_with_any_value(ends, key: str, value: str) -> None:
    ends(with_line(KEYS[key].format(value)).encode(), "run", "--dry-run", "--engine", "inline")
