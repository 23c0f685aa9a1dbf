"""What is not trained cannot change the choice: the same walk on all seeds chooses the same, at no less cost."""

import math
import random
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walks import EVALUATIONS, INITIAL, SEARCH, Losses, at_evaluations, walk

from lrsearch.strategies import Bracket, Bracketed, Candidate, Cause, Ending, NoneLearned, Standing, State
from lrsearch.strategies.standing import standing_of
from lrsearch.trial import Diverged, Evaluation, Finished, Trial, TrialSpec

SEEDS = 3
LOWEST, HIGHEST = -4, 4


@dataclass(frozen=True)
class Whole:
    """The search without any saving, written down again as plainly as can be: every seed of every candidate."""

    start: int
    mode: Literal["min", "max"] = "min"

    def search(self, losses: Losses) -> tuple[Ending, int]:
        bracket = Bracket(self.start, LOWEST, HIGHEST, SEEDS, self.mode)
        candidates: dict[int, Candidate] = {}
        known: dict[int, Standing] = {}
        while isinstance(step := bracket.next_step(known), tuple):
            for rung in step:
                candidates[rung] = Candidate(rung, {s: self.trained(losses, rung, s) for s in range(SEEDS)})
                known[rung] = standing_of(candidates[rung], self.mode, "last")
                if rung == self.start and known[rung].state is State.DIVERGED:
                    break  # the other first guess lies above it
            while bracket.none_learned(known) and isinstance(
                probe := bracket.examine(candidates, known), int
            ):
                candidates[probe] = Candidate(probe, {0: self.trained(losses, probe, 0)})
            if bracket.none_learned(known) and (cause := bracket.examine(candidates, known)):
                assert isinstance(cause, Cause)
                step = NoneLearned(cause)
                break
        return step, sum(t.iterations for c in candidates.values() for t in c.replicas.values())

    def trained(self, losses: Losses, rung: int, seed: int) -> Trial:
        values = at_evaluations(losses(rung, seed))
        finite = list(takewhile(math.isfinite, values))
        curve = [Evaluation(0, INITIAL), *map(Evaluation, EVALUATIONS, finite)]
        died = len(finite) < len(values)
        outcome = Diverged(EVALUATIONS[len(finite)]) if died else Finished(finite[-1])
        return Trial(f"{rung}/{seed}", TrialSpec(SEARCH, rung, seed, {}), tuple(curve), outcome)


def made_up(seed: int) -> Losses:
    """Any losses at all: ties, near ties, seeds that diverge anywhere, dead ends."""
    rng = random.Random(seed)
    table = {}
    for rung in range(LOWEST, HIGHEST + 1):
        level = rng.choice([0.1, 0.3, 0.3, 0.31, 1.0, 2.0, 2.3])
        for s in range(SEEDS):
            end = level * rng.choice([1, 1, rng.uniform(0.9, 1.1), rng.uniform(0.2, 4)])
            curve = [INITIAL - (INITIAL - end) * at / EVALUATIONS[-1] for at in EVALUATIONS]
            if rng.random() < 0.1:
                died = rng.randrange(len(EVALUATIONS))
                curve[died:] = [math.nan] * (len(curve) - died)
            table[rung, s] = curve
    return lambda rung, s: table[rung, s]


def bracket(start: int, **changes: object) -> Bracket:
    return Bracket(start, LOWEST, HIGHEST, SEEDS, **changes)  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9), st.integers(LOWEST, HIGHEST), st.sampled_from([None, 0.0]))
def test_the_choice_is_that_of_the_whole_search_and_costs_no_more(
    seed: int, start: int, lower_bound: float | None
) -> None:
    losses = made_up(seed)
    ending, iterations = Whole(start).search(losses)
    ours = walk(bracket(start, lower_bound=lower_bound), losses)
    assert ours.ending == ending
    assert ours.iterations <= iterations


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9), st.integers(LOWEST, HIGHEST), st.integers(1, 8), st.integers())
def test_any_number_of_workers_in_any_order_choose_the_same(
    seed: int, start: int, workers: int, order: int
) -> None:
    losses = made_up(seed)
    ending, _ = Whole(start).search(losses)
    ours = walk(bracket(start, lower_bound=0.0), losses, workers, random.Random(order))
    assert ours.ending == ending


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9), st.integers(LOWEST, HIGHEST), st.integers(1, 4))
def test_a_score_that_is_to_be_high_is_treated_alike(seed: int, start: int, workers: int) -> None:
    losses = made_up(seed)

    def scores(rung: int, s: int) -> list[float]:
        return [2 * INITIAL - loss for loss in losses(rung, s)]

    ending, _ = Whole(start, "max").search(scores)
    assert walk(bracket(start, mode="max"), scores, workers).ending == ending


def diverging(at: int) -> Losses:
    def losses(rung: int, seed: int) -> list[float]:
        if rung == 1 and seed == 0:
            return [0.5] * at + [math.nan] * (4 - at)
        return [1.0, 0.8, 0.6, 0.3 + 0.1 * abs(rung)]

    return losses


@pytest.mark.parametrize("at", [0, 2])
def test_the_other_seeds_of_a_candidate_that_diverged_are_not_trained(at: int) -> None:
    found = walk(bracket(0), diverging(at))
    assert found.trained == {-1: {0, 1, 2}, 0: {0, 1, 2}, 1: {0}}
    (skip,) = bracket(0).skips(found.trials)
    assert (skip.rung, skip.seeds) == (1, (1, 2))
    assert skip.reason == f"seed 0 diverged at iteration {EVALUATIONS[5 * at]}, so it did not learn"


def test_those_that_run_are_ended() -> None:
    found = walk(bracket(0), diverging(0), workers=6)
    assert found.trained[1] == {0}
    assert bracket(0).skips(found.trials)[0].seeds == (1, 2)


def steps(rung: int, seed: int) -> list[float]:
    return [1.0, 0.9, 0.8, {0: 0.2}.get(rung, 0.7)]


def test_seeds_that_can_no_longer_make_a_candidate_the_best_are_not_trained() -> None:
    found = walk(bracket(0, lower_bound=0.0), steps)
    # One seed at 0.7 is more than three at 0.2; the lower neighbour, which closes its side, has to prove that with all.
    assert found.trained == {-1: {0, 1, 2}, 0: {0, 1, 2}, 1: {0}}
    assert found.ending == Bracketed(0)
    reasons = [skip.reason for skip in bracket(0, lower_bound=0.0).skips(found.trials)]
    assert reasons == [
        "its 1 finished of 3 seeds alone make its mean at least 0.2333, and 0.2 is reached already"
    ]


def test_a_metric_that_may_be_below_0_proves_nothing() -> None:
    assert walk(bracket(0), steps).trained == {-1: {0, 1, 2}, 0: {0, 1, 2}, 1: {0, 1, 2}}


def test_an_exact_tie_is_trained_out() -> None:
    """Equal means go to the lower rung, so that the higher one must not be skipped for being no better."""

    def equal(rung: int, seed: int) -> list[float]:
        return [1.0, 0.9, 0.8, 0.3 if rung in (0, 1) and seed == 0 else 0.0 if rung in (0, 1) else 0.5]

    found = walk(bracket(1, lower_bound=0.0), equal)
    assert found.ending == Bracketed(0)
