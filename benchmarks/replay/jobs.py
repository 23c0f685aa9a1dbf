"""What a table is recorded from: one job a training or range test, and the file that keeps their results."""

import inspect
import json
import platform
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from range_test import range_test

from lrsearch.ladder import LR
from lrsearch.searches import hyperparameters_of
from lrsearch.task.fingerprint import identity_of
from lrsearch.task.model import Searched, Task
from lrsearch.training.train import train
from lrsearch.training.workloads import find_callable
from lrsearch.trial import Diverged, Failed, Finished, SearchId, TrialSpec

RUNGS_EACH_SIDE = 8
"""Searches begin within four rungs of the best, and look as far as four rungs from where they begin."""

Result = dict[str, Any]
"""Plain values that JSON keeps."""
_PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True)
class Job:
    """One training at a rung, or one range test (``rung`` is None)."""

    entry: str
    rung: int | None
    seed: int

    def __str__(self) -> str:
        what = "range test" if self.rung is None else f"{LR.value(self.rung):g}"
        return f"{self.entry} {what} seed {self.seed}"


def best_rung(task: Task, entry: str) -> int:
    """Give the rung that an entry's ladder is recorded around: the start that the task names.

    Raises:
        TaskError: the entry does not search its learning rate.
    """
    searched = task.entries[entry].hyperparameters.get("lr")
    if not isinstance(searched, Searched):
        raise task.error(f"optimizers.{entry}.lr is not searched; give it a start", "optimizers", entry, "lr")
    return LR.rung(searched.start)


def rungs(task: Task, entry: str) -> list[int]:
    """Give the rungs of an entry that are recorded, lowest first."""
    best = best_rung(task, entry)
    return [*range(best - RUNGS_EACH_SIDE, best + RUNGS_EACH_SIDE + 1)]


def jobs_of(task: Task, seed: int) -> list[Job]:
    """Give all jobs of one seed: range tests, then the rungs nearest to the best, of every entry in turn."""
    tests = [Job(entry, None, seed) for entry in task.entries]
    trainings = [Job(entry, rung, seed) for entry in task.entries for rung in rungs(task, entry)]
    return [*tests, *sorted(trainings, key=lambda job: abs(job.rung - best_rung(task, job.entry)))]


def perform(task: Task, job: Job, checkpoints: Path) -> Result:
    """Do one job, going on from its checkpoint if there is one.

    Raises:
        RuntimeError: the training failed.
    """
    if job.rung is None:
        return {"losses": range_test(task, job.entry, job.seed)}
    search = SearchId(job.entry, "lr")
    numbers = hyperparameters_of(task, job.entry, {search: LR.value(job.rung)})
    checkpoint = checkpoints / f"{job.entry}_{job.rung}_{job.seed}.pt"
    *_, last = train(task, TrialSpec(search, job.rung, job.seed, numbers), checkpoint)
    checkpoint.unlink(missing_ok=True)
    match last.outcome:
        case Finished(value=value):
            ending = {"value": value, "metrics": dict(last.curve[-1].metrics)}
        case Diverged(iteration=iteration):
            ending = {"diverged_at": iteration}
        case Failed(error=error):
            raise RuntimeError(f"{job}: {error}")
    return {"curve": [e.value for e in last.curve], "seconds": last.seconds, **ending}


class Results:
    """The results of one table on disk: each is durable when ``keep`` returns.

    ``provenance`` is what they were recorded from and with, written down when the file is made.

    Raises:
        ValueError: the file holds results of another task file.
    """

    def __init__(self, path: Path, task: Task) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._database = sqlite3.connect(path, isolation_level=None)  # each statement is a transaction
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE IF NOT EXISTS results (job TEXT PRIMARY KEY, result TEXT)")
        if self._read(_PROVENANCE) is None:
            self._keep(_PROVENANCE, provenance_of(task))
        self.provenance: Result = json.loads(self._read(_PROVENANCE) or "")
        if self.provenance["task"] != task.text:
            raise ValueError(f"{path} holds results of {task.path.name} as it was before; remove it")

    def check(self, task: Task) -> None:
        """Refuse to add to results that were trained by other code or another torch.

        Raises:
            ValueError: they were.
        """
        now = provenance_of(task)
        for name in ("code", "torch", "threads", "machine", "cpu_capability", "data"):
            if self.provenance[name] != now[name]:
                before = f"{name} {self.provenance[name]}, here is {now[name]}"
                raise ValueError(f"{self._path} holds results made with {before}; remove it, or record there")

    def keep(self, job: Job, result: Result) -> None:
        """Write a result down; an earlier one of the same job goes."""
        self._keep(str(job), result)

    def get(self, job: Job) -> Result | None:
        """Give a job's result, or None."""
        text = self._read(str(job))
        return None if text is None else json.loads(text)

    def missing(self, jobs: list[Job]) -> list[Job]:
        """Give those of the jobs that have no result yet, in order."""
        return [job for job in jobs if self._read(str(job)) is None]

    def _keep(self, key: str, result: Result) -> None:
        self._database.execute("REPLACE INTO results VALUES (?, ?)", (key, json.dumps(result)))

    def _read(self, key: str) -> str | None:
        row = self._database.execute("SELECT result FROM results WHERE job = ?", (key,)).fetchone()
        return None if row is None else row[0]


def provenance_of(task: Task) -> Result:
    """Give what trainings are made from and with, here and now."""
    return {
        "task": task.text,
        "code": identity_of(task)["workload's code"],
        "data": getattr(workload_module(task), "DATA", None),
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": task.resources.cpus,
        "python": platform.python_version(),
        **{name: version(name) for name in ("lrsearch", "torch", "numpy")},
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def workload_module(task: Task) -> ModuleType | None:
    """Give the Python file that the task names."""
    return inspect.getmodule(find_callable(task))
