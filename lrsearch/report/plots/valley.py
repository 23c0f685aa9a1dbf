"""The valley of a search: end metrics over the ladder, with how sure the choice is."""

from collections.abc import Sequence
from math import log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from lrsearch.averages import mean_of
from lrsearch.report.findings import BEST, Finding, Mark, findings
from lrsearch.report.numbers import metric_text, percent_text, value_text
from lrsearch.report.palette import LIGHT
from lrsearch.report.plots.canvas import FONT_SIZE, new_figure, scale_y
from lrsearch.report.series import best_that_may_be, seed_values
from lrsearch.searches import SearchState
from lrsearch.task.model import Task
from lrsearch.verdict import CONFIDENCE

RING_WIDTH = 2.0
CROWDED = 9
"""Above so many candidates, words are turned to fit."""


def valley_figure(task: Task, state: SearchState) -> Figure:
    """Draw each candidate's end metric over the ladder: its seeds, their mean and one standard deviation.

    The chosen one is ringed, those that may be as good are marked, and what did not learn, or was stopped before
    any seed of it ended, stands at the worse edge. A hollow square has fewer seeds than it was to have. A dashed
    line shows where the best candidate may truly be, if the verdict can bound that.
    """
    found = [finding for finding in findings(task, state) if finding.replicas]
    figure, axes = new_figure(f"{state.search}: {task.metric.name} at iteration {task.budget.iterations:,}")
    bound = best_that_may_be(task, state)
    _scale(axes, task, found, bound)
    means = {_place(state, f.value): f.mean for f in found if f.mean is not None and not _aside(f.mark)}
    axes.plot(list(means), list(means.values()), color=LIGHT.soft_ink, linewidth=1, zorder=1)
    for finding, colour in zip(found, LIGHT.ramp(len(found)), strict=True):
        place = _place(state, finding.value)
        if finding.mark.dead or (finding.mark is Mark.STOPPED and not seed_values(finding)):
            _draw_edge(axes, place, finding, colour, task.metric.mode == "min", len(found) > CROWDED)
        else:
            _draw_candidate(axes, place, finding, colour)
    _draw_bound(axes, task, bound)
    _label_ladder(axes, state, found)
    axes.set_ylabel(task.metric.name)
    _add_legend(axes, found)
    return figure


def _aside(mark: Mark) -> bool:
    """Whether a candidate has no place on the line: it cannot be chosen, or has fewer seeds than the others."""
    return mark.dead or mark in (Mark.STOPPED, Mark.LEFT, Mark.BEGUN)


def _scale(axes: Axes, task: Task, found: Sequence[Finding], bound: float | None) -> None:
    """Leave room beyond the worst that learned, for what did not."""
    values = [value for finding in found if not finding.mark.dead for value in seed_values(finding)]
    values += [] if bound is None else [bound]
    edged = any(finding.mark.dead or finding.mark is Mark.STOPPED for finding in found)
    worse_room, better_room = (0.3 if edged else 0.12), 0.12
    below, above = (better_room, worse_room) if task.metric.mode == "min" else (worse_room, better_room)
    scale_y(axes, min(values, default=0.0), max(values, default=1.0), below, above)
    if not values:
        axes.yaxis.set_major_locator(NullLocator())


def _draw_candidate(axes: Axes, place: float, finding: Finding, colour: str) -> None:
    values = seed_values(finding)
    axes.plot(
        [place] * len(values),
        values,
        "o",
        color=colour,
        markersize=4.5,
        alpha=0.5,
        markeredgewidth=0,
        zorder=3,
    )
    if finding.mean is None and not values:
        return
    aside = _aside(finding.mark)
    axes.errorbar(
        place,
        finding.mean if finding.mean is not None else mean_of(values),
        yerr=finding.std,
        fmt="s" if aside else "o",
        color=colour,
        markerfacecolor=LIGHT.paper if aside else colour,
        markersize=8,
        capsize=5,
        elinewidth=1.8,
        zorder=4,
    )
    if finding.mean is None:
        return
    if finding.mark in BEST:
        _ring(axes, place, finding.mean, "o", 17, LIGHT.ink, RING_WIDTH)
    elif finding.mark is Mark.TIE:
        _ring(axes, place, finding.mean, "s", 15, LIGHT.soft_ink, 1.4)


def _ring(axes: Axes, x: float, y: float, marker: str, size: float, colour: str, width: float) -> None:
    axes.plot(
        x,
        y,
        marker,
        markersize=size,
        markerfacecolor="none",
        markeredgecolor=colour,
        markeredgewidth=width,
        zorder=5,
    )


def _draw_edge(
    axes: Axes, place: float, finding: Finding, colour: str, worse_is_up: bool, crowded: bool
) -> None:
    edge, text_edge = (0.95, 0.9) if worse_is_up else (0.05, 0.1)
    across = axes.get_xaxis_transform()
    marker, size, width = ("x", 10, 2.6) if finding.mark.dead else ("s", 9, 0.0)
    axes.plot(
        place, edge, marker, color=colour, markersize=size, markeredgewidth=width, transform=across, zorder=4
    )
    mean = finding.mean
    words = finding.mark.value if mean is None else metric_text(mean)
    axes.text(
        place,
        text_edge,
        words,
        transform=across,
        ha="center",
        va="top" if worse_is_up else "bottom",
        color=LIGHT.soft_ink,
        fontsize=FONT_SIZE - 2,
        rotation=90 if crowded else 0,
    )


def _draw_bound(axes: Axes, task: Task, bound: float | None) -> None:
    if bound is None:
        return
    axes.axhline(bound, color=LIGHT.soft_ink, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1)
    side = "below" if task.metric.mode == "min" else "above"
    words = f"{percent_text(CONFIDENCE)} sure:\nnone is truly\n{side} {metric_text(bound)}"
    axes.text(
        1.01,
        bound,
        words,
        transform=axes.get_yaxis_transform(),
        va="center",
        color=LIGHT.soft_ink,
        fontsize=FONT_SIZE - 2,
        linespacing=1.3,
    )


def _label_ladder(axes: Axes, state: SearchState, found: Sequence[Finding]) -> None:
    """Put a tick at each candidate; a ladder of betas is even in ``1 - beta``, so that is written below."""
    name = state.search.hyperparameter
    places = [_place(state, finding.value) for finding in found]
    labels = [value_text(finding.value) for finding in found]
    axes.set_xlabel(f"{name} (log scale)")
    if state.searched.ladder_name == "beta":
        complements = [value_text(float(f"{1 - finding.value:.6g}")) for finding in found]
        labels = [f"{label}\n{below}" for label, below in zip(labels, complements, strict=True)]
        axes.set_xlabel(f"{name}, and 1 - {name} below it (log scale)")
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(labels, rotation=60 if len(labels) > CROWDED else 0)
    if places:
        axes.set_xlim(places[0] - 0.35, places[-1] + 0.35)


def _add_legend(axes: Axes, found: Sequence[Finding]) -> None:
    marks = {finding.mark for finding in found}
    fewer = any(
        finding.mark in (Mark.STOPPED, Mark.LEFT, Mark.BEGUN) and seed_values(finding) for finding in found
    )

    def handle(label: str, marker: str, size: float, width: float, filled: bool = False) -> Line2D:
        edge = LIGHT.ink if width == RING_WIDTH else LIGHT.soft_ink
        return Line2D(
            [],
            [],
            linestyle="",
            label=label,
            marker=marker,
            markersize=size,
            markeredgewidth=width,
            markeredgecolor=edge,
            markerfacecolor=edge if filled else "none",
        )

    handles = [
        handle("mean ± std", "o", 7, 0, filled=True),
        handle("one seed", "o", 4, 0, filled=True),
    ]
    if marks & set(BEST):
        handles.append(handle("chosen" if Mark.CHOSEN in marks else "best so far", "o", 11, RING_WIDTH))
    if Mark.TIE in marks:
        handles.append(handle("may be as good", "s", 10, 1.4))
    if any(mark.dead for mark in marks):
        handles.append(handle("did not learn", "x", 7, 2.2))
    if fewer:
        handles.append(handle("fewer seeds", "s", 6, 1.2))
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=len(handles),
        frameon=False,
        fontsize=FONT_SIZE - 1.5,
        labelcolor=LIGHT.ink,
        handletextpad=0.2,
        columnspacing=1.0,
    )


def _place(state: SearchState, value: float) -> float:
    return -log10(1 - value) if state.searched.ladder_name == "beta" else log10(value)
