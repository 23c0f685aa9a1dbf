"""The page of a comparison: verdicts, curves, differences, ends, CProp's scales, and every number."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lrsearch.report.charts import Chart, Curves, HeatMap, Intervals, charts_of_comparison
from lrsearch.report.elements import table
from lrsearch.report.export import write_atomically
from lrsearch.report.numbers import metric_text, value_text
from lrsearch.report.pages.shell import CONTROLS, as_yaml, chart, made_text, page
from lrsearch.report.plots import draw, to_png, to_svg_file
from lrsearch.report.recipe import recipe_text
from lrsearch.report.versus import direction
from lrsearch.searches import SearchState
from lrsearch.task.comparison import MEAN_SCALE
from lrsearch.task.model import Task

PICTURES = "pictures"


def write_comparison_page(
    folder: Path, task: Task, states: Iterable[SearchState], content: Mapping[str, Any]
) -> list[Path]:
    """Write ``report.html`` and, in ``pictures``, each chart as PNG and as SVG.

    Args:
        folder: where to; made if need be.
        task: the comparison.
        states: where its entries stand; they need not have ended.
        content: what comparison.yaml holds, as :func:`lrsearch.report.comparison.comparison` gives it.

    Returns:
        The files written, the page first.
    """
    charts = charts_of_comparison(task, [*states], content)
    written = [folder / "report.html"]
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for of in charts:
        drawn = draw(of)
        for ending, rendered in (("png", to_png(drawn)), ("svg", to_svg_file(drawn, of.slug))):
            written.append(folder / PICTURES / f"{of.slug}.{ending}")
            write_atomically(written[-1], rendered)
    write_atomically(written[0], _page(task, content, charts).encode())
    return written


def _page(task: Task, content: Mapping[str, Any], charts: Sequence[Chart]) -> str:
    seeds = f"{task.seeds} seeds" if task.seeds != 1 else "1 seed"
    return page(
        task.name,
        f"{task.workload}, {task.budget.iterations:,} iterations{_shortened(task)}, {seeds}, "
        f"{len(task.entries)} entries",
        (
            '<ul class="verdicts">',
            *(_verdict(task, variant, pair) for variant, pair in content["pairs"].items()),
            "</ul>",
            "<noscript><p>The charts are drawn by scripts, which do not run here; the folder of this page has them as "
            "pictures.</p></noscript>",
            CONTROLS,
            *_sections(charts),
            *_numbers(content),
        ),
        (_decides(task), made_text(content)),
        charts,
    )


def _decides(task: Task) -> str:
    last = f", {task.metric.words}" if task.metric.smoothed else ""
    recipe = recipe_text(task)
    better = "low" if task.metric.mode == "min" else "high"
    return (
        f"What decides is {task.metric.name} at iteration {task.budget.iterations:,}{last}, better if {better}; "
        f"intervals are Student's t over seeds, for each metric and pair by itself.{f' {recipe}' if recipe else ''}"
    )


def _shortened(task: Task) -> str:
    """Say that a comparison is shorter than its file has it."""
    assert task.comparison is not None, "a comparison says what it compares"
    scale = task.comparison.scale
    return "" if scale == 1 else f" ({value_text(scale)} of the file's length)"


def _verdict(task: Task, variant: str, pair: Mapping[str, Any]) -> str:
    words, kind = "nothing to compare", "bad"
    if differences := pair["differences"]:
        found = next(iter(differences.values()))
        words, kind = {
            1: ("better", "resolved"),
            0: ("no difference shown", "unresolved"),
            -1: ("worse", "bad"),
        }[direction(task, found)]
    return f'<li class="{kind}"><span class="badge">{escape(words)}</span>{escape(pair["verdict"])}</li>'


def _sections(charts: Sequence[Chart]) -> Iterator[str]:
    """A section a metric, with all charts of it, and one of CProp's scales."""
    by_heading: dict[str, list[Chart]] = {}
    for of in charts:
        metric = MEAN_SCALE if isinstance(of, HeatMap) else of.metric
        by_heading.setdefault(metric, []).append(of)
    for number, (metric, those) in enumerate(by_heading.items()):
        title = "CProp's scale" if metric == MEAN_SCALE else metric
        yield f'<section aria-labelledby="charts-{number}"><h2 id="charts-{number}">{escape(title)}</h2>'
        for of in those:
            note = f" {of.note}" if isinstance(of, Intervals) and of.note else ""
            yield chart(of.slug, words_of(of), of.caption + note)
        yield "</section>"


def words_of(of: Chart) -> str:
    """Say what a chart shows, for those who do not see it."""
    match of:
        case Curves():
            ends = [(line.name, line.means()) for line in of.lines]
            last = "; ".join(f"{name}: {metric_text(means[-1][1])}" for name, means in ends if means)
            return f"Curves: {of.title}. At the end, {last}."
        case HeatMap():
            return f"{of.title} by iteration, of {', '.join(grid.name for grid in of.facets)}."
        case Intervals():
            rows = "; ".join(
                f"{row.name}: {metric_text(row.mean)}"
                + (
                    f" ({metric_text(row.low)} to {metric_text(row.high)})"
                    if row.low is not None and row.high is not None
                    else ""
                )
                for row in of.rows
            )
            return f"{of.title}. {rows}."
        case _:
            points = "; ".join(
                f"{value_text(point.x)}: {metric_text(point.mean)}"
                for row in of.rows
                for point in row.points
                if point.mean is not None
            )
            return f"{of.title}. {points}."


def _numbers(content: Mapping[str, Any]) -> Iterator[str]:
    yield '<section aria-labelledby="numbers"><h2 id="numbers">Every entry at the end</h2>'
    yield '<p class="soft">Mean over seeds, and its 95 % interval.</p>'
    entries = content["entries"]
    metrics = [*dict.fromkeys(name for entry in entries.values() for name in entry.get("means") or {})]
    scales = any(MEAN_SCALE in entry for entry in entries.values())
    heads = ["entry", "lr", *metrics, *(["mean scale"] if scales else []), "optimizer"]
    rows = []
    for name, entry in entries.items():
        means = entry.get("means") or {}
        cells = [f'<td class="number">{_lr(entry)}</td>']
        cells += [f'<td class="number">{_mean(means.get(metric))}</td>' for metric in metrics]
        if scales:
            scale = entry.get(MEAN_SCALE)
            cells.append(f'<td class="number">{"" if scale is None else metric_text(scale)}</td>')
        diverged = entry.get("diverged")
        remark = f" (diverged with {len(diverged)} of the seeds)" if diverged else ""
        cells.append(f"<td><code>{escape(entry['optimizer'])}</code>{remark}</td>")
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    yield table("Metrics of every entry", heads, rows, range(1, len(heads) - 1))
    yield from _speeds(content)
    yield as_yaml(content)
    yield "</section>"


def _speeds(content: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for variant, pair in content["pairs"].items():
        if found := pair.get("speed_up"):
            factor, took = found["factor"], found["iterations"]
            times = "" if factor is None else f"{factor['mean']:.3g}"
            if factor is not None and factor["low"] is not None:
                times += f" ({factor['low']:.3g} to {factor['high']:.3g})"
            cells = (
                f"<td>{escape(pair['against'])}</td>"
                f'<td class="number">{found["base_iterations"]:,.0f}</td>'
                f'<td class="number">{"" if took is None else f"{took:,.0f}"}</td>'
                f'<td class="number">{times}</td>'
                f'<td class="number">{found["reached"]} of {found["seeds"]}</td>'
            )
            rows.append(f'<tr><th scope="row">{escape(variant)}</th>{cells}</tr>')
    if rows:
        yield '<p class="soft">Iterations until an entry is where the other ends, mean over seeds:</p>'
        heads = ("entry", "against", "its own", "the entry's", "times as fast", "seeds that get there")
        yield table("Iterations to where the other ends", heads, rows, (2, 3, 4, 5))


def _lr(entry: Mapping[str, Any]) -> str:
    rate = entry["hyperparameters"].get("lr")
    return "" if rate is None else value_text(rate)


def _mean(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    if found["low"] is None:
        return metric_text(found["mean"])
    return f"{metric_text(found['mean'])} ({metric_text(found['low'])} to {metric_text(found['high'])})"
