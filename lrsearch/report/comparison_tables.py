"""Tables of a comparison for a terminal: where it stands (``status``), and what was found (``explain``)."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lrsearch.report.numbers import count_text, metric_text, spread_text, value_text
from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.searches import SearchState, nothing_to_wait_for
from lrsearch.task.comparison import MEAN_SCALE
from lrsearch.task.model import Task
from lrsearch.trial import Diverged


def comparison_status(task: Task, states: Iterable[SearchState], *, live: bool = True) -> RenderableType:
    """Draw where a comparison stands: a row an entry.

    Args:
        task: the comparison.
        states: where its entries stand.
        live: whether a run is on; without one, trainings that have not ended are interrupted, not running.
    """
    by_search = {state.search: state for state in states}
    table = _table("entry", "lr", "ended", task.metric.name, "")
    for state in by_search.values():
        table.add_row(state.search.entry, _rate(state), *_so_far(task, state, live))
    ended = sum(map(trainings_ended, by_search.values()))
    left = sum(trainings_left(task, s) for s in by_search.values() if not nothing_to_wait_for(s, by_search))
    rest = f", {left} to go" if left else ", all have"
    return Group(table, Text(f"{count_text(ended, 'training')} ended{rest}"))


def comparison_found(task: Task, content: Mapping[str, Any]) -> RenderableType:
    """Draw what a comparison found: a row an entry with its end, then each pair in words.

    Args:
        task: the comparison.
        content: what comparison.yaml holds.
    """
    entries = content["entries"]
    scaled = any(MEAN_SCALE in entry for entry in entries.values())
    table = _table(
        "entry", "lr", task.metric.name, "95 % interval", *(["mean scale"] if scaled else []), "seeds"
    )
    for name, entry in entries.items():
        found = (entry.get("means") or {}).get(task.metric.name)
        rate, scale = entry["hyperparameters"].get("lr"), entry.get(MEAN_SCALE)
        interval = (
            ""
            if found is None or found["low"] is None
            else f"{metric_text(found['low'])} to {metric_text(found['high'])}"
        )
        diverged = f", {len(entry['diverged'])} diverged" if entry.get("diverged") else ""
        table.add_row(
            name,
            "" if rate is None else value_text(rate),
            "" if found is None else metric_text(found["mean"]),
            interval,
            *([("" if scale is None else metric_text(scale))] if scaled else []),
            f"{0 if found is None else found['seeds']}{diverged}",
        )
    verdicts = [Text(f"{pair['verdict']}\n") for pair in content["pairs"].values()]
    return Group(table, Text(), *verdicts)


def _table(*heads: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False
    )
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", no_wrap=not place)
    return table


def _rate(state: SearchState) -> str:
    """The rate; of a control before its scale is known, nothing."""
    return "" if state.others is None or state.waiting_for else value_text(state.searched.guess)


def _so_far(task: Task, state: SearchState, live: bool) -> tuple[str, str, str]:
    ended = trainings_ended(state)
    begun = [trial for trial in state.trials if not trial.ended]
    diverged = sum(isinstance(trial.outcome, Diverged) for trial in state.trials)
    mean = ""
    if state.verdict is not None and (row := state.verdict.chosen_row) is not None and row.mean is not None:
        mean = spread_text(row.mean, row.std)
    words = [f"{diverged} diverged"] if diverged else []
    words += [f"{len(state.failures)} failed"] if state.failures else []
    if begun:
        part = sum(trial.iterations for trial in begun) / len(begun) / task.budget.iterations
        words.append(f"{len(begun)} {'running' if live else 'interrupted'}, {100 * part:.0f} %")
    if state.waiting_for:
        words.append(f"waits for {state.waiting_for[0].entry}")
    return f"{ended} of {task.seeds}", mean, ", ".join(words)
