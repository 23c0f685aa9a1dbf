"""When a replica is evaluated: what is reckoned is what a list of all evaluations says."""

from hypothesis import given
from hypothesis import strategies as st

from lrsearch.task.model import Budget

budgets = st.integers(1, 60).flatmap(lambda most: st.builds(Budget, st.just(most), st.integers(1, most)))


@given(budgets)
def test_each_evaluation_follows_the_one_before(budget: Budget) -> None:
    iteration, found = -1, []
    while iteration < budget.iterations:
        iteration = budget.evaluation_after(iteration)
        found.append(iteration)
    assert found == [*budget.evaluations()]


@given(budgets, st.data())
def test_the_last_ones_are_the_last_of_the_list(budget: Budget, data: st.DataObject) -> None:
    iterations = [*budget.evaluations()]
    window = data.draw(st.integers(1, len(iterations) - 1))
    assert [it for it in iterations if budget.is_among_last(it, window)] == iterations[-window:]
