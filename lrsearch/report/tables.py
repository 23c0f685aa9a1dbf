"""Tables for a terminal: where a study stands (``status``) and why each value was chosen (``explain``)."""

from collections import defaultdict
from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lrsearch.report.board import ending_text, more_text
from lrsearch.report.findings import Finding, Mark, findings, iterations_saved
from lrsearch.report.metrics import metrics_text, other_metrics
from lrsearch.report.numbers import and_text, count_text, places_of, value_text, with_places
from lrsearch.report.recipe import recipe_text
from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.report.sentences import seeds_looked_at, sentence
from lrsearch.report.starts import held_text, start_text
from lrsearch.report.strip import strip, strip_width, style_of
from lrsearch.searches import SearchState, nothing_to_wait_for
from lrsearch.task.horizon import warnings_of
from lrsearch.task.model import Task
from lrsearch.task.starts import RangeTest
from lrsearch.trial import SearchId

STATE_WIDTH = 22


def status_table(
    task: Task, states: Iterable[SearchState], width: int = 80, *, live: bool = True
) -> RenderableType:
    """Draw where a study stands: a row a search with its state, its ladder so far and its trainings.

    Args:
        task: the task.
        states: where its searches stand.
        width: columns of the terminal.
        live: whether a run is on; without one, trainings that have not ended are interrupted, not running.
    """
    by_search = {state.search: state for state in states}
    names = max(len("search"), *(len(str(search)) for search in by_search))
    ladders = [findings(task, state) for state in by_search.values()]
    ladder_width = strip_width(ladders, width - names - STATE_WIDTH - 6)
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_edge=False
    )
    table.add_column("search", width=names)
    table.add_column("ladder, means so far", width=ladder_width)
    table.add_column("state", width=STATE_WIDTH)
    for state, found in zip(by_search.values(), ladders, strict=True):
        ladder = strip(found, task.budget.iterations, ladder_width)
        table.add_row(Text(str(state.search), style="bold"), ladder, _state(task, state, by_search, live))
        table.add_row()
    ended = sum(trainings_ended(state) for state in by_search.values())
    left = sum(trainings_left(task, s) for s in by_search.values() if not nothing_to_wait_for(s, by_search))
    rest = f", at least {left} to go" if left else ", all searches have ended"
    starts = [
        Text(f"{state.search}: {held}" if (held := held_text(state)) else f"{state.search} {words}.")
        for state in by_search.values()
        if (words := start_text(state.searched)) is not None
    ]
    legend = _legend({finding.mark for found in ladders for finding in found}, live)
    return Group(table, Text(f"{count_text(ended, 'training')} ended{rest}"), *starts, legend)


def explain(task: Task, states: Iterable[SearchState], *, live: bool = True) -> RenderableType:
    """Draw why each value was chosen: for each search its candidates, one sentence, and what it took.

    ``live`` as for ``status_table``.
    """
    by_search = {state.search: state for state in states}
    parts: list[RenderableType] = []
    for state in by_search.values():
        parts.append(Rule(Text(str(state.search), style="bold"), align="left", characters="─", style="dim"))
        found = findings(task, state)
        if any(finding.row for finding in found):
            parts.append(candidates_table(task, state, found, live=live))
            parts.append(skipped_table(state, found))
        parts.append(Padding(Text(sentence(task, state, by_search)), (0, 1)))
        if others := others_text(task, state, found):
            parts.append(Padding(Text(others), (0, 1)))
        parts.append(Padding(Text(spent_text(task, state), style="dim"), (0, 1, 1, 1)))
    parts += [Text(warning.sentence, style="yellow") for warning in warnings_of(task)]
    parts.append(Text(footnote(task), style="dim"))
    return Group(*parts)


def candidates_table(task: Task, state: SearchState, found: Iterable[Finding], *, live: bool = True) -> Table:
    """Draw the evidence of one search: a row a candidate, lowest rung first."""
    name = state.search.hyperparameter
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("")
    table.add_column(name, justify="right")
    table.add_column(task.metric.name, justify="right")
    table.add_column("± std", justify="right")
    smoothed = task.metric.smoothed
    if smoothed:
        table.add_column("last", justify="right")
    table.add_column("seeds", justify="right")
    table.add_column("worse by", justify="right")
    table.add_column("verdict", overflow="fold")
    for finding in found:
        value, mean, std, last, seeds, worse = cells(finding)
        style = style_of(finding.mark)
        table.add_row(
            Text(finding.mark.glyph, style=style),
            value,
            mean,
            std,
            *([last] if smoothed else []),
            seeds,
            worse,
            Text(
                finding.words.replace("running", _running(live))
                if finding.mark is Mark.RUNNING
                else finding.words,
                style=style,
            ),
        )
    return table


def skipped_table(state: SearchState, found: Iterable[Finding]) -> RenderableType:
    """Draw which seeds of which candidates were not trained to the end and why; nothing if all were."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", max_width=24)
    table.add_column(style="dim")
    for values, words in skipped_texts(found):
        table.add_row(f"{state.search.hyperparameter} {values}", words)
    if not table.row_count:
        return Group()
    return Padding(Group(Text("not trained, or not to the end:", style="dim"), table), (0, 1, 1, 1))


def skipped_texts(found: Iterable[Finding]) -> list[tuple[str, str]]:
    """Say of which values which seeds were not trained to the end, and why; values that share that together."""
    values: defaultdict[tuple[tuple[int, ...], str], list[str]] = defaultdict(list)
    for finding in found:
        if finding.skipped is not None:
            values[finding.skipped.seeds, finding.skipped.reason].append(value_text(finding.value))
    return [
        (and_text(of), f"seed{'s' * (len(seeds) > 1)} {and_text(map(str, seeds))}: {reason}")
        for (seeds, reason), of in values.items()
    ]


def others_text(task: Task, state: SearchState, found: Iterable[Finding]) -> str:
    """Say where the best candidate ended in the metrics that do not decide; "" where there are none."""
    for finding in found:
        if finding.mark in (Mark.CHOSEN, Mark.BEST_SO_FAR):
            ends = other_metrics(task, finding.row, finding.replicas)
            where = f"{state.search.hyperparameter} {value_text(finding.value)} at its end"
            return f"{where}: {metrics_text(ends)}." if ends else ""
    return ""


def cells(finding: Finding) -> tuple[str, str, str, str, str, str]:
    """Give a candidate's numbers as text: "" for what it has not.

    These are its value, mean and spread, the mean of its last evaluations, its seeds and its paired difference.
    """
    mean, std = finding.mean, finding.std
    places = places_of(mean) if mean is not None else None
    of_planned = f" of {finding.planned}" if finding.whole < finding.planned else ""
    return (
        value_text(finding.value),
        "" if mean is None else with_places(mean, places),
        "" if std is None else with_places(std, places),
        "" if finding.last is None else with_places(finding.last, places),
        f"{finding.whole}{of_planned}",
        finding.worse,
    )


def spent_text(task: Task, state: SearchState) -> str:
    """Say how much training a search took, or has taken so far; and where it began, if that was proposed."""
    iterations = sum(trial.iterations for trial in state.trials)
    trainings = count_text(trainings_ended(state), "training")
    seconds = sum(trial.seconds for trial in state.trials)
    took = f", {seconds:,.0f} s of training" if seconds >= 1 else ""
    proposed = state.searched.proposed
    start = None if held_text(state) else start_text(state.searched)
    if isinstance(proposed, RangeTest):
        trainings, iterations = f"{trainings} and a range test", iterations + proposed.iterations
    saved = iterations_saved(task, state)
    spared = f"; {saved:,} iterations saved" if saved or task.settings.race or task.settings.screen else ""
    looked = seeds_looked_at(task, state) if state.verdict else ()
    looks = f"; looked at with {and_text(map(str, looked))} seeds" if looked else ""
    return f"{trainings}, {iterations:,} iterations{took}{spared}{looks}{f'; {start}' if start else ''}."


def footnote(task: Task) -> str:
    """Say what the columns of the evidence mean, and how each training went."""
    smoothed = task.metric.smoothed
    window = f", {task.metric.words}" if smoothed else ""
    last = " Last: the last evaluation alone, over seeds." if smoothed else ""
    better = "low" if task.metric.mode == "min" else "high"
    return (
        f"{task.metric.name} at iteration {task.budget.iterations}{window}, better if {better}: mean and "
        f"standard deviation over seeds.{last} Worse by: mean difference to the chosen one on the same seeds ± its "
        "standard error, against the chosen one's mean, or what it learned, or its error, whichever is smallest."
        f"{f' {recipe}' if (recipe := recipe_text(task)) else ''}"
    )


def _state(task: Task, state: SearchState, states: dict[SearchId, SearchState], live: bool) -> Text:
    if state.failures:
        return Text(f"failed: {count_text(len(state.failures), 'training')}", style="bold red")
    if state.verdict is not None:
        return ending_text(state.verdict)
    if nothing_to_wait_for(state, states):
        return Text("not searched\n" + ", ".join(map(str, state.waiting_for)) + " found nothing")
    if state.waiting_for:
        return Text("waits for\n" + ", ".join(map(str, state.waiting_for)), style="dim")
    begun = sum(not trial.ended for trial in state.trials)
    more = trainings_left(task, state) - begun
    return Text(f"{trainings_ended(state)} ended, {begun} {_running(live)}\n{more_text(more)}")


def _running(live: bool) -> str:
    """What to say of trainings that have not ended: without a driver none of them runs."""
    return "running" if live else "interrupted"


def _legend(marks: set[Mark], live: bool) -> Text:
    # Two marks share a glyph.
    words = {mark.glyph: str(mark) for mark in Mark if mark in marks and mark.glyph != " "}
    words |= {Mark.DIVERGED.glyph: "did not learn or diverged"} if Mark.DIVERGED in marks else {}
    words |= {Mark.RUNNING.glyph: _running(live)} if Mark.RUNNING in marks else {}
    return Text("   ".join(f"{glyph} {word}" for glyph, word in words.items()), style="dim")
