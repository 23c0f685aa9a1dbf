"""The charts of a comparison: curves, scales and their histograms, ends, differences, and what was varied."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lrsearch.averages import mean_of
from lrsearch.report.charts.families import Family, Look, families_of, looks_of
from lrsearch.report.charts.model import (
    Chart,
    Curves,
    Facet,
    Grid,
    HeatMap,
    Intervals,
    Point,
    Row,
    Span,
    Sweep,
    is_wide_range,
    line_of,
    range_of,
)
from lrsearch.report.charts.sweeps import is_wide, varied
from lrsearch.report.numbers import value_text
from lrsearch.searches import SearchState
from lrsearch.task.comparison import HISTOGRAM, MEAN_SCALE, bin_name, is_of_scales
from lrsearch.task.model import Task
from lrsearch.trial import Diverged, Trial

_BAND = "Mean over seeds; the band is one standard deviation."
_LEGEND = " Solid is the base, dashed what is set against it, dotted the base at the rate that CProp used."


def charts_of_comparison(
    task: Task, states: Sequence[SearchState], content: Mapping[str, Any]
) -> tuple[Chart, ...]:
    """Give the charts of a comparison, what decides first; none of what was not recorded.

    Args:
        task: the comparison.
        states: where its entries stand; they need not have ended.
        content: what comparison.yaml holds.
    """
    trials = {state.search.entry: state.trials for state in states}
    families = families_of(task)
    looks = looks_of(task, families)
    metrics = _metrics(task, trials)
    charts: list[Chart | None] = []
    for metric in metrics:
        charts += [
            _curves(task, families, looks, trials, metric),
            _differences(task, looks, content, metric),
            _ends(task, families, looks, content, metric),
            *_sweeps(task, looks, content, metric),
        ]
    charts += [_curves(task, families, looks, trials, MEAN_SCALE), _heat(task, families, looks, trials)]
    return tuple(chart for chart in charts if chart is not None)


def _metrics(task: Task, trials: Mapping[str, Sequence[Trial]]) -> list[str]:
    recorded = dict.fromkeys(
        name
        for of in trials.values()
        for trial in of
        for evaluation in trial.curve
        for name in evaluation.metrics
        if not is_of_scales(name)
    )
    return [task.metric.name, *(name for name in recorded if name != task.metric.name)]


def _curves(
    task: Task,
    families: Sequence[Family],
    looks: Mapping[str, Look],
    trials: Mapping[str, Sequence[Trial]],
    metric: str,
) -> Curves | None:
    facets = []
    for family in families:
        lines = []
        for name in family.members:
            diverged = any(isinstance(trial.outcome, Diverged) for trial in trials[name])
            look = looks[name]
            line = line_of(
                _called(name, trials), look.colour, look.dash, trials[name], metric, single=diverged
            )
            lines += [line] if line else []
        if lines:
            facets.append(Facet(family.base, tuple(lines)))
    if not facets:
        return None
    all_lines = [line for facet in facets for line in facet.lines]
    low, high = range_of([line for line in all_lines if not line.single] or all_lines, task.budget.iterations)
    scales = metric == MEAN_SCALE
    if scales:
        low, high = 0.0, 1.0
    return Curves(
        slug=f"{metric}-curves",
        title="Mean of CProp's scale" if scales else f"{metric} by iteration",
        metric=metric,
        iterations=task.budget.iterations,
        low=low,
        high=high,
        log=is_wide_range(low, high),
        facets=tuple(facets),
        caption=f"{_BAND} The scale is what each element's update is multiplied with, at most 1."
        if scales
        else _BAND + _LEGEND,
    )


def _called(name: str, trials: Mapping[str, Sequence[Trial]]) -> str:
    rates = {trial.spec.hyperparameters.get("lr") for trial in trials[name]}
    rate = rates.pop() if len(rates) == 1 else None
    return name if rate is None else f"{name} at {value_text(rate)}"


def _heat(
    task: Task, families: Sequence[Family], looks: Mapping[str, Look], trials: Mapping[str, Sequence[Trial]]
) -> HeatMap | None:
    assert task.comparison is not None
    bins = [bin_name(index) for index in range(task.comparison.bins)]
    grids = []
    for name in (name for family in families for name in family.members):
        recorded: dict[int, list[tuple[float, ...]]] = {}
        for trial in trials[name]:
            for evaluation in trial.curve:
                if bins[0] in evaluation.metrics:
                    shares = tuple(evaluation.metrics[of] for of in bins)
                    recorded.setdefault(evaluation.iteration, []).append(shares)
        if recorded:
            iterations = tuple(sorted(recorded))
            means = tuple(
                tuple(mean_of(column) for column in zip(*recorded[iteration], strict=True))
                for iteration in iterations
            )
            grids.append(Grid(_called(name, trials), looks[name].colour, iterations, means))
    if not grids:
        return None
    return HeatMap(
        slug=HISTOGRAM.rstrip("."),
        title="Histogram of CProp's scale",
        iterations=task.budget.iterations,
        bins=len(bins),
        facets=tuple(grids),
        caption="Each column is a histogram of the scales of all elements at that iteration, mean over seeds; the "
        "darker, or on a dark page the brighter, the more elements. The square root of the share is drawn.",
    )


def _differences(
    task: Task, looks: Mapping[str, Look], content: Mapping[str, Any], metric: str
) -> Intervals | None:
    rows = []
    for variant, pair in content["pairs"].items():
        control = pair.get("control")
        against = [(pair["against"], pair), *([(control["entry"], control)] if control else [])]
        for other, found in against:
            if difference := found["differences"].get(metric):
                seeds = _difference(content["entries"], variant, other, metric)
                look = looks[other] if control and other == control["entry"] else looks[variant]
                rows.append(_span(f"{variant} less {other}", pair["against"], look, difference, seeds))
    if not rows:
        return None
    better = ""
    if metric == task.metric.name:
        better = f"Better is {'left' if task.metric.mode == 'min' else 'right'} of 0."
    return Intervals(
        slug=f"{metric}-differences",
        title=f"Differences of {metric} at the end",
        metric=metric,
        zero=True,
        rows=tuple(rows),
        caption="A dot a seed, and the mean difference over paired seeds with its 95 % interval. Where it holds 0, no "
        "difference is shown.",
        note=better,
    )


def _ends(
    task: Task,
    families: Sequence[Family],
    looks: Mapping[str, Look],
    content: Mapping[str, Any],
    metric: str,
) -> Intervals | None:
    rows = []
    for family in families:
        for name in family.members:
            entry = content["entries"][name]
            if mean := (entry.get("means") or {}).get(metric):
                rows.append(_span(name, family.base, looks[name], mean, entry["ends"][metric]))
    if not rows:
        return None
    return Intervals(
        slug=f"{metric}-ends",
        title=f"{metric} at the end",
        metric=metric,
        zero=False,
        rows=tuple(rows),
        caption="A dot a seed, and the mean over seeds with its 95 % interval, each entry by itself. Entries of a "
        "pair share seeds, so their difference is surer than these intervals look.",
    )


def _sweeps(
    task: Task, looks: Mapping[str, Look], content: Mapping[str, Any], metric: str
) -> Iterator[Sweep]:
    assert task.comparison is not None
    entries = content["entries"]
    for number, found in varied(entries, [*task.comparison.controls.values()]):
        rows = tuple(
            Row(first, looks[first].colour, looks[first].dash, points)
            for first, values in found.items()
            if len(points := tuple(_points(entries, looks, values, metric))) > 1
        )
        if not rows:
            continue
        in_rows = {name for values in found.values() for name in values}
        bases = dict.fromkeys(task.comparison.pairs[n] for n in in_rows if n in task.comparison.pairs)
        levels = tuple(
            (base, looks[base].colour, mean["mean"])
            for base in bases
            if base not in in_rows and (mean := (entries[base].get("means") or {}).get(metric))
        )
        heights = [v for row in rows for p in row.points for v in (p.low, p.high, p.mean) if v is not None]
        heights += [value for row in rows for point in row.points for value in point.seeds.values()]
        heights += [level for _, _, level in levels]
        yield Sweep(
            slug=f"{metric}-over-{number}",
            title=f"{metric} at the end over {number}",
            hyperparameter=number,
            metric=metric,
            spread="the 95 % interval",
            rows=rows,
            levels=levels,
            shown=(min(heights), max(heights)),
            log=is_wide([point.x for row in rows for point in row.points]),
            worse_is_up=task.metric.mode == "min",
            caption="A dot a seed, and the mean over seeds with its 95 % interval."
            + (" Across: what they are set against." if levels else ""),
        )


def _points(
    entries: Mapping[str, Any], looks: Mapping[str, Look], values: Mapping[str, float], metric: str
) -> Iterator[Point]:
    for name, value in sorted(values.items(), key=lambda item: item[1]):
        if mean := (entries[name].get("means") or {}).get(metric):
            yield Point(
                value,
                mean["mean"],
                mean["low"],
                mean["high"],
                entries[name]["ends"][metric],
                looks[name].colour,
                words=name,
            )


def _span(name: str, group: str, look: Look, found: Mapping[str, Any], seeds: Mapping[int, float]) -> Span:
    return Span(name, group, look.colour, look.dash, found["mean"], found["low"], found["high"], dict(seeds))


def _difference(entries: Mapping[str, Any], own: str, other: str, metric: str) -> dict[int, float]:
    ends = [entries[name]["ends"][metric] for name in (own, other)]
    return {seed: ends[0][seed] - ends[1][seed] for seed in ends[0] if seed in ends[1]}
