"""What ``run`` shows while it goes: a live display on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live

from lrsearch import streams
from lrsearch.coordinator import Ended, Evaluated, Event, Noted, Started
from lrsearch.report.board import Board, Followed
from lrsearch.report.lines import Lines
from lrsearch.report.pace import Pace
from lrsearch.task.model import Task

REFRESHES_PER_SECOND = 2
"""Drawing takes about 4 ms, so this is below 1 % of a core."""


class Progress:
    """Shows a run. It is the coordinator's observer, and follows that coordinator while the engine runs::

        progress = Progress(task, OwnConsole(streams.stderr()))
        coordinator = Coordinator(task, store, observer=progress)
        with progress.following(coordinator, workers=lambda: engine.workers):
            engine.run(task, coordinator)

    Args:
        task: what is searched.
        console: where to; its being a terminal decides between the display and the lines.
        clock: seconds, from whatever moment.
    """

    def __init__(self, task: Task, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._task = task
        self._console = console
        self._clock = clock
        self._pace = Pace()
        self._lines: Lines | None = None

    def __call__(self, event: Event) -> None:
        """Take note of what happened; on no terminal, print it if it is worth a line."""
        match event:
            case Started(trial=trial):
                self._pace.started(trial, self._clock())
            case Evaluated(trial=trial):
                self._pace.evaluated(trial, self._clock())
            case Ended(trial=trial):
                self._pace.ended(trial)
            case Noted(line=line) if self._lines is None:  # above the display
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            case _:
                pass
        if self._lines is not None:
            self._lines(event)

    def show_output(self, line: str) -> None:
        """Print a line of what a training printed: above the display, or among the lines."""
        if self._console.is_terminal:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=streams.stderr(), flush=True)

    @contextmanager
    def following(self, coordinator: Followed, workers: Callable[[], int] = lambda: 1) -> Iterator[None]:
        """Show the run until the context ends.

        Args:
            coordinator: what to follow; a thread reads it, so it may change at any time.
            workers: says how many trainings go on at the same time.
        """
        for state in coordinator.states:
            for trial in state.trials:
                self._pace.ended(trial)
        if not self._console.is_terminal:
            self._lines = Lines(self._task, self._console, coordinator, self._clock)
            self._lines.begin()
            try:
                yield
            finally:
                self._lines = None
            return
        board = Board(self._task, coordinator, self._pace, workers, self._clock)

        def draw() -> RenderableType:
            return board.draw(self._console.width)

        with Live(console=self._console, get_renderable=draw, refresh_per_second=REFRESHES_PER_SECOND):
            yield
