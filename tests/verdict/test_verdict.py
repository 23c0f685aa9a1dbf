"""Verdicts: what plain cases make of them."""

from collections.abc import Mapping

import numpy as np
import pytest

from lrsearch.strategies import AtLimit, Bracketed, NoneLearned, candidates_of
from lrsearch.task.model import Mode, Prefer, Searched, SearchSettings
from lrsearch.trial import Diverged, Evaluation, Finished, SearchId, Stopped, Trial, TrialSpec
from lrsearch.verdict import Verdict, judge
from lrsearch.verdict.learning import did_not_learn

SEARCH = SearchId("sgd", "lr")
SEARCHED = Searched(0.1, "lr", (1e-8, 1e3))


def trials_of(table: Mapping[int, list[float | None]], initial: float = 2.3) -> list[Trial]:
    trials = []
    for rung, values in table.items():
        for seed, value in enumerate(values):
            spec = TrialSpec(SEARCH, rung, seed, {"lr": SEARCHED.ladder.value(rung)})
            outcome = Diverged(100) if value is None else Finished(value)
            last = () if value is None else (Evaluation(5000, value),)
            trials.append(Trial(f"sgd/lr/{len(trials)}", spec, (Evaluation(0, initial), *last), outcome))
    return trials


def verdict_of(
    table: Mapping[int, list[float | None]],
    rung: int,
    mode: Mode = "min",
    initial: float = 2.3,
    prefer: Prefer = "lowest",
) -> Verdict:
    trials = trials_of(table, initial)
    return judge(SEARCH, SEARCHED, Bracketed(rung), trials, mode, SearchSettings(prefer=prefer), (3,))


def test_a_clear_choice_is_resolved_without_ties() -> None:
    verdict = verdict_of({-3: [0.40, 0.41, 0.42], -2: [0.30, 0.305, 0.31], -1: [0.38, 0.39, 0.40]}, rung=-2)
    assert verdict.chosen == 0.1
    assert verdict.bracket == (0.03, 0.3)
    assert verdict.ties == ()
    assert verdict.regret_at_most == 0
    assert verdict.resolved


def test_a_near_tie_is_named_and_not_resolved() -> None:
    verdict = verdict_of({-3: [0.60, 0.58, 0.62], -2: [0.35, 0.39, 0.33], -1: [0.36, 0.35, 0.40]}, rung=-2)
    assert verdict.ties == (0.3,)
    assert verdict.regret_at_most is not None
    assert verdict.regret_at_most > 0.05
    assert not verdict.resolved


def test_noise_that_all_candidates_share_does_not_count() -> None:
    """Paired seeds: a hard seed is hard at every rate."""
    verdict = verdict_of({-3: [0.80, 0.44, 0.22], -2: [0.60, 0.33, 0.165], -1: [0.78, 0.43, 0.214]}, rung=-2)
    assert verdict.resolved


def test_differences_are_paired_with_the_chosen_one() -> None:
    verdict = verdict_of({-2: [0.3, 0.4, 0.5], -1: [0.4, 0.5, 0.9]}, rung=-2)
    row = verdict.rows[1]
    assert row.difference == pytest.approx(0.2)
    assert row.difference_error == pytest.approx(np.std([0.1, 0.1, 0.4], ddof=1) / 3**0.5)
    assert row.std == pytest.approx(np.std([0.4, 0.5, 0.9], ddof=1))


def test_a_candidate_with_a_diverged_seed_has_no_mean_and_is_no_rival() -> None:
    verdict = verdict_of({-2: [0.3, 0.31, 0.32], -1: [0.1, None, 0.1]}, rung=-2)
    row = verdict.rows[1]
    assert (row.mean, row.std, row.learned, row.diverged) == (None, None, False, {1: 100})
    assert verdict.ties == ()


def test_one_seed_bounds_nothing() -> None:
    verdict = verdict_of({-3: [0.4], -2: [0.3], -1: [0.4]}, rung=-2)
    assert verdict.regret_at_most is None
    assert not verdict.resolved
    assert verdict.ties == (0.03, 0.3), "any may be as good"


def test_at_a_limit_nothing_is_resolved() -> None:
    trials = trials_of({-2: [0.3, 0.3, 0.31], -1: [0.5, 0.5, 0.51]})
    verdict = judge(SEARCH, SEARCHED, AtLimit(-2, "lowest"), trials, "min", SearchSettings(), (3,))
    assert (verdict.name, verdict.chosen, verdict.resolved) == ("at_limit", 0.1, False)


def test_where_none_learned_nothing_is_chosen() -> None:
    trials = trials_of({-2: [None, None, None], -1: [2.3, 2.3, 2.3]})
    verdict = judge(SEARCH, SEARCHED, NoneLearned(), trials, "min", SearchSettings(), (3,))
    assert (verdict.name, verdict.chosen, verdict.regret_at_most, verdict.ties) == (
        "none_learned",
        None,
        None,
        (),
    )


def test_accuracy_regret_is_a_fraction_of_the_best_ones_error() -> None:
    verdict = verdict_of(
        {-3: [0.80, 0.81, 0.80], -2: [0.88, 0.89, 0.87], -1: [0.88, 0.86, 0.89]},
        rung=-2,
        mode="max",
        initial=0.1,
    )
    assert verdict.ties == (0.3,)
    assert verdict.regret_at_most is not None
    assert 0.1 < verdict.regret_at_most < 0.5
    assert verdict.regret_of == "error"


def test_metrics_that_may_be_negative_are_compared_as_they_are() -> None:
    verdict = verdict_of(
        {-3: [-1.0, -1.1, -1.0], -2: [-2.0, -2.1, -2.0], -1: [-1.2, -1.3, -1.2]}, rung=-2, initial=0.5
    )
    assert verdict.resolved


def test_iterations_count_every_replica_and_a_diverged_one_to_where_it_was_noticed() -> None:
    assert verdict_of({-2: [0.3, 0.3], -1: [0.4, None]}, rung=-2).iterations == 15_100


def test_candidates_left_behind_with_fewer_seeds_do_not_spoil_the_verdict() -> None:
    """A search begun with one seed from elsewhere, and gone on with three."""
    pairs = {-3: [0.40, 0.41, 0.42], -2: [0.30, 0.305, 0.31], -1: [0.38, 0.39, 0.40]}
    alone = verdict_of(pairs, rung=-2)
    verdict = verdict_of({-5: [1.8], -4: [0.9], **pairs}, rung=-2)
    assert (verdict.regret_at_most, verdict.ties, verdict.resolved) == (0.0, (), True)
    assert (alone.regret_at_most, alone.ties, alone.resolved) == (0.0, (), True)


NEAR_TIE: dict[int, list[float | None]] = {
    -3: [0.37, 0.34, 0.36],
    -2: [0.34, 0.36, 0.33],
    -1: [0.35, 0.35, 0.37],
    0: [0.60, 0.63, 0.61],
}


@pytest.mark.parametrize(("prefer", "chosen"), [("lowest", 0.1), ("largest", 0.3), ("smallest", 0.03)])
def test_of_those_that_may_be_the_best_the_preferred_one_is_chosen(prefer: Prefer, chosen: float) -> None:
    verdict = verdict_of(NEAR_TIE, rung=-2, prefer=prefer)
    assert verdict.chosen == chosen
    assert {verdict.chosen, *verdict.ties} == {0.03, 0.1, 0.3}, "the same contenders, whichever is chosen"


def test_a_preferred_one_that_is_not_the_best_costs_a_larger_bound() -> None:
    best, largest = (verdict_of(NEAR_TIE, rung=-2, prefer=prefer) for prefer in ("lowest", "largest"))
    assert best.regret_at_most is not None
    assert largest.regret_at_most is not None
    assert largest.regret_at_most > best.regret_at_most > 0


def test_of_a_lone_candidate_that_learned_nothing_is_claimed() -> None:
    verdict = verdict_of({-3: [2.3, 2.3, 2.3], -2: [0.3, 0.31, 0.32], -1: [None, 2.3, 2.3]}, rung=-2)
    assert (verdict.regret_at_most, verdict.ties, verdict.resolved) == (None, (), False)


def test_where_no_seed_makes_a_difference_nothing_is_claimed() -> None:
    verdict = verdict_of({-3: [0.1, 0.1, 0.1], -2: [0.0, 0.0, 0.0], -1: [0.1, 0.1, 0.1]}, rung=-2)
    assert (verdict.regret_at_most, verdict.ties, verdict.resolved) == (None, (), False)


@pytest.mark.parametrize("rivals", [(-1,), (-3, -1)])
def test_what_is_exactly_equal_ties(rivals: tuple[int, ...]) -> None:
    verdict = verdict_of({-2: [0.3, 0.31, 0.32]} | {rung: [0.3, 0.31, 0.32] for rung in rivals}, rung=-2)
    assert verdict.ties == tuple(SEARCHED.ladder.value(rung) for rung in rivals)


@pytest.mark.parametrize(
    ("ends", "rival"),
    [
        ([2.3001, 2.3002, 2.3], False),  # 2.277 is a gain of 1 %
        ([2.30, 2.31, 2.29], True),  # three seeds say little
        ([2.1, 2.9, 2.2], True),
        ([2.27, 2.29, 2.275], True),
        ([2.3, 2.3, 2.3], False),
        ([1e5, 3e6, 2e5], True),  # wild, and far behind all the same
    ],
)
def test_only_what_surely_did_not_learn_is_no_rival(ends: list[float | None], rival: bool) -> None:
    (candidate,) = candidates_of(trials_of({-1: ends})).values()
    assert did_not_learn(candidate, "min") is not rival


def test_where_a_race_ended_a_neighbour_there_is_no_bound() -> None:
    trials = trials_of({-3: [0.40, 0.41, 0.42], -2: [0.30, 0.305, 0.31]})
    spec = TrialSpec(SEARCH, -1, 0, {"lr": 0.3})
    stopped = Trial("sgd/lr/stopped", spec, (Evaluation(0, 2.3), Evaluation(500, 0.9)), Stopped("far behind"))
    race = SearchSettings(race=True)
    verdict = judge(SEARCH, SEARCHED, Bracketed(-2), [*trials, stopped], "min", race, (3,))
    assert (verdict.chosen, verdict.regret_at_most, verdict.resolved) == (0.1, None, False)


def test_a_race_that_ended_nobody_beside_its_choice_has_a_bound() -> None:
    trials = trials_of({-3: [0.40, 0.41, 0.42], -2: [0.30, 0.305, 0.31], -1: [0.5, None, None]})
    verdict = judge(SEARCH, SEARCHED, Bracketed(-2), trials, "min", SearchSettings(race=True), (3,))
    assert verdict.regret_at_most is not None
