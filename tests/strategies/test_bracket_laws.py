"""The bracket over every outcome of seven rungs, from every start, shifted: each rung has a value, or was slow or too
bold, and every order of the values occurs."""

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations, product

import pytest

from lrsearch.strategies import AtLimit, Bracket, Bracketed, NoneLearned, Standing, State

RUNGS = 7
Outcome = dict[int, Standing]
SLOW, DEAD, DIVERGED = map(Standing, (State.SLOW, State.DEAD, State.DIVERGED))
TOO_BOLD = (State.DEAD, State.DIVERGED)


def every_outcome(unlearned: tuple[Standing, ...], rungs: int = RUNGS) -> Iterator[Outcome]:
    """Each rung's standing: its mean metric by rank, or one of those that did not learn."""
    for learned in range(rungs + 1):
        for where in combinations(range(rungs), learned):
            others = [rung for rung in range(rungs) if rung not in where]
            for kinds in product(unlearned, repeat=len(others)):
                for ranks in permutations(range(learned)):
                    values = (Standing(State.LEARNED, float(rank)) for rank in ranks)
                    yield dict(zip(others, kinds, strict=True)) | dict(zip(where, values, strict=True))


OUTCOMES = list(every_outcome((SLOW, DIVERGED)))
WITH_DEAD = list(every_outcome((SLOW, DEAD, DIVERGED)))[::17]
PLAIN = list(every_outcome((SLOW,)))
"""With one kind of what did not learn: all that the paper's rule knows."""


def shifted(outcome: Outcome, by: int) -> Outcome:
    return {rung + by: standing for rung, standing in outcome.items()}


def walk(bracket: Bracket, outcome: Mapping[int, Standing]) -> tuple[list[set[int]], object]:
    """Search to the end; give the rungs of each step and the ending."""
    known: dict[int, Standing] = {}
    steps: list[set[int]] = []
    while isinstance(step := bracket.next_step(known), tuple):
        assert step, "a step trains something"
        assert not known.keys() & set(step), "nothing is trained twice"
        steps.append(set(step))
        known |= {rung: outcome[rung] for rung in step}
    return steps, step


def bracket_from(start: int, shift: int = 0, **changes: object) -> Bracket:
    return Bracket(start + shift, lowest=shift, highest=shift + RUNGS - 1, seeds=1, **changes)  # type: ignore[arg-type]


def test_there_are_37200_outcomes() -> None:
    """The sum over k of those that learned: 7! / (7 - k)! orders on 7 over k places, and two kinds of each other."""
    assert len(OUTCOMES) == 37_200
    assert len({tuple(outcome[rung] for rung in range(RUNGS)) for outcome in OUTCOMES}) == 37_200


@pytest.mark.parametrize("start", range(RUNGS))
def test_to_have_died_says_what_to_have_diverged_says_once_something_learned(start: int) -> None:
    for outcome in WITH_DEAD:
        if outcome[start].mean is None:
            continue
        diverged = {rung: DIVERGED if s == DEAD else s for rung, s in outcome.items()}
        assert walk(bracket_from(start), outcome) == walk(bracket_from(start), diverged)


@pytest.mark.parametrize("shift", [0, -23])
@pytest.mark.parametrize("start", range(RUNGS))
def test_the_choice_is_the_best_of_those_trained_and_both_its_sides_are_closed(
    start: int, shift: int
) -> None:
    bracket = bracket_from(start, shift)
    for outcome in OUTCOMES[:: 1 if shift == 0 else 9]:
        means = shifted(outcome, shift)
        steps, ending = walk(bracket, means)
        trained = set().union(*steps)
        learned = {rung: mean for rung in trained if (mean := means[rung].mean) is not None}
        if isinstance(ending, NoneLearned):
            assert not learned
            assert trained == set(means), "every rung within the limits was tried"
            continue
        assert isinstance(ending, Bracketed | AtLimit)
        best, rung = learned[ending.rung], ending.rung
        assert best == min(learned.values())
        if rung < bracket.highest:
            assert rung + 1 in trained
        # Downward to a rung that is worse because it learned less or too slowly; what was too bold closes nothing.
        below = rung - 1
        while below in means and means[below].state in TOO_BOLD:
            assert below in trained
            below -= 1
        assert below not in means or below in trained
        if isinstance(ending, Bracketed):
            assert ending.below == (None if below == rung - 1 else below)
        assert means.get(below, SLOW).mean is None or means[below].mean > best
        assert isinstance(ending, AtLimit) == (below not in means or rung == bracket.highest)


@pytest.mark.parametrize("start", range(RUNGS))
def test_where_nothing_is_too_bold_it_is_the_papers_rule(start: int) -> None:
    bracket = bracket_from(start)
    guesses = {start, start + 1} & set(range(RUNGS))
    # Outward from the first guesses, lower side first.
    outward = [r for d in range(1, RUNGS) for r in (start - d, start + 1 + d) if 0 <= r < RUNGS]
    for outcome in PLAIN:
        steps, _ = walk(bracket, outcome)
        assert steps[0] == guesses
        trained = set(steps[0])
        untried = iter(outward)
        for step in steps[1:]:
            learned = {rung: mean for rung in trained if (mean := outcome[rung].mean) is not None}
            if learned:
                best = min(learned, key=lambda rung: learned[rung])
                assert step == {best - 1, best + 1} & set(outcome) - trained, "only beside the best so far"
            else:
                assert step == {next(untried)}
            trained |= step


@pytest.mark.parametrize("start", range(RUNGS))
def test_where_larger_is_not_bolder_it_is_the_papers_rule(start: int) -> None:
    for outcome in OUTCOMES[::5]:
        plain = {rung: SLOW if s.mean is None else s for rung, s in outcome.items()}
        assert walk(bracket_from(start, bold=False), outcome) == walk(bracket_from(start), plain)


@pytest.mark.parametrize("start", range(RUNGS))
def test_shifting_the_ladder_shifts_the_walk(start: int) -> None:
    for outcome in OUTCOMES[::29]:
        here, _ = walk(bracket_from(start), outcome)
        there, _ = walk(bracket_from(start, -1000), shifted(outcome, -1000))
        assert there == [{rung - 1000 for rung in step} for step in here]


@pytest.mark.parametrize("start", range(RUNGS))
def test_highest_is_best_mirrors_lowest_is_best(start: int) -> None:
    for outcome in OUTCOMES[::29]:
        negated = {r: s if s.mean is None else Standing(s.state, -s.mean) for r, s in outcome.items()}
        assert walk(bracket_from(start), outcome) == walk(bracket_from(start, mode="max"), negated)


@pytest.mark.parametrize("start", range(RUNGS))
def test_a_closed_end_counts_as_a_worse_neighbour(start: int) -> None:
    for outcome in OUTCOMES[::29]:
        open_steps, open_ending = walk(bracket_from(start), outcome)
        steps, ending = walk(bracket_from(start, closed_below=0), outcome)
        assert steps == open_steps
        if isinstance(open_ending, AtLimit) and open_ending.side == "lowest":
            assert ending == Bracketed(open_ending.rung, None if open_ending.rung == 0 else -1)
        else:
            assert ending == open_ending


def test_a_learned_rung_that_was_damaged_closes_the_upper_side_alone() -> None:
    means = {0: 3.0, 1: 2.0, 2: 1.0, 3: 2.0}
    plain = {rung: Standing(State.LEARNED, mean) for rung, mean in means.items()}
    assert bracket_from(2).next_step({rung: plain[rung] for rung in (1, 2, 3)}) == Bracketed(2)
    below = plain | {1: Standing(State.DAMAGED, 2.0)}
    assert bracket_from(2).next_step({rung: below[rung] for rung in (1, 2, 3)}) == (0,)
    assert bracket_from(2).next_step(below) == Bracketed(2, below=0)
    above = plain | {3: Standing(State.DAMAGED, 2.0)}
    assert bracket_from(2).next_step(above) == Bracketed(2)
