"""Charts as data: what a picture shows, whoever draws it. The page draws them, and so does matplotlib."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

from lrsearch.averages import deviation_of, mean_of
from lrsearch.trial import Diverged, Stopped, Trial

Dash = Literal["solid", "dashed", "dotted"]
Spread = Literal["one standard deviation", "the 95 % interval"]

EARLY = 0.04
"""The share of a training whose evaluations do not set the range of a picture."""


@dataclass(frozen=True, slots=True)
class Line:
    """Curves of one entry or candidate, a seed each.

    Attributes:
        name: what it is called.
        colour: on a light page, as ``#rrggbb``.
        dash: how it is drawn.
        iterations: where there are values.
        seeds: by seed, a value for each iteration; None where there is none.
        ends: by seed that did not run to the end, how it ended instead: ``"diverged"`` or ``"stopped"``.
        single: draw seed by seed, as the mean would hide that one diverged.
        bold: it is what the reader looks for.
    """

    name: str
    colour: str
    dash: Dash
    iterations: tuple[int, ...]
    seeds: dict[int, tuple[float | None, ...]]
    ends: dict[int, str]
    single: bool = False
    bold: bool = False

    def means(self) -> list[tuple[int, float, float]]:
        """Give ``(iteration, mean, sample standard deviation)`` where all seeds have a value; 0 for one seed."""
        found = []
        for place, iteration in enumerate(self.iterations):
            values = [value for of in self.seeds.values() if (value := of[place]) is not None]
            if values and len(values) == len(self.seeds):
                found.append((iteration, mean_of(values), deviation_of(values) if len(values) > 1 else 0.0))
        return found


@dataclass(frozen=True, slots=True)
class Facet:
    """One panel of a chart with several on the same scales."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """A metric by iteration.

    Attributes:
        low: of the range that is shown.
        high: of that range.
        log: whether a range that wide is better seen in logarithms.
    """

    slug: str
    title: str
    metric: str
    iterations: int
    low: float
    high: float
    log: bool
    facets: tuple[Facet, ...]
    caption: str
    kind: Literal["curves"] = "curves"

    @property
    def lines(self) -> list[Line]:
        """All lines of all panels."""
        return [line for facet in self.facets for line in facet.lines]


@dataclass(frozen=True, slots=True)
class Grid:
    """A histogram by iteration, mean over seeds.

    Attributes:
        iterations: of the histograms.
        shares: for each, the share of elements in each bin, the lowest first; bins are of equal width from 0 to 1.
    """

    name: str
    colour: str
    iterations: tuple[int, ...]
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Histograms over time, figure 8 of arXiv:1912.11493."""

    slug: str
    title: str
    iterations: int
    bins: int
    facets: tuple[Grid, ...]
    caption: str
    kind: Literal["heat"] = "heat"


@dataclass(frozen=True, slots=True)
class Span:
    """A mean with its interval and what it is the mean of, by seed; without ends below two seeds."""

    name: str
    group: str
    colour: str
    dash: Dash
    mean: float
    low: float | None
    high: float | None
    seeds: dict[int, float]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Means with intervals, a row each.

    Attributes:
        metric: what is along the axis.
        zero: whether they are differences, so that 0 is the line that counts.
        note: what is left and what right of it, in words.
    """

    slug: str
    title: str
    metric: str
    zero: bool
    rows: tuple[Span, ...]
    caption: str
    note: str = ""
    kind: Literal["intervals"] = "intervals"


@dataclass(frozen=True, slots=True)
class Point:
    """Where trainings with one value ended: by seed, their mean and its spread, and how that stands in words."""

    x: float
    mean: float | None
    low: float | None
    high: float | None
    seeds: dict[int, float]
    colour: str
    words: str = ""
    glyph: str = ""
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Points that belong together."""

    name: str
    colour: str
    dash: Dash
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A metric at the end over the values of a hyperparameter.

    Attributes:
        spread: what ``low`` and ``high`` of the points are.
        levels: what is drawn across: ``(name, colour, value)``.
        distance_from_one: the values are on the ladder of ``1 - value``.
        shown: the range of the metric that is shown; points without a mean stand at its worse end.
    """

    slug: str
    title: str
    hyperparameter: str
    metric: str
    spread: Spread
    rows: tuple[Row, ...]
    levels: tuple[tuple[str, str, float], ...]
    shown: tuple[float, float]
    log: bool
    worse_is_up: bool
    caption: str
    distance_from_one: bool = False
    kind: Literal["sweep"] = "sweep"


Chart = Curves | HeatMap | Intervals | Sweep


def as_data(chart: Chart) -> dict[str, Any]:
    """Give a chart as the page reads it: numbers to six figures, keys as the fields are called."""
    return {name: _rounded(value) for name, value in asdict(chart).items()}


def line_of(
    name: str, colour: str, dash: Dash, trials: Iterable[Trial], metric: str, **looks: bool
) -> Line | None:
    """Give the curves of a metric; None where nothing of it was recorded."""
    own = sorted(trials, key=lambda trial: trial.spec.seed)
    curves = {
        trial.spec.seed: {e.iteration: e.metrics[metric] for e in trial.curve if metric in e.metrics}
        for trial in own
    }
    iterations = tuple(sorted({iteration for curve in curves.values() for iteration in curve}))
    if not iterations:
        return None
    seeds = {
        seed: tuple(
            value if (value := curve.get(iteration)) is not None and isfinite(value) else None
            for iteration in iterations
        )
        for seed, curve in curves.items()
        if curve
    }
    kinds = ((Diverged, "diverged"), (Stopped, "stopped"))
    ends = {t.spec.seed: word for t in own for kind, word in kinds if isinstance(t.outcome, kind)}
    return Line(name, colour, dash, iterations, seeds, ends, **looks)


def is_wide_range(low: float, high: float) -> bool:
    """Whether a range is better seen in logarithms: its end is more than ten times its beginning."""
    return low > 0 and high > 10 * low


def range_of(lines: Sequence[Line], iterations: int) -> tuple[float, float]:
    """Give the range that shows lines well: without their first evaluations, whose fall would flatten all the rest."""
    points = [
        (iteration, value)
        for line in lines
        for values in line.seeds.values()
        for iteration, value in zip(line.iterations, values, strict=True)
        if value is not None
    ]
    settled = [value for iteration, value in points if iteration >= EARLY * iterations]
    shown = settled or [value for _, value in points]
    return (min(shown), max(shown)) if shown else (0.0, 1.0)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
