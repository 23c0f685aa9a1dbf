"""The bracket over every ordering of seven rungs with any of them not learning, from every start, shifted."""

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations

import pytest

from lrsearch.strategies import AtLimit, Bracket, Bracketed, NoneLearned

RUNGS = 7
Outcome = dict[int, float | None]


def every_outcome() -> Iterator[Outcome]:
    """Each rung's mean metric by rank, None for one that did not learn: 13,700 of them."""
    for learned in range(RUNGS + 1):
        for rungs in combinations(range(RUNGS), learned):
            for ranks in permutations(range(learned)):
                yield dict.fromkeys(range(RUNGS)) | dict(zip(rungs, map(float, ranks), strict=True))


OUTCOMES = list(every_outcome())


def shifted(outcome: Outcome, by: int) -> Outcome:
    return {rung + by: mean for rung, mean in outcome.items()}


def walk(bracket: Bracket, outcome: Mapping[int, float | None]) -> tuple[list[set[int]], object]:
    """Search to the end; give the rungs of each step and the ending."""
    known: dict[int, float | None] = {}
    steps: list[set[int]] = []
    while isinstance(step := bracket.next_step(known), tuple):
        assert step, "a step trains something"
        assert not known.keys() & set(step), "nothing is trained twice"
        steps.append(set(step))
        known |= {rung: outcome[rung] for rung in step}
    return steps, step


def bracket_from(start: int, shift: int, **changes: object) -> Bracket:
    return Bracket(start + shift, lowest=shift, highest=shift + RUNGS - 1, seeds=1, **changes)  # type: ignore[arg-type]


def test_there_are_13700_outcomes() -> None:
    assert len(OUTCOMES) == 13_700
    assert len({tuple(outcome.items()) for outcome in OUTCOMES}) == 13_700


@pytest.mark.parametrize("start", range(RUNGS))
@pytest.mark.parametrize("shift", [-23, 0, 5])
def test_the_choice_is_a_local_minimum_whose_neighbours_have_ended(start: int, shift: int) -> None:
    bracket = bracket_from(start, shift)
    for outcome in OUTCOMES:
        means = shifted(outcome, shift)
        steps, ending = walk(bracket, means)
        trained = set().union(*steps)
        learned = {rung for rung in trained if means[rung] is not None}
        if isinstance(ending, NoneLearned):
            assert not learned
            assert trained == set(means), "every rung within the limits was tried"
            continue
        assert isinstance(ending, Bracketed | AtLimit)
        best = means[ending.rung]
        assert best is not None
        assert best == min(means[rung] for rung in learned)
        for neighbour in (ending.rung - 1, ending.rung + 1):
            if neighbour in means:
                assert neighbour in trained
                assert means[neighbour] is None or means[neighbour] > best
        at_edge = ending.rung in (bracket.lowest, bracket.highest)
        assert isinstance(ending, AtLimit) == at_edge


@pytest.mark.parametrize("start", range(RUNGS))
def test_no_candidate_is_trained_that_the_papers_rule_would_not_train(start: int) -> None:
    bracket = bracket_from(start, shift=0)
    guesses = {start, start + 1} & set(range(RUNGS))
    # Outward from the first guesses, lower side first.
    outward = [r for d in range(1, RUNGS) for r in (start - d, start + 1 + d) if 0 <= r < RUNGS]
    for outcome in OUTCOMES:
        steps, _ = walk(bracket, outcome)
        assert steps[0] == guesses
        trained = set(steps[0])
        untried = iter(outward)
        for step in steps[1:]:
            learned = {rung: outcome[rung] for rung in trained if outcome[rung] is not None}
            if learned:
                best = min(learned, key=lambda rung: learned[rung])
                assert step == {best - 1, best + 1} & set(outcome) - trained, "only beside the best so far"
            else:
                assert step == {next(untried)}
            trained |= step


@pytest.mark.parametrize("start", range(RUNGS))
def test_shifting_the_ladder_shifts_the_walk(start: int) -> None:
    for outcome in OUTCOMES[::7]:
        here, _ = walk(bracket_from(start, 0), outcome)
        there, _ = walk(bracket_from(start, -1000), shifted(outcome, -1000))
        assert there == [{rung - 1000 for rung in step} for step in here]


@pytest.mark.parametrize("start", range(RUNGS))
def test_highest_is_best_mirrors_lowest_is_best(start: int) -> None:
    for outcome in OUTCOMES[::7]:
        negated = {rung: None if mean is None else -mean for rung, mean in outcome.items()}
        assert walk(bracket_from(start, 0), outcome) == walk(bracket_from(start, 0, mode="max"), negated)


@pytest.mark.parametrize("start", range(RUNGS))
def test_a_closed_end_counts_as_a_worse_neighbour(start: int) -> None:
    for outcome in OUTCOMES[::3]:
        open_steps, open_ending = walk(bracket_from(start, 0), outcome)
        steps, ending = walk(bracket_from(start, 0, closed_below=0), outcome)
        assert steps == open_steps
        if open_ending == AtLimit(0, "lowest"):
            assert ending == Bracketed(0)
        else:
            assert ending == open_ending
