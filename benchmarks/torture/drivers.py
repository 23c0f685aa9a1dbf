"""Drivers to be tortured: real processes that run the command line, forked from this one, which has torch loaded.

A fork begins in a hundredth of the time that a new interpreter takes, and is as much a process of its own.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

import lrsearch.report.page  # loaded here, once, and not in every fork
import lrsearch.store.optuna
import lrsearch.training.preflight  # noqa: F401
from lrsearch import studies
from lrsearch.errors import StudyNotFoundError
from lrsearch.trial import Trial

HERE = Path(__file__).parent
TASK = HERE / "valley.yaml"
PATIENCE = 120.0
torch.set_num_threads(1)  # no thread of torch's lives where a fork is made


@dataclass(frozen=True)
class Driver:
    """A running ``lrsearch``; what it prints goes to ``log``."""

    pid: int
    log: Path
    began: float

    def ended_within(self, seconds: float) -> int | None:
        """Wait for its exit status; None if it runs on. One that a signal ended gives -NUMBER."""
        until = time.perf_counter() + seconds
        while True:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            if time.perf_counter() >= until:
                return None
            time.sleep(0.002)

    def ended(self) -> int:
        """Wait for its exit status.

        Raises:
            TimeoutError: it does not end.
        """
        status = self.ended_within(PATIENCE)
        if status is None:
            self.kill()
            raise TimeoutError(f"did not end in {PATIENCE:.0f} s; it said: {self.log.read_text()}")
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.signal(signal.SIGKILL)
        os.waitpid(self.pid, 0)

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text()


def start(root: Path, *more: str, task: Path = TASK, before: Callable[[], None] = lambda: None) -> Driver:
    """Fork a driver that searches, or goes on; ``before`` is called in it first."""
    root.mkdir(parents=True, exist_ok=True)
    log = root / f"log-{time.perf_counter_ns()}"
    arguments = ["run", str(task), "--engine", "inline", "--studies", str(root), *more]
    pid = os.fork()
    if pid:
        return Driver(pid, log, time.perf_counter())
    status = 70
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before()
        from lrsearch.cli import main

        status = main(arguments)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException as error:
        print(f"torture: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def chosen(root: Path, name: str = "valley") -> Any:
    """Give chosen.yaml without its date; None where there is none."""
    try:
        content = yaml.safe_load((root / name / "chosen.yaml").read_text())
    except FileNotFoundError:
        return None
    del content["made_with"]["date"]
    return content


def ended(root: Path, name: str = "valley") -> dict[str, Trial]:
    """Give the trainings on record that have ended."""
    try:
        study = studies.read(studies.Place(name, root))
    except StudyNotFoundError:
        return {}
    return {trial.id: trial for state in study.states.values() for trial in state.trials if trial.ended}


def lost(before: dict[str, Trial], now: dict[str, Trial]) -> int:
    """How many trainings that had ended are gone, or are not what they were."""
    return sum(now.get(key) != trial for key, trial in before.items())


def repeated(trials: dict[str, Trial]) -> int:
    """How many trainings that had ended were made again."""
    keys = [(trial.spec.search, trial.spec.rung, trial.spec.seed) for trial in trials.values()]
    return len(keys) - len(set(keys))
