"""Drivers to be tortured: real processes that run the command line, forked from this one, which has torch loaded.

A fork begins in a hundredth of the time that a new interpreter takes, and is as much a process of its own.
"""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import torch
import yaml

import lrsearch.report.pages  # loaded here, once, and not in every fork
import lrsearch.store.optuna
import lrsearch.training.preflight  # noqa: F401
from lrsearch import studies
from lrsearch.errors import StudyNotFoundError
from lrsearch.trial import Trial

HERE = Path(__file__).parent
TASK = HERE / "valley.yaml"
SHORT = HERE / "short.yaml"
STEADY = HERE / "steady.yaml"
PATIENCE = 240.0
PACE = 0.002
"""Seconds that a batch takes where there is to be something to be killed in."""
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
            raise TimeoutError(f"did not end in {PATIENCE:.0f} s; it said: {self.said[-300:]}")
        return status

    def must_end_well(self) -> None:
        """Wait for its end.

        Raises:
            RuntimeError: its exit status is not 0.
        """
        if (status := self.ended()) != 0:
            raise RuntimeError(f"ended with status {status}; it said: {self.said[-300:]}")

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

    @property
    def last_line(self) -> str:
        """The last line that it printed."""
        return (self.said.strip().splitlines() or [""])[-1]


def start(
    root: Path,
    *more: str,
    task: Path = TASK,
    engine: str = "inline",
    pace: float = 0.0,
    log: Path | None = None,
    before: Callable[[], None] = lambda: None,
) -> Driver:
    """Fork a driver that searches, or goes on.

    Args:
        root: the folder of the studies.
        more: further arguments of ``lrsearch run``.
        task: what is searched.
        engine: what trains.
        pace: seconds that a batch takes.
        log: where its output goes; a new file in ``root`` if None.
        before: called in it first.
    """
    root.mkdir(parents=True, exist_ok=True)
    log = log or root / f"log-{time.perf_counter_ns()}"
    pid = os.fork()
    if pid:
        return Driver(pid, log, time.perf_counter())
    status: Any = 70
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _end_with_parent()
        os.environ["TORTURE_PACE"] = str(pace)
        # As from a shell: a signal may end the process, which is the command's own.
        sys.argv = ["lrsearch", *_arguments(root, task, engine, more)]
        before()
        from lrsearch.cli import main

        status = main()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException as error:
        print(f"torture: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status or 0)


def _end_with_parent() -> None:
    """Have the kernel end this process when the torture ends, however that comes about."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def start_afresh(
    root: Path, *more: str, task: Path = TASK, engine: str = "inline", pace: float = 0.0
) -> Driver:
    """Start a driver in an interpreter of its own, as a shell does: its first seconds are imports."""
    root.mkdir(parents=True, exist_ok=True)
    log = root / f"log-{time.perf_counter_ns()}"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "lrsearch.cli", *_arguments(root, task, engine, more)],
            stdout=file,
            stderr=file,
            env=os.environ | {"TORTURE_PACE": str(pace)},
        )
    process.returncode = 0  # it is waited for by its number, as a fork is
    return Driver(process.pid, log, time.perf_counter())


def _arguments(root: Path, task: Path, engine: str, more: tuple[str, ...]) -> list[str]:
    return ["run", str(task), "--engine", engine, "--studies", str(root), *more]


def chosen(root: Path, name: str = "valley") -> Any:
    """Give chosen.yaml without its date; None where there is none."""
    try:
        content = yaml.safe_load((root / name / "chosen.yaml").read_text())
    except FileNotFoundError:
        return None
    del content["made_with"]["date"]
    return content


@dataclass(frozen=True)
class Undisturbed:
    """A search that nothing disturbed: what it chose, and how long it took in seconds."""

    chosen: Any
    seconds: float


@cache
def undisturbed(task: Path = TASK, pace: float = 0.0) -> Undisturbed:
    """Search once, undisturbed, with the inline engine."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        start(Path(folder), task=task, pace=pace).must_end_well()
        return Undisturbed(chosen(Path(folder), task.stem), time.perf_counter() - began)


def ended(root: Path, name: str = "valley", storage: str | None = None) -> dict[str, Trial]:
    """Give the trainings on record that have ended."""
    try:
        study = studies.read(studies.Place(name, root, storage))
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


@contextmanager
def ray_folder() -> Iterator[Path]:
    """A short folder for Ray, which marks the processes that are started while it lasts; none outlives it."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    before = os.environ.get("RAY_TMPDIR")
    os.environ["RAY_TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["RAY_TMPDIR"]
        else:
            os.environ["RAY_TMPDIR"] = before
        for process in marked(folder):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        subprocess.run(["rm", "-rf", str(folder)], check=False)  # what dies may still write there


def marked(folder: Path) -> list[psutil.Process]:
    """The living processes that were started while the folder was Ray's, but for this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            lives = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
            if lives and process.environ().get("RAY_TMPDIR") == str(folder):
                found.append(process)
    return found


def workers(folder: Path) -> list[psutil.Process]:
    """Ray's processes that train, by what they call themselves."""
    found = []
    for process in marked(folder):
        with suppress(psutil.Error):
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::ReplicaTrainable"):
                found.append(process)
    return found


def wait_until_gone(folder: Path, seconds: float = 60.0) -> None:
    """Wait for the end of all that was started while the folder was Ray's.

    Raises:
        TimeoutError: some lives on.
    """
    until = time.perf_counter() + seconds
    while left := marked(folder):
        if time.perf_counter() > until:
            raise TimeoutError(
                f"after {seconds:.0f} s there lives on: {left[0].name()} and {len(left) - 1} more"
            )
        time.sleep(0.1)
