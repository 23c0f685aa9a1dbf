"""The workload of misbehaving trainings: the noisy quadratic of valley.py, whose training does what its mood says.

It misbehaves at its third batch, in the training with seed 1 at the start; "once" does it the first time alone.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import torch
from valley import Model, Noise, loss

from lrsearch import Workload

LIMIT = 256 * 1024 * 1024
"""Bytes that a training which runs out of memory may take more than it has."""


class Moody(Noise):
    """Batches that misbehave."""

    def __init__(self, mood: str, marks: str) -> None:
        self.mood, self.marks = mood.removesuffix(" once"), Path(marks)
        self.once = mood.endswith(" once")

    def batch(self, seed: int, iteration: int) -> torch.Tensor:
        """Give the noise of an iteration, or misbehave."""
        if seed == 1 and iteration == 2 and not (self.once and (self.marks / "done").exists()):
            (self.marks / "done").touch()
            self.misbehave()
        return super().batch(seed, iteration)

    def misbehave(self) -> None:
        """Do what the mood says."""
        if self.mood == "raises":
            raise ValueError("the third batch\nis bad luck")
        if self.mood == "exits":
            sys.exit(3)
        if self.mood == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mood == "memory error":
            raise MemoryError
        if self.mood == "no memory":
            _run_out_of_memory()
        if self.mood == "hangs":
            (self.marks / "hangs").touch()
            time.sleep(1000)
        if self.mood == "hangs in C":
            (self.marks / "hangs").touch()
            __import__("hashlib").pbkdf2_hmac("sha256", b"", b"", 2 * 10**9)
        if self.mood == "holds the interpreter":
            (self.marks / "hangs").touch()
            sum(__import__("itertools").repeat(1))


def _run_out_of_memory() -> None:
    """Allocate until nothing is left, under a limit of this process's own, so that the machine does not notice."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + LIMIT, before[1]))
    taken = []
    try:
        while True:
            taken.append(torch.zeros(4 * 1024 * 1024))
    finally:
        taken.clear()
        resource.setrlimit(resource.RLIMIT_AS, before)


def moody(mood: str, marks: str) -> Workload:
    """Make a workload with a mood."""
    values = {"NaN": float("nan"), "inf": float("inf"), "-inf": -float("inf")}

    def train_loss(model: Model, examples: int | None) -> float:
        (value := float((model.x.detach() ** 2).sum() / 2))
        # At the start of the search, 0.1, the loss is between these after some iterations.
        return values[mood] if mood in values and value < 0.1 else value

    metrics = {"other" if mood == "no metric" else "train_loss": train_loss}
    return Workload(model=Model(), batches=Moody(mood, marks), loss=loss, metrics=metrics)
