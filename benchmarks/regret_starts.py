"""How much does the bound on regret hang on where a search began? The same seeds, walked from every start.

    python benchmarks/regret_starts.py [--searches 100]

Each search of a setting (see ``regret_settings.py``) is walked from all starts within four rungs of the best one.
Walks that choose the same rung are one group: the ratio of its largest to its smallest bound, after one look with
three seeds, says how much the start matters. Bounds below 1 % count as 1 %. Walks without a rival claim nothing and
are left out.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from regret_bound import ERROR, LOOKS, by_rivals, lost_to, walk
from regret_procedures import PREVIOUS, PROCEDURES, Procedure, as_shipped
from regret_settings import RUNGS, STARTS, Drawn, settings
from rich.console import Console
from rich.table import Table

from lrsearch.verdict.regret import Array, Integers

COMPARED = {"as shipped": as_shipped, PREVIOUS: PROCEDURES[PREVIOUS]}
LEAST = 0.01

Walk = tuple[int, int, dict[str, float], float]
"""The search, the rung that it chose, its bound by procedure, and its regret."""


def walks_from_all_starts(
    drawn: Drawn, best: Integers, procedures: Mapping[str, Procedure]
) -> Iterator[Walk]:
    """Walk each search from every start within four rungs of the best one.

    Args:
        drawn: the searches.
        best: the rung of each that starts lie about.
        procedures: what bounds regret.
    """
    for search, middle in enumerate(best):
        for start in range(max(0, middle - STARTS), min(drawn.truth.shape[1], middle + STARTS + 1)):
            begun = replace(drawn, starts=np.full(len(best), start))
            trained, ending = walk(begun, search, LOOKS[0], {})
            for group, chosen, rivals in by_rivals({search: (trained, ending)}):
                if rivals.size:
                    bounds = {
                        name: bound(lost_to(rivals, procedure, drawn, group, chosen, LOOKS[0], ERROR))
                        for name, procedure in procedures.items()
                    }
                    yield search, int(chosen[0]), bounds, drawn.regret(search, chosen[0], [*trained])


def bound(lost: Array) -> float:
    """Return the bound of one search from the most that is lost to each rival, [1, k]."""
    return max(0.0, float(lost.max()))


def ratios(walks: Iterable[Walk]) -> dict[str, list[float]]:
    """Return the largest bound over the smallest, by procedure, for each search and choice with two walks or more."""
    groups: dict[tuple[int, int], list[dict[str, float]]] = {}
    for search, chosen, bounds, _ in walks:
        groups.setdefault((search, chosen), []).append(bounds)
    return {
        name: [
            max(LEAST, *(b[name] for b in group)) / max(LEAST, min(b[name] for b in group))
            for group in groups.values()
            if len(group) > 1
        ]
        for name in next(iter(groups.values()))[0]
    }


def quantiles(found: dict[str, list[float]]) -> list[str]:
    """Return median and 90th percentile for a table, procedure by procedure."""
    return [f"{np.quantile(found[name], q):.2f}" for name in COMPARED for q in (0.5, 0.9)]


def main() -> None:
    """Walk and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=100, help="a setting (default: 100)")
    arguments = parser.parse_args()
    shown = Table("setting", *(f"{name}: {q}" for name in COMPARED for q in ("median", "90 %")))
    for kind in ("recorded", "synthetic"):
        together: dict[str, list[float]] = {name: [] for name in COMPARED}
        for number, (setting, draw) in enumerate(settings()[kind].items()):
            drawn = draw(np.random.default_rng(number), arguments.searches)
            best = drawn.truth.argmin(axis=1)
            if kind == "synthetic":
                best = np.full(len(best), RUNGS // 2)
            found = ratios(walks_from_all_starts(drawn, best, COMPARED))
            for name, members in found.items():
                together[name] += members
            shown.add_row(setting, *quantiles(found))
        shown.add_row(f"all {kind}", *quantiles(together), end_section=True)
    Console(width=180).print(shown)


if __name__ == "__main__":
    main()
