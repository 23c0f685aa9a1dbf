"""The charts of a search: the curves of its candidates, and where they ended over the ladder."""

from collections.abc import Sequence

from lrsearch.report.charts.model import Chart, Curves, Facet, Line, Point, Row, Sweep, is_wide_range, line_of
from lrsearch.report.elements import slug
from lrsearch.report.findings import BEST, Finding, Mark, diverged_at, findings
from lrsearch.report.numbers import value_text
from lrsearch.report.palette import LIGHT
from lrsearch.report.series import best_that_may_be, seed_values, shown_range
from lrsearch.searches import SearchState
from lrsearch.task.model import Task
from lrsearch.trial import Finished, Stopped


def charts_of_search(task: Task, state: SearchState) -> tuple[Chart, ...]:
    """Give the curves of a search and its ladder; none before anything was evaluated."""
    found = [finding for finding in findings(task, state) if finding.replicas]
    if not any(trial.curve for finding in found for trial in finding.replicas):
        return ()
    colours = LIGHT.ramp(len(found))
    return (_curves(task, state, found, colours), _ladder(task, state, found, colours))


def _curves(task: Task, state: SearchState, found: Sequence[Finding], colours: Sequence[str]) -> Curves:
    low, high = shown_range(task, found)
    lines = [line for f, c in zip(found, colours, strict=True) for line in _lines(task, f, c)]
    return Curves(
        slug=f"{slug(state.search)}-curves",
        title=f"{task.metric.name} by iteration",
        metric=task.metric.name,
        iterations=task.budget.iterations,
        low=low,
        high=high,
        log=is_wide_range(low, high),
        facets=(Facet("", tuple(lines)),),
        caption="",
    )


def _lines(task: Task, finding: Finding, colour: str) -> list[Line]:
    """A candidate's whole trainings as one line; those that were stopped, or one diverged of, seed by seed."""
    name = f"{value_text(finding.value)} {finding.mark.glyph}".rstrip()
    diverged = any(diverged_at(trial) is not None for trial in finding.replicas)
    whole = [t for t in finding.replicas if isinstance(t.outcome, Finished)]
    averaged = [] if diverged else whole or finding.running
    rest = [
        t
        for t in finding.replicas
        if t not in averaged and (diverged or isinstance(t.outcome, Stopped) or (whole and not t.ended))
    ]
    metric, bold = task.metric.name, finding.mark in BEST
    lines = (
        line_of(name, colour, "solid", averaged, metric, bold=bold),
        line_of(name, colour, "dashed" if diverged else "solid", rest, metric, single=True),
    )
    return [line for line in lines if line is not None]


def _ladder(task: Task, state: SearchState, found: Sequence[Finding], colours: Sequence[str]) -> Sweep:
    points = tuple(_point(finding, colour) for finding, colour in zip(found, colours, strict=True))
    alive = [point for point, finding in zip(points, found, strict=True) if not finding.mark.dead]
    heights = [value for point in alive for value in (*point.seeds.values(), point.low, point.high)]
    bound = best_that_may_be(task, state)
    known = [value for value in (*heights, bound) if value is not None] or [0.0, 1.0]
    return Sweep(
        slug=f"{slug(state.search)}-ladder",
        title=f"{task.metric.name} at iteration {task.budget.iterations:,}",
        hyperparameter=state.search.hyperparameter,
        metric=task.metric.name,
        spread="one standard deviation",
        rows=(Row("", LIGHT.soft_ink, "solid", points),),
        levels=() if bound is None else (("95 % sure: none is truly better", LIGHT.soft_ink, bound),),
        shown=(min(known), max(known)),
        log=True,
        worse_is_up=task.metric.mode == "min",
        caption="",
        distance_from_one=state.searched.ladder_name == "beta",
    )


def _point(finding: Finding, colour: str) -> Point:
    mean, std = finding.mean, finding.std
    dead = finding.mark.dead or (finding.mark in (Mark.STOPPED, Mark.LEFT) and not seed_values(finding))
    shown = None if dead else mean
    return Point(
        finding.value,
        shown,
        None if shown is None or std is None else shown - std,
        None if shown is None or std is None else shown + std,
        {t.spec.seed: t.outcome.value for t in finding.replicas if isinstance(t.outcome, Finished)},
        colour,
        words=finding.words,
        glyph=finding.mark.glyph.strip(),
        bold=finding.mark in BEST,
    )
