"""How many worse rungs close a side of the best: what the task asks for, and one more where chance may have spoken."""

import random
from collections.abc import Mapping

import pytest
from walks import valley, walk

from lrsearch.strategies import AtLimit, Bracket, Bracketed, Race, Standing, State

DIVERGED, DEAD = Standing(State.DIVERGED), Standing(State.DEAD)


def learned(mean: float, error: float = 0.0) -> Standing:
    return Standing(State.LEARNED, mean, gain=2.0, error=error)


def trained(bracket: Bracket, rungs: Mapping[int, Standing]) -> tuple[set[int], object]:
    known: dict[int, Standing] = {}
    while isinstance(step := bracket.next_step(known), tuple):
        known |= {rung: rungs[rung] for rung in step}
    return set(known), step


def bracket(start: int = 0, patience: int = 1, **changes: object) -> Bracket:
    return Bracket(start, -6, 6, seeds=3, patience=patience, **changes)  # type: ignore[arg-type]


TWO_VALLEYS = {rung: learned(abs(rung) + 1.0) for rung in range(-6, 7)} | {2: learned(0.5)}


@pytest.mark.parametrize(("patience", "best"), [(1, 0), (2, 2), (3, 2)])
def test_patience_sees_over_a_worse_rung(patience: int, best: int) -> None:
    rungs, ending = trained(bracket(patience=patience), TWO_VALLEYS)
    assert ending == Bracketed(best)
    assert {best - patience, best + patience} <= rungs


def test_what_diverged_or_died_closes_the_upper_side_at_once_and_the_lower_never() -> None:
    rungs = {rung: learned(1.0 - rung / 10) for rung in range(-6, 1)}
    for above in (DIVERGED, DEAD):
        found, ending = trained(bracket(patience=3), rungs | {1: above})
        assert ending == Bracketed(0)
        assert found == {-3, -2, -1, 0, 1}


def test_on_a_ladder_without_boldness_it_takes_as_many_above() -> None:
    rungs = {rung: learned(1.0 + abs(rung)) for rung in range(-6, 1)} | dict.fromkeys(range(1, 7), DIVERGED)
    assert trained(bracket(patience=2, bold=False), rungs)[0] == {-2, -1, 0, 1, 2}


def test_a_limit_ends_patience() -> None:
    rungs = {rung: learned(2.0 + abs(rung - 5)) for rung in range(-6, 7)}
    assert trained(bracket(start=4, patience=4), rungs)[1] == Bracketed(5)
    rungs[6] = learned(1.0)
    assert trained(bracket(start=4, patience=4), rungs)[1] == AtLimit(6, "highest")


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("gap", "further"), [(0.05, True), (0.15, False)])
def test_a_neighbour_within_one_standard_error_is_no_end(side: int, gap: float, further: bool) -> None:
    rungs = {rung: learned(3.0) for rung in range(-6, 7)}
    rungs |= {0: learned(1.0, error=0.1), side: learned(1.0 + gap), 2 * side: learned(0.8, error=0.1)}
    found, ending = trained(bracket(), rungs)
    assert (2 * side in found) == further
    assert ending == Bracketed(2 * side if further else 0)


def test_a_score_that_is_to_be_high_is_treated_alike() -> None:
    rungs = {rung: learned(0.1) for rung in range(-6, 7)}
    rungs |= {0: learned(0.80, error=0.02), 1: learned(0.79), 2: learned(0.9, error=0.02)}
    assert trained(bracket(mode="max"), rungs)[1] == Bracketed(2)


def test_one_seed_knows_no_error_and_goes_by_the_papers_rule() -> None:
    rungs = {rung: learned(3.0) for rung in range(-6, 7)} | {0: learned(1.0), 1: learned(1.0), 2: learned(0.5)}
    assert trained(bracket(), rungs)[1] == Bracketed(0)


@pytest.mark.parametrize("race", [False, True])
@pytest.mark.parametrize(("start", "workers"), [(-3, 1), (0, 3), (4, 2)])
def test_a_search_tries_as_many_on_either_side(race: bool, start: int, workers: int) -> None:
    patient = bracket(start, patience=2)
    found = walk(Race(patient, 1000) if race else patient, valley(1, 0.4, noise=0.01), workers, random.Random(0))
    assert found.ending == Bracketed(1)
    assert {trial.spec.rung for trial in found.trials} >= {-1, 0, 1, 2, 3}
