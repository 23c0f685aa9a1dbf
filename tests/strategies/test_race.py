"""The race: what is far behind over paired seeds is ended, what is not goes on, and no rival that died decides."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walks import EVALUATIONS, Losses, valley, walk

from lrsearch.strategies import AtLimit, Bracket, Bracketed, NoneLearned, Race
from lrsearch.trial import Finished, Stopped

BUDGET = EVALUATIONS[-1]


def race(start: int = 0, **changes: object) -> Race:
    return Race(Bracket(start, -6, 6, seeds=3, **changes), BUDGET)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2, 4, 9])
@pytest.mark.parametrize("start", [-4, -2, 0, 1, 3])
def test_a_plain_valley_is_bracketed_at_less_cost(start: int, workers: int) -> None:
    losses = valley(best=0, steepness=0.5)
    found = walk(race(start), losses, workers, random.Random(start))
    assert found.ending == Bracketed(0)
    assert found.iterations < walk(Bracket(start, -6, 6, seeds=3), losses).iterations


def test_the_chosen_one_has_all_its_seeds() -> None:
    found = walk(race(-3), valley(best=0, steepness=0.5))
    assert found.trained[0] == {0, 1, 2}


@settings(max_examples=100, deadline=None)
@given(st.integers(-4, 4), st.integers(1, 6), st.integers())
def test_any_order_chooses_the_same_where_candidates_lie_apart(start: int, workers: int, order: int) -> None:
    losses = valley(best=1, steepness=0.6, noise=0.01, dies_above=3)
    assert walk(race(start), losses, workers, random.Random(order)).ending == Bracketed(1)


def test_what_is_stopped_says_behind_whom_when_and_by_how_much() -> None:
    found = walk(race(), valley(best=0, steepness=0.9, noise=0.0))
    stopped = [t for t in found.trials if isinstance(t.outcome, Stopped)]
    assert stopped
    reason = stopped[0].outcome
    assert isinstance(reason, Stopped)
    assert "behind rung {0} in the end, as seen at iteration" in reason.reason
    assert "over 1 paired seed" in reason.reason
    assert {skip.rung for skip in race().skips(found.trials)} == {-1, 1}


def test_what_lies_near_is_trained_to_the_end() -> None:
    found = walk(race(), valley(best=0, steepness=0.005, noise=0.001))
    assert all(isinstance(trial.outcome, Finished) for trial in found.trials)
    assert len(found.trials) == 9


def leader_that_dies(rung: int, seed: int) -> list[float]:
    """Rung 1 is far ahead until it diverges; then rung 0 is best."""
    if rung == 1:
        return [0.1, 0.1, 0.1, math.nan]
    return [2.0, 1.5, 1.2, 0.4 + 0.2 * abs(rung)]


@pytest.mark.parametrize("workers", [1, 2, 6])
def test_a_candidate_that_fell_behind_one_that_diverged_is_trained_again(workers: int) -> None:
    found = walk(race(), leader_that_dies, workers)
    assert found.ending == Bracketed(0)
    assert found.trained[0] == {0, 1, 2}


def test_metrics_that_are_not_above_0_end_nothing() -> None:
    def negative(rung: int, seed: int) -> list[float]:
        return [0.0, -1.0, -2.0, -3.0 + abs(rung)]

    found = walk(race(), negative)
    assert found.ending == Bracketed(0)
    assert all(isinstance(trial.outcome, Finished) for trial in found.trials)


def test_flat_networks_do_not_make_a_valley() -> None:
    def flat_below(rung: int, seed: int) -> list[float]:
        return [2.3, 2.29, 2.3, 2.3] if rung < 2 else [1.0, 0.8, 0.6, 0.5 + 0.1 * (rung - 2)]

    assert walk(race(-2), flat_below).ending == Bracketed(2)


@pytest.mark.parametrize(
    ("losses", "ending"), [(valley(-9, 0.5), AtLimit(-6, "lowest")), (valley(9, 0.5), AtLimit(6, "highest"))]
)
def test_limits_are_named(losses: Losses, ending: AtLimit) -> None:
    assert walk(race(), losses).ending == ending


def test_nothing_learned_ends_so() -> None:
    found = walk(race(), lambda rung, seed: [math.nan] * len(EVALUATIONS))
    assert found.ending == NoneLearned()
    assert {len(seeds) for seeds in found.trained.values()} == {1}


@pytest.mark.parametrize("workers", [1, 3])
def test_flat_networks_everywhere_end_as_none_learned(workers: int) -> None:
    found = walk(race(), lambda rung, seed: [2.3, 2.31, 2.29, 2.3], workers)
    assert found.ending == NoneLearned()


def test_complete_candidates_that_tie_but_for_rounding_do_not_hold_it_up() -> None:
    ends = {0: (0.04, 0.04, 0.08), 1: (0.08, 0.02, 0.06)}

    def tied(rung: int, seed: int) -> list[float]:
        return [0.6, 0.6, 0.6, ends[rung][seed] if rung in ends else 0.5]

    assert walk(race(), tied).ending in (Bracketed(0), Bracketed(1))


def test_of_two_rates_that_tie_the_one_that_leads_early_is_not_preferred() -> None:
    """As under momentum: rungs 0 and 1 end alike over seeds, and the larger one falls first."""

    def tied(order: int) -> Losses:
        def losses(rung: int, seed: int) -> list[float]:
            noise = random.Random(f"{order} {rung} {seed}").gauss(0, 0.03)
            end = 0.3 * math.exp(0.5 * max(-rung, rung - 1, 0) + noise)
            pace = 0.5 if rung <= 0 else 0.25
            return [end * (EVALUATIONS[-1] / at) ** pace for at in EVALUATIONS]

        return losses

    draws = range(60)
    larger = {
        way: sum(walk(strategy, tied(order)).ending.rung == 1 for order in draws)  # type: ignore[union-attr]
        for way, strategy in {"default": Bracket(0, -6, 6, seeds=3), "race": race()}.items()
    }
    assert larger["race"] <= 1.3 * larger["default"], larger
