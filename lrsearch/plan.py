"""What a run would train and what that costs, before anything is written."""

from lrsearch.errors import UsageError
from lrsearch.report.remaining import trainings_left
from lrsearch.report.summaries import Plan, PlannedSearch
from lrsearch.search import Launch
from lrsearch.searches import needed_by, state_of, strategy_for
from lrsearch.task import Task
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


def plan(task: Task, only: frozenset[str] | None = None) -> Plan:
    """Check that a task trains, and reckon what its searches take at least. Nothing is kept.

    Raises:
        UsageError: the task, its workload or its data cannot be used.
    """
    searches = searches_of(task, only)
    from lrsearch.training.preflight import check_trains, measure_cost  # imports torch

    parameters = check_trains(task)
    planned = []
    for search in searches:
        state = state_of(task, search, (), {})
        first = strategy_for(task, state.search).decide(())
        rungs = sorted({rung for rung, _ in first.replicas}) if isinstance(first, Launch) else []
        planned.append(
            PlannedSearch(
                search=search,
                first=tuple(state.searched.ladder.value(rung) for rung in rungs),
                limits=state.searched.limits,
                waiting_for=state.waiting_for,
                trainings=trainings_left(task, state),
                parameters=parameters[search.entry],
                seconds=measure_cost(task, task.entries[search.entry]),
            )
        )
    return Plan(tuple(planned))
