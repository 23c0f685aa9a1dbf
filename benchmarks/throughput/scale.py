"""What the coordinator and its SQLite store take of a search of 10,000 replicas, over simulated workers."""

import os
import resource
import tempfile
import time
from pathlib import Path
from statistics import fmean, median
from typing import Any

from simulated import CANDIDATES, SimulatedEngine, Spent, task_of

from lrsearch.coordinator import Coordinator
from lrsearch.store.memory import MemoryStore
from lrsearch.store.optuna import open_store
from lrsearch.task.fingerprint import Identity

WORKERS = 64
DECISION_GOAL, EVALUATION_GOAL = 1.0, 20.0
SHAPES = {"many searches": (111, 15), "fewer, longer searches": (28, 60), "few, very long searches": (4, 417)}
"""Entries and seeds; with six candidates each makes 10,000 replicas."""
IDENTITY: Identity = {"simulated": "1"}


class TimedStore:
    """Passes all calls on to a store, and notes what they take; the rest is the coordinator's own."""

    def __init__(self, store: Any, spent: Spent) -> None:
        self._store, self._spent = store, spent

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._store, name)
        return lambda *arguments: self._spent.call(name, function, *arguments)


def measure(runs: int, replicas: int = 10_000) -> dict[str, Any]:
    """Decisions over each shape in memory; then a tenth of the first over SQLite."""
    found: dict[str, Any] = {}
    for shape, (entries, seeds) in SHAPES.items():
        shrunk = max(1, entries * replicas // 10_000)
        found[shape] = _of_all([_replay(shrunk, seeds, on_disk=False) for _ in range(runs)])
    entries, seeds = SHAPES["many searches"]
    found["a tenth of them, SQLite"] = _replay(max(1, entries * replicas // 100_000), seeds, on_disk=True)
    return found


def _of_all(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: median(run[name] for run in runs) for name in runs[0]}


def _replay(entries: int, seeds: int, on_disk: bool) -> dict[str, Any]:
    task = task_of(entries, seeds)
    with tempfile.TemporaryDirectory() as folder:
        store: Any = MemoryStore()
        if on_disk:
            database = Path(folder) / "study.db"
            store = open_store(task, IDENTITY, f"sqlite:///{database}", Path(folder) / "lock")
        outside, inside = Spent(), Spent()
        coordinator = Coordinator(task, TimedStore(store, inside))
        load, before, began = os.getloadavg()[0], _memory(), time.perf_counter()
        SimulatedEngine(WORKERS, outside).run(task, coordinator)
        wall, after = time.perf_counter() - began, _memory()
        assert all(state.verdict is not None for state in coordinator.states)
        store.close()
    decided = [*outside.calls["ask"], *outside.calls["tell"]]
    stored = [seconds for name in ("create", "end") for seconds in inside.calls[name]]
    return {
        "entries": entries,
        "seeds": seeds,
        "candidates": CANDIDATES,
        "replicas": len(inside.calls["create"]),
        "decision_ms": 1e3 * (sum(decided) - sum(stored)) / len(decided),
        "decision_processor_ms": 1e3
        * (
            sum(outside.processor[k] for k in ("ask", "tell"))
            - sum(inside.processor[k] for k in ("create", "end"))
        )
        / len(decided),
        "asking_ms_last_tenth": 1e3 * fmean(outside.calls["ask"][-len(outside.calls["ask"]) // 10 :]),
        "stored_evaluation_ms": 1e3 * fmean(inside.calls["report"]),
        "stored_evaluation_ms_median": 1e3 * median(inside.calls["report"]),
        "stored_replica_ms": 1e3 * (fmean(inside.calls["create"]) + fmean(inside.calls["end"])),
        "wall_seconds": wall,
        "memory_bytes_per_replica": max(0, after - before) / len(inside.calls["create"]),
        "load_before": load,
    }


def _memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
