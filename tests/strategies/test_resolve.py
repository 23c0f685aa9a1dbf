"""More seeds for contenders alone, look by look, until the choice is resolved or cannot be."""

from collections.abc import Sequence

import pytest
from walks import EVALUATIONS, valley, walk

from lrsearch.strategies import Assessment, Bracket, Bracketed, Ending, Resolve, looks
from lrsearch.strategies.resolve import Assess
from lrsearch.trial import Trial

BRACKET = Bracket(0, -6, 6, seeds=3)


def resolving(assess: Assess, first: Bracket = BRACKET, max_seeds: int = 10) -> Resolve:
    return Resolve(first, BRACKET, looks(3, max_seeds), assess)


class Assessing:
    """Says at which number of seeds the choice is resolved or hopeless, and who contends; notes when it was asked."""

    def __init__(
        self, resolved_at: int = 99, hopeless_at: int = 99, contenders: frozenset[int] = frozenset({0, 1})
    ):
        self.resolved_at, self.hopeless_at, self.contenders = resolved_at, hopeless_at, contenders
        self.asked: set[int] = set()

    def __call__(self, ending: Ending, trials: Sequence[Trial]) -> Assessment:
        seeds = max(trial.spec.seed for trial in trials) + 1
        self.asked.add(seeds)
        return Assessment(seeds >= self.resolved_at, seeds >= self.hopeless_at, self.contenders)


def test_a_resolved_choice_takes_no_more_seeds() -> None:
    losses = valley(best=0)
    assert walk(resolving(Assessing(resolved_at=3)), losses).trials == walk(BRACKET, losses).trials


@pytest.mark.parametrize(("how", "seeds"), [({"resolved_at": 8}, 8), ({"hopeless_at": 5}, 5), ({}, 10)])
def test_contenders_alone_get_more_seeds_until_it_ends(how: dict[str, int], seeds: int) -> None:
    assessing = Assessing(**how)
    found = walk(resolving(assessing), valley(best=0))
    assert found.ending == Bracketed(0)
    assert found.trained == {-1: {0, 1, 2}, 0: set(range(seeds)), 1: set(range(seeds))}
    assert assessing.asked == {n for n in (3, 5, 8, 10) if n <= seeds}


def moving(rung: int, seed: int) -> list[float]:
    """Over three seeds rung 0 is best, over more it is rung 1."""
    end = 0.3 + 0.05 * abs(rung) if seed < 3 else 0.3 + 0.1 * abs(rung - 1)
    return [2.0, 1.5, 1.0, end]


def test_where_the_best_moves_to_an_edge_the_bracket_widens() -> None:
    found = walk(resolving(Assessing(resolved_at=8)), moving)
    assert found.ending == Bracketed(1)
    # Three seeds of the new neighbour are enough to see whether it contends.
    assert found.trained == {-1: {0, 1, 2}, 0: set(range(8)), 1: set(range(8)), 2: {0, 1, 2}}


def test_a_contender_of_which_a_later_seed_diverges_is_out() -> None:
    def dies_later(rung: int, seed: int) -> list[float]:
        if rung == 0 and seed == 3:
            return [float("nan")] * len(EVALUATIONS)
        return [2.0, 1.5, 1.0, 0.3 + 0.1 * abs(rung)]

    # What lies above the one that died is closed by the one below it.
    assert walk(resolving(Assessing(resolved_at=5)), dies_later).ending in (
        Bracketed(1, below=-1),
        Bracketed(-1),
    )


def test_where_all_contenders_die_those_left_behind_come_back() -> None:
    def die_later(rung: int, seed: int) -> list[float]:
        if rung in (0, 1) and seed == 4:
            return [float("nan")] * len(EVALUATIONS)
        return [2.0, 1.5, 1.0, 0.3 + 0.1 * abs(rung)]

    assert walk(resolving(Assessing(resolved_at=5)), die_later).ending == Bracketed(-1)


@pytest.mark.parametrize("workers", [2, 5])
def test_more_workers_choose_the_same(workers: int) -> None:
    assert walk(resolving(Assessing(resolved_at=8)), moving, workers).ending == Bracketed(1)


def test_the_walk_waits_for_the_seeds_of_all_contenders() -> None:
    """From a far start: the first contender to be complete must not send it on as if the others were worse."""
    losses = valley(best=3)
    contenders = frozenset({2, 3, 4})
    found = walk(resolving(Assessing(resolved_at=8, contenders=contenders)), losses)
    assert {rung for rung, seeds in found.trained.items() if len(seeds) > 3} == contenders
    assert set(found.trained) == {0, 1, 2, 3, 4}
