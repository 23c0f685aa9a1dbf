"""Which strategy finds a good learning rate for the fewest iterations? Replayed on recorded tables, beside the peers.

    python benchmarks/replay/bench.py [--draws 50] [--workers 2] [--only TEXT]

Every search begins at each rung within four of the best, with seeds drawn afresh from those recorded. Iterations are
relative to what the paper's procedure spends on the same start and seeds; regret is how much worse the chosen rung's
true mean is than the best rung's. Prints tables, writes them as JSON beside itself and into ``docs/replay-bench.md``.

It fails if the default search ever chooses worse than the paper's procedure, or spends over 3 % more over all. Where
the paper's choice has a rung below it that diverged or was damaged, another may be chosen: how often is printed.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from lr_find import RULES, suggested
from ours import Case, Found, paper, searched
from peers import SAMPLERS, compared, halved, sampled
from replay import Recording, recordings
from report import document, print_tables

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/replay-bench.md"
STARTS = range(-4, 5)
"""Rungs from the best one."""
_MOST = 1.03
"""Iterations of the default, relative to the paper's."""


@dataclass(frozen=True)
class Method:
    """A way to find a rung, and on what share of the draws it is tried."""

    run: Callable[[Case], Found]
    share: float = 1.0
    any_start: bool = False
    """Whether it does the same whatever the start."""


DEFAULT = "ours, default"
METHODS: dict[str, Method] = {
    "the paper's procedure": Method(lambda case: paper(case.recording, case.start, case.order)),
    DEFAULT: Method(searched),
    "ours, lower_bound 0": Method(partial(searched, metric="lower_bound: 0")),
    "ours, resolve": Method(partial(searched, search="resolve: true"), share=0.4),
    "ours, patience 2": Method(partial(searched, search="patience: 2"), share=0.4),
    "ours, screen 1, confirm 3": Method(partial(searched, seeds="{screen: 1, confirm: 3}")),
    "ours, race": Method(partial(searched, search="race: true")),
    "ours, start auto": Method(partial(searched, auto=True), any_start=True),
    "ours, race, start auto": Method(partial(searched, search="race: true", auto=True), any_start=True),
    **{
        name: Method(partial(sampled, name=name), share=0.04 if name == "Optuna GP" else 0.2)
        for name in SAMPLERS
    },
    "Optuna successive halving": Method(halved, share=0.2),
    "Optuna Wilcoxon pruner, 10 seeds": Method(compared, share=0.1),
    **{name: Method(partial(suggested, name=name), any_start=True) for name in RULES},
}


def main() -> None:
    """Run everything and write it down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=50, help="draws of seeds a start (default: 50)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--only", default="", help="optimizers whose name has this in it; writes nothing")
    parser.add_argument("--methods", default="", help="methods whose name has this in it; writes nothing")
    arguments = parser.parse_args()
    began = time.perf_counter()
    found = recordings()
    chosen = [r for r in found if arguments.only in r.name]
    jobs = [(r.name, arguments.draws, arguments.methods) for r in chosen]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers are processes; read when a sampler imports torch
    with ProcessPoolExecutor(arguments.workers) as pool:
        rows = [row for of_one in pool.map(_bench_by_name, jobs) for row in of_one]
    seconds = time.perf_counter() - began
    print_tables(rows)
    print(f"{sum(row['searches'] for row in rows):,} searches in {seconds:.0f} s")
    if not arguments.only and not arguments.methods:
        kept = [{key: value for key, value in row.items() if key != "relative"} for row in rows]
        (HERE / "bench.json").write_text(json.dumps(kept, indent=1) + "\n")
        document(PAGE, rows)
    defaults = [row for row in rows if row["method"] == DEFAULT]
    for row in defaults:
        if other := round((1 - row["same_choice"]) * row["searches"]):
            print(
                f"{row['recording']}: {other} of {row['searches']} choices are not the paper's; {row['worse']} worse"
            )
    if wrong := [row["recording"] for row in defaults if row["worse"]]:
        sys.exit(f"error: the default chose worse than the paper's procedure on {', '.join(wrong)}")
    if defaults and np.mean([row["iterations_mean"] for row in defaults]) > _MOST:
        sys.exit("error: the default spent more than the paper's procedure")


def _bench_by_name(job: tuple[str, int, str]) -> list[dict[str, object]]:
    name, draws, methods = job
    recording = next(r for r in recordings() if r.name == name)
    return list(bench(recording, draws, methods))


def bench(recording: Recording, draws: int, methods: str = "") -> Iterator[dict[str, object]]:
    """Try every method on one optimizer of a table; give a row each."""
    cases = list(cases_of(recording, draws))
    papers = [paper(recording, case.start, case.order) for _, case in cases]
    for name, method in METHODS.items():
        if methods not in name:
            continue
        tried = [
            (case, ref)
            for (draw, case), ref in zip(cases, papers, strict=True)
            if draw < method.share * draws
        ]
        began = time.process_time()
        run = cache(method.run) if method.any_start else method.run
        found = [
            run(replace(case, start=recording.best, iterations=0) if method.any_start else case)
            for case, _ in tried
        ]
        seconds = time.process_time() - began
        relative = np.array([f.iterations / ref.iterations for f, (_, ref) in zip(found, tried, strict=True)])
        regret = 100 * np.array([recording.regret(f.rung) for f in found])
        beside = 100 * np.array([recording.regret(ref.rung) for _, ref in tried])
        same = np.array([f.rung == ref.rung for f, (_, ref) in zip(found, tried, strict=True)])
        print(
            f"{recording.name}: {name}, {len(found)} searches in {seconds:.1f} s", file=sys.stderr, flush=True
        )
        yield {
            "recording": recording.name,
            "method": name,
            "searches": len(found),
            "iterations_median": float(np.median(relative)),
            "iterations_mean": float(relative.mean()),
            "iterations_most": float(relative.max()),
            "regret_mean": float(regret.mean()),
            "regret_worst": float(regret.max()),
            "regret_mean_of_papers": float(beside.mean()),
            "best_found": float((regret <= 1e-9).mean()),
            "same_choice": float(same.mean()),
            "worse": int((~same & (regret > beside)).sum()),
            "resolved": float(np.mean([f.resolved for f in found])),
            "milliseconds": 1000 * seconds / len(found),
            "relative": np.round(relative, 4).tolist(),
        }


def cases_of(recording: Recording, draws: int) -> Iterator[tuple[int, Case]]:
    """Give the cases: every start with every draw of seeds, the same draws at every start."""
    generator = np.random.default_rng(0)
    orders = [tuple(int(seed) for seed in generator.permutation(recording.seeds)) for _ in range(draws)]
    for offset in STARTS:
        start = recording.best + offset
        for draw, order in enumerate(orders):
            iterations = paper(recording, start, order).iterations
            yield draw, Case(recording, start, order, iterations, seed=draw)


if __name__ == "__main__":
    main()
