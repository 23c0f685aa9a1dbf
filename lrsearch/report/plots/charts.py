"""Charts drawn by matplotlib, for PNG and SVG: those of a comparison. The page draws the same ones by itself."""

from collections.abc import Callable, Sequence
from math import ceil

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lrsearch.report.charts.model import Chart, Curves, HeatMap, Intervals, Line, Span, Sweep
from lrsearch.report.numbers import value_text
from lrsearch.report.palette import LIGHT
from lrsearch.report.plots.canvas import FONT, FONT_SIZE, scale_y, style_axes

PANEL = (4.6, 3.3)
"""Inches of a panel."""
COLUMNS = 3
_DASHES: dict[str, object] = {"solid": "solid", "dashed": (0, (4, 2)), "dotted": (0, (1, 1.4))}
_TOP, _BOTTOM = 0.42, 0.75
"""Inches for the title above and the caption's room below."""


def draw(chart: Chart) -> Figure:
    """Draw a chart."""
    match chart:
        case Curves():
            return _draw_curves(chart)
        case HeatMap():
            return _draw_heat(chart)
        case Intervals():
            return _draw_intervals(chart)
        case Sweep():
            return _draw_sweep(chart)


def _panels(title: str, count: int) -> tuple[Figure, list[Axes]]:
    """A figure of panels beside each other on the same scales, with a title."""
    columns = min(count, COLUMNS)
    rows = ceil(count / columns)
    width = max(PANEL[0] * columns, 6.4)
    height = _TOP + rows * (PANEL[1] + _BOTTOM)
    with matplotlib.rc_context(FONT):
        figure = Figure(figsize=(width, height), facecolor=LIGHT.paper)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    figure.subplots_adjust(
        left=0.75 / width,
        right=1 - 0.42 / width,
        top=1 - (_TOP + 0.3) / height,
        bottom=0.55 / height,
        hspace=0.3,
        wspace=0.14,
    )
    _title(figure, title)
    axes = [axes for row in grid for axes in row]
    for unused in axes[count:]:
        unused.set_visible(False)
    for used in axes[:count]:
        style_axes(used)
    return figure, axes[:count]


def _title(figure: Figure, title: str) -> None:
    width, height = figure.get_size_inches()
    figure.suptitle(
        title,
        x=0.2 / width,
        ha="left",
        y=1 - 0.12 / height,
        va="top",
        color=LIGHT.ink,
        fontsize=FONT_SIZE + 2,
        fontweight="bold",
    )


def _draw_curves(chart: Curves) -> Figure:
    figure, panels = _panels(chart.title, len(chart.facets))
    for axes, facet in zip(panels, chart.facets, strict=True):
        for line in facet.lines:
            _draw_line(axes, line)
        scale_y(axes, chart.low, chart.high, log_beyond=10 if chart.log else float("inf"))
        _name_iterations(axes, chart.iterations)
        axes.set_title(facet.name, loc="left", color=LIGHT.ink, fontsize=FONT_SIZE)
        axes.legend(frameon=False, fontsize=FONT_SIZE - 2, labelcolor=LIGHT.ink, handlelength=2.6, loc="best")
    _label_outer(panels, "iteration", chart.metric)
    return figure


def _draw_line(axes: Axes, line: Line) -> None:
    dash = _DASHES[line.dash]
    if line.single:
        for number, values in enumerate(line.seeds.values()):
            heights = [np.nan if value is None else value for value in values]
            label = line.name if number == 0 else None
            axes.plot(line.iterations, heights, color=line.colour, linestyle=dash, linewidth=1.1, label=label)
        return
    means = line.means()
    places, middle = [at for at, _, _ in means], np.array([mean for _, mean, _ in means])
    spread = np.array([deviation for _, _, deviation in means])
    axes.fill_between(places, middle - spread, middle + spread, color=line.colour, alpha=0.16, linewidth=0)
    axes.plot(places, middle, color=line.colour, linestyle=dash, linewidth=1.8, label=line.name)


def _draw_heat(chart: HeatMap) -> Figure:
    figure, panels = _panels(chart.title, len(chart.facets))
    largest = max(max(shares) for grid in chart.facets for shares in grid.shares)
    for axes, grid in zip(panels, chart.facets, strict=True):
        colours = LinearSegmentedColormap.from_list(grid.colour, [LIGHT.paper, grid.colour])
        inner = [(one + other) / 2 for one, other in zip(grid.iterations, grid.iterations[1:], strict=False)]
        edges = [0.0, *inner, float(chart.iterations)]
        shares = np.array(grid.shares).T
        axes.pcolormesh(
            edges,
            np.linspace(0, 1, chart.bins + 1),
            shares,
            cmap=colours,
            norm=PowerNorm(0.5, 0, largest),
            rasterized=True,
        )
        axes.grid(False)
        axes.set_ylim(0, 1)
        _name_iterations(axes, chart.iterations)
        axes.set_title(grid.name, loc="left", color=LIGHT.ink, fontsize=FONT_SIZE)
    _label_outer(panels, "iteration", "scale")
    return figure


def _draw_intervals(chart: Intervals) -> Figure:
    height = 0.42 * len(chart.rows) + _TOP + 0.7
    longest = max(len(row.name) for row in chart.rows)
    width = 7.6
    with matplotlib.rc_context(FONT):
        figure = Figure(figsize=(width, height), facecolor=LIGHT.paper)
        left = min(0.5, (0.3 + 0.088 * longest) / width)
        below = 0.6 / height
        axes = figure.add_axes((left, below, 0.97 - left, (height - _TOP) / height - below))
    style_axes(axes)
    axes.grid(axis="x", color=LIGHT.faint, linewidth=0.8)
    axes.grid(False, axis="y")
    for place, row in enumerate(chart.rows):
        if row.low is not None and row.high is not None:
            axes.plot(
                (row.low, row.high),
                (place, place),
                color=row.colour,
                alpha=0.75,
                linewidth=2.4,
            )
        axes.plot(
            [*row.seeds.values()],
            [place] * len(row.seeds),
            "o",
            color=row.colour,
            alpha=0.5,
            markersize=3.5,
            markeredgewidth=0,
        )
        _draw_mean(axes, row, place)
    if chart.zero:
        axes.axvline(0, color=LIGHT.ink, linewidth=1.2, zorder=0.9)
    axes.set_yticks(range(len(chart.rows)), [row.name for row in chart.rows])
    axes.set_ylim(len(chart.rows) - 0.4, -0.6)
    axes.set_xlabel(f"difference of {chart.metric}" if chart.zero else chart.metric)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    _title(figure, chart.title)
    return figure


def _draw_mean(axes: Axes, row: Span, place: int) -> None:
    """A dot; hollow for what is dotted elsewhere, a control."""
    hollow = row.dash == "dotted"
    face, edge = (LIGHT.paper, row.colour) if hollow else (row.colour, LIGHT.paper)
    axes.plot(
        row.mean,
        place,
        "o",
        color=face,
        markersize=7.5,
        markeredgecolor=edge,
        markeredgewidth=1.8 if hollow else 1,
    )


def _draw_sweep(chart: Sweep) -> Figure:
    figure, (axes,) = _panels(chart.title, 1)
    place: Callable[[float], float] = (lambda x: -np.log10(1 - x)) if chart.distance_from_one else float
    for row in chart.rows:
        ended = [(point, point.mean) for point in row.points if point.mean is not None]
        axes.plot(
            [place(point.x) for point, _ in ended],
            [mean for _, mean in ended],
            color=row.colour,
            linestyle=_DASHES[row.dash],
            linewidth=1,
            label=row.name,
            zorder=1,
        )
        for point, mean in ended:
            at = place(point.x)
            if point.low is not None and point.high is not None:
                axes.plot((at, at), (point.low, point.high), color=point.colour, linewidth=2)
            axes.plot(
                [at] * len(point.seeds),
                [*point.seeds.values()],
                "o",
                color=point.colour,
                alpha=0.5,
                markersize=3.5,
                markeredgewidth=0,
            )
            axes.plot(at, mean, "o", color=point.colour, markersize=7)
    for name, colour, height in chart.levels:
        axes.axhline(height, color=colour, linewidth=1.2, linestyle=(0, (5, 3)), label=name)
    scale_y(axes, *chart.shown)
    if chart.log and not chart.distance_from_one:
        axes.set_xscale("log")
    values = sorted({point.x for row in chart.rows for point in row.points})
    axes.set_xticks([place(value) for value in values], [value_text(value) for value in values])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=FONT_SIZE - 2, labelcolor=LIGHT.ink)
    _label_outer([axes], chart.hyperparameter, chart.metric)
    return figure


def _name_iterations(axes: Axes, iterations: int) -> None:
    axes.set_xlim(0, iterations)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda iteration, _: f"{iteration:,.0f}"))
    axes.tick_params(labelbottom=True)


def _label_outer(panels: Sequence[Axes], below: str, beside: str) -> None:
    for number, axes in enumerate(panels):
        axes.set_xlabel(below)
        if number % COLUMNS == 0:
            axes.set_ylabel(beside)
