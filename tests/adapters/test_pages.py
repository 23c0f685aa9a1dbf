"""The examples of the pages run as they are printed."""

import re
from pathlib import Path

import pytest
import torch

from lrsearch.standalone import Settings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two threads on a busy machine are tens of times slower."""
    torch.set_num_threads(1)


def example(page: str) -> str:
    (snippet,) = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in snippet.splitlines() if line]) < 30
    return snippet


def chosen_by(page: str, capsys: pytest.CaptureFixture[str]) -> str:
    exec(compile(example(page), page, "exec"), {"__name__": "example"})
    return capsys.readouterr().out.splitlines()[-1]


def test_the_example_for_optuna(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.match(r"0\.[13] between \(0\.", chosen_by("optuna.md", capsys))


def test_the_example_for_ray_tune(
    started_ray: None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In place of the user's own folder.
    monkeypatch.setattr("ray.train.constants.DEFAULT_STORAGE_PATH", str(tmp_path))
    assert re.match(r"0\.[13] between \(0\.", chosen_by("ray-tune.md", capsys))


def test_the_settings_of_the_table_are_those_there_are() -> None:
    page = (DOCS / "optuna.md").read_text(encoding="utf-8")
    assert [name for name in Settings.__annotations__ if f"`{name}`" not in page] == []
