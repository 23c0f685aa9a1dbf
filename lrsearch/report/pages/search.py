"""The page of searches: verdicts, chosen values, and for each search its curves, its ladder and its numbers."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lrsearch.report.bounds import table_text
from lrsearch.report.charts import Chart, charts_of_search
from lrsearch.report.elements import figure, slug, table
from lrsearch.report.export import write_atomically
from lrsearch.report.findings import Finding, Mark, findings
from lrsearch.report.metrics import EndValue, end_metrics
from lrsearch.report.numbers import and_text, spread_text, value_text
from lrsearch.report.pages.shell import CONTROLS, as_yaml, chart, made_text, page
from lrsearch.report.plots import curves_figure, to_png, to_svg, valley_figure
from lrsearch.report.sentences import sentence
from lrsearch.report.tables import cells, footnote, skipped_texts, spent_text
from lrsearch.searches import SearchState, nothing_to_wait_for
from lrsearch.task.document import Problem
from lrsearch.task.horizon import warnings_of
from lrsearch.task.model import Task
from lrsearch.trial import SearchId


def write_report(
    folder: Path, task: Task, states: Iterable[SearchState], content: Mapping[str, Any]
) -> list[Path]:
    """Write ``report.html`` and, for each search, ``ENTRY-HYPERPARAMETER-curves.png`` and ``-ladder.png``.

    Args:
        folder: where to; made if need be.
        task: the task.
        states: where its searches stand; they need not have ended.
        content: what chosen.yaml holds, as :func:`lrsearch.report.export.chosen` gives it.

    Returns:
        The files written, the page first.
    """
    by_search = {state.search: state for state in states}
    written, sections, candidates = [], [], set()
    charts: list[Chart] = []
    for state in by_search.values():
        found = findings(task, state)
        pictures = _pictures(task, state, found)
        for name, (png, _) in pictures.items():
            write_atomically(folder / f"{name}.png", png)
            written.append(folder / f"{name}.png")
        figures = [as_html for _, as_html in pictures.values()]
        charts += charts_of_search(task, state)
        sections.append(_section(task, state, by_search, found, figures))
        candidates.add(_drawn(found))
    text = _page(task, by_search, content, sections, charts, candidates)
    write_atomically(folder / "report.html", text.encode())
    return [folder / "report.html", *written]


def _pictures(task: Task, state: SearchState, found: Sequence[Finding]) -> dict[str, tuple[bytes, str]]:
    """By name, each picture of a search as PNG and as a figure of the page; none before anything was trained."""
    pictures = {}
    for kind, draw in (("curves", curves_figure), ("ladder", valley_figure)):
        if any(trial.curve for trial in state.trials):
            drawn = draw(task, state)
            name = f"{slug(state.search)}-{kind}"
            svg = to_svg(drawn, name, _drawn(found))
            pictures[name] = (to_png(drawn), chart(name, *_caption(task, state, found, kind), still=svg))
    return pictures


def _drawn(found: Iterable[Finding]) -> int:
    """How many candidates the pictures show, which decides their colours."""
    return sum(bool(finding.replicas) for finding in found)


def _page(
    task: Task,
    states: Mapping[SearchId, SearchState],
    content: Mapping[str, Any],
    sections: Iterable[str],
    charts: Iterable[Chart],
    candidates: Iterable[int],
) -> str:
    verdicts = [
        *(_verdict(task, state, states) for state in states.values()),
        *map(_warning, warnings_of(task)),
    ]
    return page(
        task.name,
        f"{task.workload}, {task.budget.iterations:,} iterations, {task.seeds} seeds, chosen by {task.metric.name}",
        (
            '<ul class="verdicts">',
            *verdicts,
            "</ul>",
            '<section aria-labelledby="values">',
            '<h2 id="values">Chosen values</h2>',
            _values(task, states, content),
            as_yaml(content),
            "</section>",
            CONTROLS,
            *sections,
        ),
        (footnote(task), made_text(content)),
        charts,
        candidates,
    )


def _verdict(task: Task, state: SearchState, states: Mapping[SearchId, SearchState]) -> str:
    words, kind = _badge(state, states)
    said = escape(sentence(task, state, states))
    name = escape(str(state.search))
    linked = said.replace(name, f'<a href="#{slug(state.search)}">{name}</a>', 1)
    return f'<li class="{kind}"><span class="badge">{words}</span>{linked}</li>'


def _warning(warning: Problem) -> str:
    return f'<li class="unresolved"><span class="badge">warning</span>{escape(warning.sentence)}</li>'


def _badge(state: SearchState, states: Mapping[SearchId, SearchState]) -> tuple[str, str]:
    """How a search stands in a word or two, and the class of its colour."""
    if state.failures:
        return "failed", "bad"
    if state.verdict is None:
        return ("not searched", "bad") if nothing_to_wait_for(state, states) else ("not ended", "unresolved")
    words = {"bracketed": "bracketed", "at_limit": "at a limit", "none_learned": "nothing learned"}[
        state.verdict.name
    ]
    if state.verdict.chosen is None:
        return words, "bad"
    return (
        (f"{words}, resolved", "resolved")
        if state.verdict.resolved
        else (f"{words}, unresolved", "unresolved")
    )


def _values(task: Task, states: Mapping[SearchId, SearchState], content: Mapping[str, Any]) -> str:
    rows = []
    for name, chosen in content["chosen"].items():
        searched = [state for search, state in states.items() if search.entry == name and state.verdict]
        means, losses = [], []
        for state in searched:
            row = state.verdict.chosen_row if state.verdict else None
            if state.verdict and row and row.mean is not None:
                means.append(spread_text(row.mean, row.std))
                losses.append(table_text(state.verdict, task.metric.name))
        columns = (
            f"<td><code>{escape(_arguments(chosen['hyperparameters']))}</code></td>"
            f'<td class="number">{"<br>".join(means)}</td><td class="number">{"<br>".join(losses)}</td>'
            f"<td><code>{escape(chosen['optimizer'])}</code></td>"
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{columns}</tr>')
    heads = ("entry", "hyperparameters", task.metric.name, "loses at most", "optimizer")
    return table("Values chosen for each entry", heads, rows, numbers=(2, 3))


def _arguments(hyperparameters: Mapping[str, Any]) -> str:
    """Write hyperparameters as the arguments of a call; one that is not known as a question mark."""

    def text(value: Any) -> str:
        if isinstance(value, Mapping):
            return f"({_arguments(value)})"
        if isinstance(value, float):
            return value_text(value)
        return "?" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return ", ".join(f"{name} {text(value)}" for name, value in hyperparameters.items())


def _section(
    task: Task,
    state: SearchState,
    states: Mapping[SearchId, SearchState],
    found: Iterable[Finding],
    pictures: Iterable[str],
) -> str:
    name = slug(state.search)
    found = [*found]
    smoothed = task.metric.smoothed
    rows = [_candidate(finding, smoothed) for finding in found]
    last = ["last"] if smoothed else []
    heads = (
        "",
        state.search.hyperparameter,
        task.metric.name,
        "± std",
        *last,
        "seeds",
        "worse by",
        "verdict",
    )
    numbers = range(1, len(heads) - 1)
    evidence = table(f"Candidates of {state.search}", heads, rows, numbers) if rows else ""
    return "\n".join(
        (
            f'<section aria-labelledby="{name}">',
            f'<h2 id="{name}">{escape(str(state.search))}</h2>',
            f"<p>{escape(sentence(task, state, states))}</p>",
            *pictures,
            evidence,
            _metrics(task, state, found),
            _skipped(state, found),
            f'<p class="soft">{escape(spent_text(task, state))}</p>',
            "</section>",
        )
    )


def _metrics(task: Task, state: SearchState, found: Sequence[Finding]) -> str:
    """Show where the candidates ended in all metrics, and the others' curves; nothing if one alone was recorded."""
    ends = [end_metrics(task, finding.row, finding.replicas) for finding in found]
    names = list(dict.fromkeys(name for of in ends for name in of))
    others = [name for name in names if name != task.metric.name]
    if not others:
        return ""
    rows = [
        f'<tr class="{finding.mark.name.lower()}"><td aria-hidden="true">{finding.mark.glyph}</td>'
        f'<th scope="row" class="number">{value_text(finding.value)}</th>'
        + "".join(f'<td class="number">{of.get(name, "")}</td>' for name in names)
        + "</tr>"
        for finding, of in zip(found, ends, strict=True)
        if of
    ]
    heads = ("", state.search.hyperparameter, *names)
    ended = table(f"All metrics of {state.search} at the end", heads, rows, range(1, len(heads)))
    return (
        f'<p class="soft">All metrics at the end, mean ± standard deviation over seeds:</p>{ended}'
        f"<details><summary>Curves of {escape(and_text(others))}</summary>"
        + "".join(_other_curves(task, state, found, ends, name) for name in others)
        + "</details>"
    )


def _other_curves(
    task: Task,
    state: SearchState,
    found: Sequence[Finding],
    ends: Sequence[Mapping[str, EndValue]],
    name: str,
) -> str:
    drawn = curves_figure(task, state, name)
    svg = to_svg(drawn, f"{slug(state.search)}-{name}-curves", _drawn(found))
    ended = "; ".join(
        f"{value_text(finding.value)}: {of[name]}"
        for finding, of in zip(found, ends, strict=True)
        if name in of
    )
    alternative = (
        f"Curves of {name} by iteration for each {state.search.hyperparameter}. At the end, {ended}."
    )
    return figure(svg, alternative, "Mean over seeds; the band is one standard deviation.")


def _skipped(state: SearchState, found: Iterable[Finding]) -> str:
    """Say in a list what was not trained, or not to the end, and why; nothing if all was."""
    items = "".join(
        f"<li>{escape(f'{state.search.hyperparameter} {values}, {words}')}</li>"
        for values, words in skipped_texts(found)
    )
    return (
        f'<div class="soft">Not trained, or not to the end:<ul class="skipped">{items}</ul></div>'
        if items
        else ""
    )


def _candidate(finding: Finding, smoothed: bool) -> str:
    value, mean, std, last, *others = cells(finding)
    numbers = (mean, std, *([last] if smoothed else []), *others)
    columns = "".join(f'<td class="number">{escape(text)}</td>' for text in numbers)
    return (
        f'<tr class="{finding.mark.name.lower()}"><td aria-hidden="true">{finding.mark.glyph}</td>'
        f'<th scope="row" class="number">{value}</th>{columns}<td>{escape(finding.words)}</td></tr>'
    )


def _caption(task: Task, state: SearchState, found: Sequence[Finding], kind: str) -> tuple[str, str]:
    """What a picture shows in words for those who do not see it, and its caption."""
    name, metric = state.search.hyperparameter, task.metric.name
    means = [
        f"{spread_text(finding.mean, finding.std)}, " if finding.mean is not None else "" for finding in found
    ]
    ends = "; ".join(f"{value_text(f.value)}: {mean}{f.words}" for f, mean in zip(found, means, strict=True))
    if kind == "curves":
        alternative = f"Curves of {metric} by iteration for each {name}. At the end, {ends}."
        diverged = any(finding.mark is Mark.DIVERGED for finding in found)
        dashed = " Dashed: seeds of a candidate that diverged." if diverged else ""
        stopped = any(finding.mark is Mark.STOPPED for finding in found)
        squares = " A square ends the curve of a seed that was stopped." if stopped else ""
        return alternative, f"Mean over seeds; the band is one standard deviation.{dashed}{squares}"
    alternative = f"{metric} at iteration {task.budget.iterations} over the ladder of {name}. {ends}."
    stopped = any(finding.mark is Mark.STOPPED for finding in found)
    edge = "What did not learn or was stopped" if stopped else "What did not learn"
    return (
        alternative,
        f"Where each candidate ended: ringed the chosen one, squared what may be as good. {edge} stands at the edge.",
    )
