"""What a run would train and what that costs, before anything is written."""

from lrsearch.errors import UsageError
from lrsearch.report.remaining import trainings_left
from lrsearch.report.starts import start_text
from lrsearch.report.summaries import Plan, PlannedSearch
from lrsearch.searches import needed_by, state_of, strategy_for
from lrsearch.starts import kept_starts, with_scaled_starts
from lrsearch.strategies import Launch
from lrsearch.studies import Place
from lrsearch.task import Task
from lrsearch.task.model import Compared
from lrsearch.trial import SearchId


def searches_of(task: Task, only: frozenset[str] | None = None) -> list[SearchId]:
    """Give the searches that a run makes, each after those that it waits for.

    Raises:
        UsageError: there are none, as every number is fixed.
    """
    searches = needed_by(task, task.entries if only is None else only)
    if searches:
        return searches
    remedy = "give what is to be searched as {start: VALUE}"
    if only is not None and task.searches():
        raise UsageError(f"--only {', '.join(sorted(only))}: every number of it is fixed; {remedy}")
    raise task.error(f"there is nothing to search, as every number is fixed; {remedy}", "optimizers")


def plan(
    task: Task, only: frozenset[str] | None = None, place: Place | None = None, here: bool = False
) -> Plan:
    """Check that a task trains, and reckon what its searches take at least. Nothing is kept.

    Range tests are not made; what proposed starts in an earlier run is taken from the study at ``place``.
    Workers that this machine has no room for are refused if they are to run ``here``.

    Raises:
        UsageError: the task, its workload or its data cannot be used.
    """
    searches = searches_of(task, only)
    if here:
        from lrsearch.training.device import check_room_here

        check_room_here(task)
    from lrsearch.training.preflight import check_trains, measure_cost  # imports torch
    from lrsearch.training.range_test import iterations_at_most

    if place is not None and any(searched.start is None for searched in task.searches().values()):
        task = task.with_proposed_starts(kept_starts(task, place))
    task = with_scaled_starts(task, searches)
    parameters = check_trains(task).parameters
    planned = []
    for search in searches:
        state = state_of(task, search, (), {})
        first = strategy_for(task, state.search).decide(())
        rungs = sorted({rung for rung, _ in first.replicas}) if isinstance(first, Launch) else []
        open_start = state.searched.start is None
        planned.append(
            PlannedSearch(
                search=search,
                first=() if open_start else tuple(state.searched.ladder.value(rung) for rung in rungs),
                limits=(state.searched.guess,) * 2
                if isinstance(state.searched, Compared)
                else state.searched.limits,
                waiting_for=state.waiting_for,
                trainings=trainings_left(task, state),
                parameters=parameters[search.entry],
                seconds=measure_cost(task, task.entries[search.entry]),
                range_test=iterations_at_most(task) if open_start else 0,
                start=start_text(state.searched),
                iterations=task.budget.iterations,
            )
        )
    return Plan(tuple(planned))
