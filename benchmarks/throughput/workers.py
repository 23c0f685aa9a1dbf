"""How many workers, and with how many threads each, train most on a CPU; the base is one worker with one thread."""

import os
from pathlib import Path
from statistics import median
from typing import Any

from processes import rate_of

TASKS = Path(__file__).parents[2] / "tasks"
UPDATES = {"fashion_mnist_fc": 4000, "fashion_mnist_cnn": 400}


def measure(runs: int, updates: dict[str, int] | None = None) -> dict[str, Any]:
    """Updates a second of all workers together, relative to one worker with one thread; medians, in turns."""
    cores = len(os.sched_getaffinity(0))
    ways = dict.fromkeys([(1, 1), (1, cores), (cores, 1), (cores, cores)])
    found: dict[str, Any] = {}
    for name, count in (updates or UPDATES).items():
        rates: dict[tuple[int, int], list[float]] = {way: [] for way in ways}
        for _ in range(runs):
            for way in ways:
                rates[way].append(rate_of(TASKS / f"{name}.yaml", *way, count))
        alone = median(rates[1, 1])
        found[name] = {"updates a second, alone": alone} | {
            f"workers {workers}, threads {threads}": median(rates[workers, threads]) / alone
            for workers, threads in ways
        }
    return found
