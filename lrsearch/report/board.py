"""The live display of a run: a row a search with its ladder as it fills, and what is left below."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lrsearch.report.bounds import short_text
from lrsearch.report.findings import Finding, Mark, findings
from lrsearch.report.numbers import clock_text, count_text, duration_text, value_text
from lrsearch.report.pace import Pace
from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.report.strip import strip, strip_width
from lrsearch.searches import SearchState, nothing_to_wait_for
from lrsearch.strategies import AtLimit, NoneLearned, Trained
from lrsearch.task.model import Task
from lrsearch.trial import SearchId, Trial
from lrsearch.verdict import Verdict

RIGHT_WIDTH = 22
GAPS = 4


class Followed(Protocol):
    """What is looked at while a run goes: the coordinator."""

    @property
    def states(self) -> tuple[SearchState, ...]:
        """Where each search stands, in the order in which they may run."""
        ...

    @property
    def running(self) -> tuple[Trial, ...]:
        """The replicas that are handed out and have not ended."""
        ...


class Board:
    """Draws where a run stands. What costs time is worked out anew only for a search that has changed."""

    def __init__(
        self,
        task: Task,
        coordinator: Followed,
        pace: Pace,
        workers: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._task = task
        self._coordinator = coordinator
        self._pace = pace
        self._workers = workers
        self._clock = clock
        self._began = clock()
        self._drawn: RenderableType = ""
        self._left: dict[SearchId, tuple[tuple[object, ...], int]] = {}

    def draw(self, width: int) -> RenderableType:
        """Draw for a terminal of so many columns."""
        # A dictionary may change while this thread copies it: the picture before then stays until the next.
        with suppress(RuntimeError):
            self._drawn = self._draw(self._coordinator.states, self._coordinator.running, width)
        return self._drawn

    def _draw(
        self, states: tuple[SearchState, ...], running: tuple[Trial, ...], width: int
    ) -> RenderableType:
        by_search = {state.search: state for state in states}
        names = max(len(str(state.search)) for state in states)
        current = [_with_curves(state, running) for state in states]
        ladders = [findings(self._task, state) for state in current]
        ladder_width = strip_width(ladders, width - names - RIGHT_WIDTH - GAPS)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=names, no_wrap=True)
        table.add_column(width=ladder_width)
        table.add_column(width=RIGHT_WIDTH, no_wrap=True)
        for state, found in zip(current, ladders, strict=True):
            ladder = strip(found, self._task.budget.iterations, ladder_width)
            table.add_row(_name(state, found), ladder, self._standing(state, by_search))
            table.add_row()
        return Group(Text(), table, self._footer(states, running))

    def _standing(self, state: SearchState, states: Mapping[SearchId, SearchState]) -> RenderableType:
        """The right column: what goes on in a search, or how it ended."""
        if state.failures:
            return Text("failed\nmend it, run again", style="bold red")
        if state.verdict is not None:
            return ending_text(state.verdict)
        if lost := nothing_to_wait_for(state, states):
            return Text("not searched\n" + ", ".join(map(str, lost)) + " found nothing")
        if state.waiting_for:
            return Text("waits for\n" + ", ".join(map(str, state.waiting_for)), style="dim")
        running = [trial for trial in state.trials if not trial.ended]
        more = self._trainings_left(state) - len(running)
        words = Text(f"{len(running)} running, {more_text(more)}")
        if not running:
            return words
        done = sum(trial.curve[-1].iteration for trial in running if trial.curve)
        total = len(running) * self._task.budget.iterations
        bar = Table.grid(padding=(0, 1, 0, 0))
        bar.add_row(ProgressBar(total, done, width=RIGHT_WIDTH - 6), f"{100 * done / total:.0f} %")
        return Group(words, bar)

    def _footer(self, states: tuple[SearchState, ...], running: tuple[Trial, ...]) -> Text:
        ended = sum(trainings_ended(state) for state in states)
        by_search = {state.search: state for state in states}
        # A search with a failure does not go on, nor one that waits in vain.
        open_states = [s for s in states if not s.failures and not nothing_to_wait_for(s, by_search)]
        left = sum(self._trainings_left(state) for state in open_states)
        elapsed = clock_text(self._clock() - self._began)
        words = Text(f"{count_text(ended, 'training')} ended", style="bold")
        if left:
            words.append(
                f", {len(running)} running, at least {max(0, left - len(running))} more", style="default"
            )
        words.append(f"   {elapsed}", style="not bold")
        seconds = self._pace.seconds_left(self._iterations_left(open_states, running), self._workers())
        if seconds:
            words.append(f", at least {duration_text(seconds)} to go", style="not bold")
        return words

    def _iterations_left(self, states: list[SearchState], running: tuple[Trial, ...]) -> dict[SearchId, int]:
        done: Counter[SearchId] = Counter()
        for trial in running:
            done[trial.spec.search] += trial.curve[-1].iteration if trial.curve else 0
        whole = {state.search: self._trainings_left(state) * self._task.budget.iterations for state in states}
        return {search: max(0, iterations - done[search]) for search, iterations in whole.items()}

    def _trainings_left(self, state: SearchState) -> int:
        """As many as are left, worked out again only when a training began or ended."""
        stamp = (len(state.trials), trainings_ended(state), state.waiting_for, state.verdict is None)
        known = self._left.get(state.search)
        if known is None or known[0] != stamp:
            known = (stamp, trainings_left(self._task, state))
            self._left[state.search] = known
        return known[1]


def _with_curves(state: SearchState, running: tuple[Trial, ...]) -> SearchState:
    """The state with the evaluations that came in since it was worked out."""
    latest = {trial.id: trial for trial in running}
    return replace(state, trials=tuple(latest.get(t.id, t) if not t.ended else t for t in state.trials))


def _name(state: SearchState, found: tuple[Finding, ...]) -> Text:
    text = Text(str(state.search), style="bold")
    for finding in found:
        if finding.mark is Mark.CHOSEN:
            text.append(f"\n= {value_text(finding.value)}", style="green")
        elif finding.mark is Mark.BEST_SO_FAR:
            text.append(f"\n{value_text(finding.value)} so far", style="not bold")
    return text


def more_text(more: int) -> str:
    """Say how many trainings follow at least those that run; with none, the running ones may be last."""
    return f"≥ {more} more" if more else "maybe last"


def ending_text(verdict: Verdict) -> Text:
    """Say how a search ended in two short lines."""
    match verdict.ending:
        case NoneLearned():
            return Text("nothing learned", style="bold red")
        case Trained():
            return Text("trained")
        case AtLimit(side=side):
            return Text(f"at the {side} limit\nwiden it, run again", style="yellow")
    if verdict.regret_at_most is None:
        return Text("bracketed\nunresolved: no bound")
    loss = short_text(verdict)
    return Text(f"bracketed, resolved\n{loss}" if verdict.resolved else f"bracketed, unresolved\n{loss}")
