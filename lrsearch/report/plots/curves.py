"""The curves of a search: each candidate's metric by iteration."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lrsearch.report.findings import BEST, Finding, diverged_at, findings
from lrsearch.report.metrics import measured_by
from lrsearch.report.numbers import value_text
from lrsearch.report.palette import LIGHT
from lrsearch.report.plots.canvas import new_figure, scale_y
from lrsearch.report.series import band, shown_range, single_curves
from lrsearch.searches import SearchState
from lrsearch.task.model import Task
from lrsearch.trial import Stopped, Trial

LOG_BEYOND = 4
"""Curves are drawn in logs where they span more than this factor: what decides is the low end of them."""


def curves_figure(task: Task, state: SearchState, metric: str | None = None) -> Figure:
    """Draw each candidate's metric by iteration: mean over seeds with one standard deviation.

    So do figures 15 to 22 of arXiv:1912.11493. A candidate of which a seed diverged is drawn seed by seed,
    dashed, each up to where it ended; a training that was stopped by itself, up to a square.

    Args:
        task: the task.
        state: where the search stands.
        metric: one that was recorded beside the deciding one, to be drawn in its place. Which of its ends is the
            worse is not known, so a seed that diverged ends as high as it was last.
    """
    found = [finding for finding in findings(task, state) if finding.replicas]
    if metric is not None:
        found = [measured_by(finding, metric) for finding in found]
    name = metric or task.metric.name
    figure, axes = new_figure(f"{state.search}: {name} by iteration")
    scale_y(axes, *shown_range(task, found), log_beyond=LOG_BEYOND)
    worse_end = axes.get_ylim()[1 if task.metric.mode == "min" else 0] if metric is None else None
    ends = [
        _draw_curve(axes, f, colour, worse_end)
        for f, colour in zip(found, LIGHT.ramp(len(found)), strict=True)
    ]
    axes.set_xlim(0, task.budget.iterations)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda iteration, _: f"{iteration:,.0f}"))
    axes.set_xlabel("iteration")
    axes.set_ylabel(name)
    _label_ends(axes, found, ends, state.search.hyperparameter)
    return figure


def _draw_curve(axes: Axes, finding: Finding, colour: str, worse_end: float | None) -> float:
    """Draw one candidate and give the height at which its curve leaves the picture on the right."""
    width = 2.8 if finding.mark in BEST else 1.5
    order = 4 if finding.mark in BEST else 3
    singles = [_draw_single(axes, trial, colour, worse_end) for trial in single_curves(finding)]
    if (mean := band(finding)) is None:
        return singles[-1] if singles else _height(axes, worse_end, ())
    axes.plot(mean.iterations, mean.means, color=colour, linewidth=width, zorder=order)
    spread = [*zip(mean.means, mean.deviations, strict=True)]
    lower, upper = [m - d for m, d in spread], [m + d for m, d in spread]
    alpha = 0.28 if finding.mark in BEST else 0.16
    axes.fill_between(mean.iterations, lower, upper, color=colour, alpha=alpha, linewidth=0, zorder=2)
    return mean.means[-1]


def _draw_single(axes: Axes, trial: Trial, colour: str, worse_end: float | None) -> float:
    """Draw one training, up to a cross where it diverged or a square where it was stopped; give its last height."""
    points = [(e.iteration, e.value) for e in trial.curve if isfinite(e.value)]
    at = diverged_at(trial)
    if at is not None:
        end = _height(axes, worse_end, points)
        _mark_end(axes, at, end, "x", colour)
        points.append((at, end))
    elif isinstance(trial.outcome, Stopped) and points:
        _mark_end(axes, *points[-1], "s", colour)
    dashes = (0, (4, 2)) if at is not None else "solid"
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.2, linestyle=dashes, zorder=3)
    return points[-1][1] if points else _height(axes, worse_end, ())


def _height(axes: Axes, worse_end: float | None, points: Sequence[tuple[int, float]]) -> float:
    """Where what diverged ends: at the worse end or, where that is not known, as high as it was last."""
    if worse_end is not None:
        return worse_end
    low, high = axes.get_ylim()
    return min(high, max(low, points[-1][1])) if points else low


def _mark_end(axes: Axes, iteration: float, height: float, marker: str, colour: str) -> None:
    size, width = (8, 2.0) if marker == "x" else (7, 0.0)
    axes.plot(
        iteration,
        height,
        marker,
        color=colour,
        markersize=size,
        markeredgewidth=width,
        zorder=5,
        clip_on=marker != "x",
    )


def _label_ends(axes: Axes, found: Sequence[Finding], ends: Sequence[float], name: str) -> None:
    """Name each curve where it ends, on the right, moved apart where labels would overlap."""
    heights = [axes.transAxes.inverted().transform(axes.transData.transform((0, end)))[1] for end in ends]
    places = _apart([min(1.0, max(0.0, height)) for height in heights], gap=0.058)
    for finding, colour, height, place in zip(found, LIGHT.ramp(len(found)), heights, places, strict=True):
        axes.plot(
            (1.005, 1.02, 1.035, 1.05),
            (min(1.0, max(0.0, height)), min(1.0, max(0.0, height)), place, place),
            color=colour,
            linewidth=2.8 if finding.mark in BEST else 1.5,
            transform=axes.transAxes,
            clip_on=False,
        )
        weight = "bold" if finding.mark in BEST else "normal"
        text = f"{value_text(finding.value)} {finding.mark.glyph}".rstrip()
        axes.text(
            1.06, place, text, transform=axes.transAxes, va="center", color=LIGHT.ink, fontweight=weight
        )
    x, align = (
        (1.06, "left") if len(name) < 7 else (1.165, "right")
    )  # a long name ends where the picture does
    axes.text(x, 1.06, name, transform=axes.transAxes, va="bottom", ha=align, color=LIGHT.soft_ink)


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights in [0, 1] at least ``gap`` apart: up where they collide, down from the top."""
    gap = min(gap, 1 / max(1, len(heights) - 1))
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    places = list(heights)
    for below, above in pairwise(order):
        places[above] = max(places[above], places[below] + gap)
    ceiling = 1.0
    for i in reversed(order):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    return places
