"""One seed while the bracket walks; the best candidate and its neighbours are confirmed with all."""

import random
from collections.abc import Sequence

import pytest
from walks import EVALUATIONS, valley, walk

from lrsearch.strategies import Assessment, Bracket, Bracketed, Ending, NoneLearned, Race, Resolve, Screen
from lrsearch.trial import Trial

BRACKET = Bracket(0, -6, 6, seeds=3)
SCREEN = Screen(BRACKET, seeds=1)


def test_the_walk_has_one_seed_and_the_end_has_all() -> None:
    found = walk(SCREEN, valley(best=3))
    assert found.ending == Bracketed(3)
    assert found.trained == {0: {0}, 1: {0}, 2: {0, 1, 2}, 3: {0, 1, 2}, 4: {0, 1, 2}}


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("start", [-4, -1, 0, 2])
def test_it_ends_where_the_whole_search_does_on_a_plain_valley(start: int, workers: int) -> None:
    screen = Screen(Bracket(start, -6, 6, seeds=3), seeds=1)
    found = walk(screen, valley(best=1), workers, random.Random(start))
    assert found.ending == Bracketed(1)


def test_it_goes_on_where_the_other_seeds_find_another_rung_better() -> None:
    def lucky(rung: int, seed: int) -> list[float]:
        end = 0.3 + 0.2 * abs(rung - 2)
        return [2.0, 1.5, 1.0, 0.2 if (rung, seed) == (0, 0) else end]

    found = walk(SCREEN, lucky)
    assert found.ending == Bracketed(2)
    assert found.trained[3] == {0, 1, 2}, "the new neighbour is trained with all seeds"


def test_where_nothing_learns_nothing_is_confirmed() -> None:
    found = walk(Screen(Bracket(0, -1, 1, seeds=3), seeds=1), lambda rung, seed: [2.3] * len(EVALUATIONS))
    assert found.ending == NoneLearned()
    assert found.trained == {-1: {0}, 0: {0}, 1: {0}}


def test_what_was_left_at_one_seed_is_said_to_be() -> None:
    skips = SCREEN.skips(walk(SCREEN, valley(best=3)).trials)
    assert [(skip.rung, skip.seeds) for skip in skips] == [(0, (1, 2)), (1, (1, 2))]


def test_a_race_can_confirm() -> None:
    screen = Screen(Race(BRACKET, EVALUATIONS[-1]), seeds=1)
    assert walk(screen, valley(best=3), workers=2).ending == Bracketed(3)


def test_a_later_look_does_not_come_back_to_what_was_only_screened() -> None:
    def always(ending: Ending, trials: Sequence[Trial]) -> Assessment:
        return Assessment(resolved=False, hopeless=False, contenders=frozenset({2, 3}))

    found = walk(Resolve(SCREEN, BRACKET, (3, 5), always), valley(best=3))
    assert found.trained[0] == found.trained[1] == {0}
