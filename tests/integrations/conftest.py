"""A training loop under a task, without a search: what it reports, and how it ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lrsearch import LiveTrial
from lrsearch.task import parse_task
from lrsearch.training.progress import Progress
from lrsearch.training.train import train
from lrsearch.trial import Failed, SearchId, TrialSpec

TASK = """\
name: integrated
loop: __main__:loop
budget: {iterations: 12, evaluate_every: 5}
metric: {name: METRIC}
optimizers:
  sgd: {lr: {start: 0.1}}
"""
Loop = Callable[[LiveTrial], object]


@dataclass
class Trained:
    """Runs a loop as one replica, of the entry ``sgd`` or what else it is said to be."""

    folder: Path
    entry: str = "{lr: {start: 0.1}}"

    def __call__(self, loop: Loop, metric: str = "val_loss", lr: float = 0.1, seed: int = 0) -> Progress:
        """Give what it reported last."""
        *_, last = self.steps(loop, metric, lr, seed)
        return last

    def steps(
        self, loop: Loop, metric: str = "val_loss", lr: float = 0.1, seed: int = 0
    ) -> Iterator[Progress]:
        """Give what it reports, one by one."""
        text = TASK.replace("METRIC", metric).replace("{lr: {start: 0.1}}", self.entry)
        task = replace(parse_task(text, Path("integrated.yaml")), provided=loop)
        yield from train(
            task, TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": lr}), self.folder / "checkpoint.pt"
        )

    def error(self, loop: Loop, metric: str = "val_loss") -> str:
        """Give what it failed with."""
        outcome = self(loop, metric).outcome
        assert isinstance(outcome, Failed), outcome
        return outcome.error


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Nothing is downloaded, and what is written lies in the test's folder."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return Trained(tmp_path / "checkpoints")
