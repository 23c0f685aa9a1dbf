"""One candidate with all its seeds, in whatever order and however they end."""

from hypothesis import given
from hypothesis import strategies as st

from lrsearch.strategies import Done, Fixed, Launch, Standing, State, Trained, Wait
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

ENDS = st.one_of(st.floats(0, 1).map(Finished), st.integers(0, 9).map(Diverged))


def trial(seed: int, outcome: Outcome | None) -> Trial:
    spec = TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": 0.1})
    return Trial(f"{seed}", spec, (Evaluation(0, 1.0),), outcome)


@given(st.lists(ENDS, min_size=1, max_size=6), st.integers(1, 6))
def test_every_seed_is_trained_whatever_became_of_others(outcomes: list[Outcome], seeds: int) -> None:
    trials = [trial(seed, outcome) for seed, outcome in enumerate(outcomes)]
    left = tuple((0, seed) for seed in range(len(outcomes), seeds))
    assert Fixed(seeds).decide(trials) == (Launch(left) if left else Done(Trained()))


def test_it_waits_for_what_runs() -> None:
    assert Fixed(2).decide([trial(0, Finished(0.1)), trial(1, None)]) == Wait()


def test_a_failed_seed_leaves_it_undecided() -> None:
    assert Fixed(1).decide([trial(0, Failed("out of luck"))]) == Wait()


def test_a_seed_that_was_stopped_is_trained_again() -> None:
    assert Fixed(1).decide([trial(0, Stopped("elsewhere"))]) == Launch(((0, 0),))


def test_its_mean_is_known_once_all_have_ended() -> None:
    half = [trial(0, Finished(1.0))]
    assert Fixed(2).decided(half) == {}
    assert Fixed(2).decided([*half, trial(1, Finished(2.0))]) == {0: Standing(State.LEARNED, 1.5)}
    assert Fixed(2).decided([*half, trial(1, Diverged(5))]) == {0: Standing(State.DIVERGED)}
    assert Fixed(2).skips(half) == ()
