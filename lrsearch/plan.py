"""What a run would train and what that costs, before anything is written."""

from lrsearch.report.remaining import trainings_left
from lrsearch.report.summaries import Plan, PlannedSearch
from lrsearch.search import Launch
from lrsearch.searches import needed_by, state_of, strategy_for
from lrsearch.task import Task
from lrsearch.training.preflight import check_trains, measure_cost


def plan(task: Task, only: frozenset[str] | None = None) -> Plan:
    """Check that a task trains, and reckon what its searches take at least. Nothing is kept.

    Raises:
        UsageError: the task, its workload or its data cannot be used.
    """
    parameters = check_trains(task)
    planned = []
    for search in needed_by(task, only or task.entries):
        state = state_of(task, search, (), {})
        first = strategy_for(task, state.searched).decide(())
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
