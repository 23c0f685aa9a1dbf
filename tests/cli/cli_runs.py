"""What the command line's tests share: a task of a second or two, how it is called, and what varies in its output."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LRSEARCH = [sys.executable, "-m", "lrsearch.cli"]
PATIENCE = 120.0
"""Seconds after which what is waited for counts as not coming."""

TASK = """\
name: valley
workload: valley.py:valley
budget: {iterations: 20, evaluate_every: 5}
seeds: 2
optimizers:
  sgd: {lr: {start: 0.1}}
"""

WORKLOAD = '''\
"""A quadratic with noise. Where a file .stop_at says N, a process stays at its Nth batch and writes a file stopped."""

import time
from pathlib import Path

import torch
from torch import nn

from lrsearch import Workload, datasets
from lrsearch.workload import seed_of

HERE = Path(__file__).parent
STOP_AT = HERE / ".stop_at"
number = 4


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.x = nn.Parameter(torch.randn(8))

    def forward(self, noise=0.0):
        return (self.x**2 / 2 + noise * self.x).sum()


class Noise:
    drawn = 0

    def batch(self, seed, iteration):
        Noise.drawn += 1
        if STOP_AT.exists() and Noise.drawn >= int(STOP_AT.read_text()):
            (HERE / "stopped").touch()
            while STOP_AT.exists():
                time.sleep(0.01)
        return 0.1 * torch.randn(8, generator=torch.Generator().manual_seed(seed_of(seed, iteration)))


def valley(scale: float = 10.0):
    return workload(lambda model, noise: model(noise), scale)


def workload(loss, scale=1.0):
    return Workload(Model(), Noise(), loss, {"train_loss": lambda model, _: scale * model()})


def raises():
    raise RuntimeError("no\\nway")


def leaves():
    raise SystemExit("usage: valley.py")


def number_instead():
    return 3


def vector_loss():
    return workload(lambda model, noise: model.x)


def with_data():
    datasets.fashion_mnist()
    return valley()
'''


def write_task(folder: Path, **changes: str) -> Path:
    """Write the workload and its task, with texts of the task replaced; give the task's file."""
    (folder / "valley.py").write_text(WORKLOAD)
    text = TASK
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old} is not once in the task"
        text = text.replace(old, new)
    path = folder / "valley.yaml"
    path.write_text(text)
    return path


def normal(text: str, folder: Path) -> str:
    """Output with what differs from run to run named: seconds, clock times, the date, the folder."""
    text = text.replace(str(folder), "FOLDER")
    text = re.sub(r"^\d:\d\d:\d\d  ", "CLOCK  ", text, flags=re.MULTILINE)
    text = re.sub(r"\d+\.\d s", "N s", text)
    text = re.sub(r"\(\d+\.\d+ times\)", "(N times)", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "DATE", text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def without_date(chosen: Path) -> str:
    return re.sub(r"date: '[^']*'", "", chosen.read_text())


@dataclass
class Process:
    """The command line in a process of its own, leader of its group."""

    popen: subprocess.Popen[str]

    @classmethod
    def start(cls, folder: Path, *arguments: str, **environment: str) -> "Process":
        return cls(
            subprocess.Popen(
                [*LRSEARCH, *arguments],
                cwd=folder,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )

    def ended(self) -> tuple[int, str, str]:
        out, err = self.popen.communicate(timeout=PATIENCE)
        return self.popen.returncode, out, err


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Ask until it holds, and fail if that takes too long."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"{what} did not come about in {PATIENCE:.0f} s"
        time.sleep(0.01)
