"""The bracket on trials: seeds, divergence, replicas that run or failed."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from lrsearch.strategies import AtLimit, Bracket, Bracketed, Done, Launch, NoneLearned, Stop, Wait
from lrsearch.trial import (
    Diverged,
    Evaluation,
    Failed,
    Finished,
    Outcome,
    SearchId,
    Stopped,
    Trial,
    TrialSpec,
)

SEARCH = SearchId("sgd", "lr")
BRACKET = Bracket(start=0, lowest=-4, highest=4, seeds=2)
INITIAL = 2.3


def trial(rung: int, seed: int, outcome: Outcome | None, initial: float = INITIAL) -> Trial:
    spec = TrialSpec(SEARCH, rung, seed, {"lr": 3.0**rung})
    return Trial(f"sgd/lr/{rung}/{seed}", spec, (Evaluation(0, initial),), outcome)


def ended(rung: int, *values: float | None, initial: float = INITIAL) -> list[Trial]:
    """Replicas that finished with these values; None for one that diverged."""
    outcomes = [Diverged(100) if value is None else Finished(value) for value in values]
    return [trial(rung, seed, outcome, initial) for seed, outcome in enumerate(outcomes)]


def test_it_begins_with_two_guesses_of_every_seed() -> None:
    assert BRACKET.decide([]) == Launch(((0, 0), (0, 1), (1, 0), (1, 1)))


def test_what_runs_is_not_launched_again() -> None:
    running = [trial(0, 0, None), trial(1, 1, None)]
    assert BRACKET.decide(running) == Launch(((0, 1), (1, 0)))


def test_it_waits_while_all_that_is_wanted_runs() -> None:
    assert BRACKET.decide([trial(rung, seed, None) for rung in (0, 1) for seed in (0, 1)]) == Wait()


def test_one_diverged_seed_makes_its_candidate_one_that_did_not_learn() -> None:
    history = ended(0, 2.0, 2.0) + ended(1, 0.1, None)
    assert BRACKET.decide(history) == Launch(((-1, 0), (-1, 1)))


@pytest.mark.parametrize("end", [2.3, 2.31, 2.28])
def test_a_finite_end_at_chance_level_did_not_learn(end: float) -> None:
    history = ended(0, end, end) + ended(1, None, None)
    assert BRACKET.decide(history) == Launch(((-1, 0),))


def test_a_gain_of_one_per_cent_counts_as_learned() -> None:
    history = ended(0, 0.99 * INITIAL, 0.99 * INITIAL - 1e-9) + ended(1, None, None)
    assert BRACKET.decide(history) == Launch(((-1, 0), (-1, 1)))
    history += ended(-1, INITIAL, INITIAL)
    assert BRACKET.decide(history) == Done(Bracketed(0))


def test_it_steps_outward_lower_side_first_while_nothing_learned() -> None:
    history = [t for rung in (0, 1, -1) for t in ended(rung, INITIAL, INITIAL)]
    assert BRACKET.decide(history) == Launch(((2, 0),))


def test_above_a_rung_that_diverged_it_steps_last() -> None:
    history = [t for rung in (0, -1, -2, -3) for t in ended(rung, None, None)]
    assert BRACKET.decide(history) == Launch(((-4, 0),))
    history += ended(-4, INITIAL, INITIAL)
    assert BRACKET.decide(history) == Launch(((1, 0),))


def test_while_nothing_learned_a_rung_gets_its_other_seeds_once_the_first_has_not_diverged() -> None:
    history = ended(0, INITIAL, INITIAL) + ended(1, INITIAL, INITIAL)
    assert BRACKET.decide([*history, trial(-1, 0, None)]) == Wait()
    assert BRACKET.decide([*history, *ended(-1, INITIAL)]) == Launch(((-1, 1),))
    assert BRACKET.decide([*history, *ended(-1, None)]) == Launch(((-2, 0),))


def test_above_a_start_that_diverged_the_other_first_guess_is_not_trained() -> None:
    assert BRACKET.decide(ended(0, None)) == Launch(((-1, 0),))
    running = trial(1, 0, None)
    assert BRACKET.decide([*ended(0, None), running]) == Stop(((running.id, "its lower neighbour diverged"),))


@pytest.mark.parametrize("upper", [0.4, 2.3, None])
def test_whether_it_had_been_trained_by_then_changes_nothing(upper: float | None) -> None:
    history = [*ended(0, None), *ended(-1, 0.5, 0.5)]
    assert (
        BRACKET.decide(history)
        == BRACKET.decide([*history, *ended(1, upper, upper)])
        == Launch(((-2, 0), (-2, 1)))
    )


def test_it_gives_up_at_the_limits() -> None:
    history = [t for rung in range(-4, 5) for t in ended(rung, None, INITIAL)]
    assert BRACKET.decide(history) == Done(NoneLearned())


def test_a_failed_replica_leaves_its_candidate_undecided() -> None:
    history = [
        *ended(0, 0.5, 0.5),
        *ended(-1, 0.6, 0.6),
        trial(1, 0, Failed("x")),
        trial(1, 1, Finished(0.1)),
    ]
    assert BRACKET.decide(history) == Wait()


def test_for_accuracy_higher_is_better() -> None:
    bracket = Bracket(start=0, lowest=-4, highest=4, seeds=1, mode="max")
    history = [
        t for rung, value in {-1: 0.7, 0: 0.8, 1: 0.6}.items() for t in ended(rung, value, initial=0.1)
    ]
    assert bracket.decide(history) == Done(Bracketed(0))


def test_equal_means_go_to_the_lower_rung() -> None:
    history = [
        t for rung, value in {-1: 0.5, 0: 0.4, 1: 0.4, 2: 0.5}.items() for t in ended(rung, value, value)
    ]
    assert BRACKET.decide(history) == Done(Bracketed(0))


def test_more_seeds_reopen_a_search_for_the_missing_ones_alone() -> None:
    history = [t for rung, value in {-1: 0.5, 0: 0.4, 1: 0.5}.items() for t in ended(rung, value, value)]
    assert BRACKET.decide(history) == Done(Bracketed(0))
    more = Bracket(start=0, lowest=-4, highest=4, seeds=3)
    assert more.decide(history) == Launch(((0, 2), (1, 2)))


def test_wider_limits_go_on_from_the_edge() -> None:
    narrow = Bracket(start=0, lowest=0, highest=1, seeds=1)
    history = ended(0, 0.4) + ended(1, 0.5)
    assert narrow.decide(history) == Done(AtLimit(0, "lowest"))
    assert Bracket(start=0, lowest=-4, highest=1, seeds=1).decide(history) == Launch(((-1, 0),))


def test_what_lies_outside_narrowed_limits_is_neither_chosen_nor_in_the_way() -> None:
    history = [
        t for rung, value in {-1: 0.5, 0: 0.4, 1: 0.3, 2: 0.4}.items() for t in ended(rung, value, value)
    ]
    assert BRACKET.decide(history) == Done(Bracketed(1))
    assert Bracket(start=-1, lowest=-4, highest=0, seeds=2).decide(history) == Done(AtLimit(0, "highest"))


def test_a_start_at_the_highest_rung_has_one_first_guess() -> None:
    assert Bracket(start=4, lowest=-4, highest=4, seeds=1).decide([]) == Launch(((4, 0),))


@pytest.mark.parametrize("seed", range(40))
def test_any_interleaving_of_replicas_gives_the_same_choice(seed: int) -> None:
    rng = random.Random(seed)
    means: Mapping[int, float | None] = {
        rung: None if rng.random() < 0.3 else rng.uniform(0.1, 2.0) for rung in range(-4, 5)
    }

    def run(order: random.Random | None) -> object:
        history: list[Trial] = []
        running: list[Trial] = []
        while not isinstance(decision := BRACKET.decide(history + running), Done):
            if isinstance(decision, Stop):
                stopped = dict(decision.replicas)
                history += [replace(t, outcome=Stopped(stopped[t.id])) for t in running if t.id in stopped]
                running = [t for t in running if t.id not in stopped]
            elif isinstance(decision, Launch) and (order is None or order.random() < 0.6 or not running):
                rung, s = decision.replicas[0]
                running.append(trial(rung, s, None))
            else:
                done = running.pop(0 if order is None else order.randrange(len(running)))
                mean = means[done.spec.rung]
                outcome = Diverged(7) if mean is None else Finished(mean + 0.01 * done.spec.seed)
                history.append(trial(done.spec.rung, done.spec.seed, outcome))
        return decision

    assert run(rng) == run(None)
