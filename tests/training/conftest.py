"""Tasks for the tests of training: a small network that learns in twenty iterations, written as a user would."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lrsearch.task import Task, parse_task

WORKLOAD = '''
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from lrsearch import Batches, Mean, Workload

asked = []


class Augmented(Dataset):
    """Every item a little different each time, by all three generators that people use."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        shift = 0.1 * torch.randn(6) + float(np.random.normal(0, 0.1)) + random.gauss(0, 0.1)
        return self.x[index] + shift, self.y[index]


def squares(model, batch):
    x, y = batch
    return (model(x) - y).square().mean()


def squares_with_memory(model, batch, memory):
    x, y = batch
    mean, steps = memory
    loss = (model(x) - y - 0.1 * mean).square().mean()
    return loss, (0.9 * mean + 0.1 * y.mean().detach(), {"n": steps["n"] + 1})


def noisy(model, examples):
    """Draws from every generator; training must not notice."""
    return float(torch.rand(()) + np.random.rand() + random.random())


def make(kind="tensors", dropout=0.2):
    fixed = torch.Generator().manual_seed(0)
    x = torch.randn(64, 6, generator=fixed)
    y = x[:, :1] * 2 - x[:, 1:2] + 0.1 * torch.randn(64, 1, generator=fixed)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 1))
    batches = Batches(x, y, batch_size=10)
    if kind == "loader":
        batches = DataLoader(Augmented(x, y), batch_size=10, shuffle=True)
    if kind == "loader with a generator":
        own = torch.Generator().manual_seed(torch.initial_seed())
        batches = DataLoader(Augmented(x, y), batch_size=10, shuffle=True, generator=own)
    carried = (torch.zeros(()), {"n": torch.zeros(())}) if kind == "carried" else None
    error = Mean(squares, x, y, batch_size=7)

    def counted(model, examples):
        asked.append(examples)
        return error(model, examples)

    return Workload(
        model=model,
        batches=batches,
        loss=squares if carried is None else squares_with_memory,
        metrics={"train_loss": counted, "noise": noisy},
        carried=carried,
    )
'''
TASK = """
name: training
workload: workload.py:make
arguments: {kind: tensors}
budget: {iterations: 20, evaluate_every: 5}
optimizers:
  sgd: {lr: {start: 0.1}}
"""

MakeTask = Callable[..., Task]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """What the tasks ask for; two threads on a busy machine are tens of times slower."""
    torch.set_num_threads(1)


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """Write a task and its workload into the test's folder, with ``(before, after)`` replaced in the task."""

    def make_task(*replacements: tuple[str, str], text: str = TASK, workload: str | None = WORKLOAD) -> Task:
        for before, after in replacements:
            assert before in text, f"{before} is not in the task"
            text = text.replace(before, after)
        if workload is not None:
            (tmp_path / "workload.py").write_text(workload)
        (tmp_path / "task.yaml").write_text(text)
        return parse_task(text, tmp_path / "task.yaml", shown_as="task.yaml")

    return make_task
