"""Processes that each train a replica at the same time: what users do by hand, and what Tune's workers are."""

import multiprocessing
import tempfile
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch

from lrsearch import load_task
from lrsearch.training.optimizers import stand_ins
from lrsearch.training.replica import Replica
from lrsearch.trial import TrialSpec

_WARM_UP = 5
_PATIENCE = 600.0
"""Seconds for all to have loaded their data."""


def rate_of(path: Path, processes: int, threads: int, updates: int, cuda: bool = False) -> float:
    """Give the updates a second of all processes together, from when all are ready to when the last is done."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes)
    started = []
    for seed in range(processes):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_train, args=(path, seed, threads, updates, cuda, ready, there))
        process.start()
        there.close()
        started.append((process, here))
    try:
        spans = [here.recv() for _, here in started]
    finally:
        for process, _ in started:
            process.join()
    return processes * updates / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def _train(
    path: Path, seed: int, threads: int, updates: int, cuda: bool, ready: Barrier, answer: Connection
) -> None:
    task = load_task(path)
    task = replace(task, resources=replace(task.resources, cpus=threads, gpus=1.0 if cuda else 0.0))
    with tempfile.TemporaryDirectory() as folder:
        replica = Replica(task, spec_of(task, seed), Path(folder) / "none.pt")
        replica.train_to(_WARM_UP)
        _wait(cuda)
        ready.wait(_PATIENCE)
        began = time.monotonic()  # one clock for all processes of a machine
        replica.train_to(_WARM_UP + updates)
        _wait(cuda)
        answer.send((began, time.monotonic()))


def spec_of(task: Any, seed: int = 0) -> TrialSpec:
    """Give a replica at the start of the task's first search."""
    search = next(iter(task.searches()))
    return TrialSpec(search, 0, seed, stand_ins(task, task.entries[search.entry]))


def _wait(cuda: bool) -> None:
    if cuda:
        torch.cuda.synchronize()
