"""Short tables of the command line: a plan before a run, its result, and the studies there are."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lrsearch.report.numbers import count_text, duration_text, value_text
from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.report.sentences import sentence
from lrsearch.searches import SearchState
from lrsearch.task.model import Task
from lrsearch.trial import SearchId


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """A search before it begins.

    Attributes:
        search: which search.
        first: its first candidates; none where a range test is yet to propose them.
        limits: the values between which it stays; of an entry of a comparison its rate, twice.
        waiting_for: the searches that must end before it.
        trainings: the fewest that can end it.
        parameters: how many numbers its model learns; None where that is not known.
        seconds: what one training takes on this machine.
        range_test: the iterations of the range test that is to be made first, at most; 0 for none.
        start: where the search begins, in words, if the task gives no number.
        iterations: of one training.
    """

    search: SearchId
    first: tuple[float, ...]
    limits: tuple[float, float]
    waiting_for: tuple[SearchId, ...]
    trainings: int
    parameters: int | None
    seconds: float
    range_test: int = 0
    start: str | None = None
    iterations: int = 1

    @property
    def seconds_in_all(self) -> float:
        """Seconds of training at least, the range test included."""
        return (self.trainings + self.range_test / self.iterations) * self.seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would train."""

    searches: tuple[PlannedSearch, ...]

    @property
    def seconds(self) -> float:
        """Seconds of training at least, one training after the other."""
        return sum(search.seconds_in_all for search in self.searches)

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "searches": {
                str(planned.search): {
                    "first_candidates": list(planned.first),
                    "limits": list(planned.limits),
                    "waits_for": [str(search) for search in planned.waiting_for],
                    "trainings_at_least": planned.trainings,
                    "parameters": planned.parameters,
                    "seconds_a_training": round(planned.seconds, 2),
                }
                | ({"start": planned.start} if planned.start else {})
                | ({"range_test_iterations_at_most": planned.range_test} if planned.range_test else {})
                for planned in self.searches
            },
            "training_seconds_at_least": round(self.seconds, 1),
        }


def plan_table(plan: Plan) -> RenderableType:
    """Draw what a run would train and what it costs."""
    table = _table("search", "first candidates", "limits", "trainings", "each", "parameters")
    for planned in plan.searches:
        waits = ", ".join(str(search) for search in planned.waiting_for)
        low, high = planned.limits
        table.add_row(
            str(planned.search),
            (", ".join(value_text(value) for value in planned.first) or "auto")
            + (f", after {waits}" if waits else ""),
            f"{value_text(low)} to {value_text(high)}" if low < high else "",
            f"at least {planned.trainings}",
            duration_text(planned.seconds),
            "-" if planned.parameters is None else f"{planned.parameters:,}",
        )
    trainings = sum(planned.trainings for planned in plan.searches)
    total = (
        f"At least {count_text(trainings, 'training')}, {duration_text(plan.seconds)} in all if one follows the other; "
        "workers divide them. Nothing was written."
    )
    starts = [Text(f"{planned.search} {planned.start}.") for planned in plan.searches if planned.start]
    return Group(table, *starts, Text(total))


def result(
    task: Task,
    states: Iterable[SearchState],
    said: Collection[SearchId] = (),
    *,
    wall_seconds: float,
    training_seconds: float,
    workers: float,
    replicas: float,
) -> RenderableType:
    """Draw how a run ended: a sentence a search, but for those ``said`` already, and what it took."""
    by_search = {state.search: state for state in states}
    sentences = [
        Text(sentence(task, state, by_search)) for state in by_search.values() if state.search not in said
    ]
    took = cost_text(wall_seconds, training_seconds, int(workers), int(replicas))
    return Group(*sentences, Text(took))


def cost_text(wall_seconds: float, training_seconds: float, workers: int, replicas: int) -> str:
    """Say what a run took, and how much of it was not training.

    >>> cost_text(31.0, 50.0, 2, 30)
    '31.0 s for 30 trainings, which took 50.0 s in all on 2 workers: 6.0 s more than training alone (1.24 times)'
    """
    if not replicas:
        return f"{wall_seconds:.1f} s; everything had been trained already"
    floor = training_seconds / workers
    times = f" ({wall_seconds / floor:.2f} times)" if floor else ""
    return (
        f"{wall_seconds:.1f} s for {count_text(replicas, 'training')}, which took {training_seconds:.1f} s in all on "
        f"{count_text(workers, 'worker')}: {wall_seconds - floor:.1f} s more than training alone{times}"
    )


def studies_table(studies: Iterable[tuple[Task, Sequence[SearchState], bool]]) -> RenderableType:
    """Draw the studies there are: each with its task, where its searches stand and whether a run is on."""
    table = _table("study", "searches ended", "trainings ended", "left at least", "")
    for task, states, in_use in studies:
        left = sum(trainings_left(task, state) for state in states)
        table.add_row(
            task.name,
            f"{sum(state.verdict is not None for state in states)} of {len(states)}",
            str(sum(trainings_ended(state) for state in states)),
            str(left),
            "running" if in_use else "" if left else "finished",
        )
    return table if table.row_count else Text("There is no study yet: lrsearch run TASK.yaml makes one.")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1))
    for column in columns:
        table.add_column(column)
    return table
