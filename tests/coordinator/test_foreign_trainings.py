"""Searches on trainings as other people have them: what kills, what overfits, what seeds itself, odd metrics."""

import math
import random

import pytest
from curves import EVALUATIONS, EVERY, Curves, Searched, crawls, dies, diverges, falling, searched, task_of

from lrsearch.errors import TrainingError
from lrsearch.report.sentences import sentence
from lrsearch.strategies import AtLimit, Bracketed, Cause, Done, NoneLearned
from lrsearch.trial import SearchId, Stopped

WORKERS = pytest.mark.parametrize("workers", [1, 2, 3, 8])


def ending(found: Searched) -> object:
    assert isinstance(found.state.decision, Done)
    return found.state.decision.ending


def said(found: Searched) -> str:
    return sentence(found.task, found.state)


def jitter(rate: float, seed: int, by: float = 0.01) -> float:
    return 1 + random.Random(f"{rate} {seed}").gauss(0, by)


# -- what kills --------------------------------------------------------------------------------------------------------


def dead_between_two_that_diverged(rate: float, seed: int) -> list[float]:
    ends = {0.001: 2.1, 0.003: 1.3, 0.01: 0.837, 0.03: 0.601, 1.0: math.log(10)}
    if rate == 1.0:
        return dies(3.59, ends[rate] * jitter(rate, seed, 1e-4))
    if rate < 0.1:
        return falling(3.59, ends.get(rate, 3.5) * jitter(rate, seed))
    return diverges(3.59)


@WORKERS
@pytest.mark.parametrize("start", [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
def test_a_dead_rung_between_two_that_diverged_is_not_chosen(start: float, workers: int) -> None:
    found = searched(task_of(start), dead_between_two_that_diverged, workers)
    assert found.chosen == 0.03
    assert ending(found) == Bracketed(-3)


def two_levels_of_death(rate: float, seed: int) -> list[float]:
    """From 0.03 on a network dies, and where it lies then goes up and down with the rate."""
    levels = {0.03: 53.0733, 0.1: 117.2, 0.3: 89.98, 1.0: 126.0}
    if rate in levels:
        return dies(181.4, levels[rate] * jitter(rate, seed, 1e-4))
    if rate > 1:
        return diverges(181.4)
    return falling(181.4, {0.003: 29.0, 0.001: 31.3, 0.01: 35.0}.get(rate, 60.0) * jitter(rate, seed))


@pytest.mark.parametrize("start", [0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
def test_dead_rungs_are_no_valley(start: float) -> None:
    assert searched(task_of(start), two_levels_of_death).chosen == 0.003


def ripples(rate: float, seed: int) -> list[float]:
    """Rungs that all die at one level, but for a ripple; below them the network learns."""
    if rate >= 0.01:
        return dies(181.4, 53.07 + 0.002 * (round(2 * math.log10(rate)) % 2) + 1e-4 * seed)
    return falling(181.4, {0.003: 29.0, 0.001: 31.3}.get(rate, 45.0) * jitter(rate, seed))


@pytest.mark.parametrize("start", [0.03, 0.1, 0.3])
def test_a_plateau_of_dead_rungs_is_no_valley(start: float) -> None:
    assert searched(task_of(start, "{limits: {lr: [1e-5, 10]}}"), ripples).chosen == 0.003


def test_the_words_name_what_closes_the_lower_side() -> None:
    def cliff(rate: float, seed: int) -> list[float]:
        ends = {0.003: 0.9, 0.01: 0.8, 0.1: 0.6}
        return falling(2.3, ends[rate] * jitter(rate, seed)) if rate in ends else diverges(2.3)

    found = searched(task_of(0.1), cliff)
    assert ending(found) == Bracketed(-2, below=-4)
    assert "sgd/lr = 0.1: bracketed by 0.01 and 0.3" in said(found)


def test_where_all_below_died_to_the_limit_it_is_said() -> None:
    def cliff(rate: float, seed: int) -> list[float]:
        return falling(2.3, 0.6 * jitter(rate, seed)) if rate == 0.1 else diverges(2.3)

    found = searched(task_of(0.1, "{limits: {lr: [0.01, 1]}}"), cliff)
    assert ending(found) == AtLimit(-2, "lowest")
    assert "every rate below it, down to the lowest limit (0.01), diverged or died" in said(found)


def test_a_rate_too_slow_closes_the_lower_side_so_that_a_short_budget_does_not_walk_to_the_limit() -> None:
    def short(rate: float, seed: int) -> list[float]:
        return diverges(1.0) if rate > 0.1 else falling(1.0, 1 - 0.2 * rate * jitter(rate, seed, 1e-3))

    found = searched(task_of(0.1), short)
    assert ending(found) == Bracketed(-2)
    assert min(found.rates) == 0.03


@pytest.mark.parametrize("name", ["momentum", "warmup"])
def test_where_larger_is_not_bolder_a_rung_that_diverged_is_worse_below(name: str) -> None:
    def needs_much(value: float, seed: int) -> list[float]:
        return (
            diverges(2.3) if value < 0.8 else falling(2.3, {0.9: 0.3}.get(value, 0.5) * jitter(value, seed))
        )

    start, ladder = (0.9, "beta") if name == "momentum" else (1.0, "lr")
    entry = f"{{lr: 0.1, {name}: {{start: {start}, ladder: {ladder}}}}}"
    task = task_of(0.1, entry=entry, seeds="2")

    def curves(value: float, seed: int) -> list[float]:
        return needs_much(value if name == "momentum" else 0.9 * value, seed)

    found = searched_by(task, curves, name)
    assert isinstance(ending(found), Bracketed)
    assert found.chosen == start


def searched_by(task: object, curves: Curves, name: str) -> Searched:
    return searched(task, curves, of=name)  # type: ignore[arg-type]


# -- what cannot be cured ----------------------------------------------------------------------------------------------


def accuracy(rate: float, seed: int) -> list[float]:
    """A score that rises from 0.1 to 0.9, and stays at 0.1 where a rate kills."""
    if rate >= 3:
        return dies(0.1, 0.1 + 0.001 * random.Random(f"{rate}{seed}").random())
    return falling(0.1, max(0.12, 0.9 - 0.08 * abs(2 * math.log10(rate / 0.1))) * jitter(rate, seed))


@WORKERS
@pytest.mark.parametrize("start", [0.001, 0.01, 0.1, 0.3])
def test_a_forgotten_mode_is_noticed(start: float, workers: int) -> None:
    found = searched(task_of(start), accuracy, workers)
    assert ending(found) == NoneLearned(Cause.WRONG_MODE)
    assert len(found.trials) <= 9
    assert said(found).endswith("did you mean metric.mode: max?")


def test_with_dead_rates_at_the_ends_of_the_ladder_too() -> None:
    found = searched(task_of(1.0, "{limits: {lr: [1e-4, 100]}}"), accuracy)
    assert ending(found) == NoneLearned(Cause.WRONG_MODE)
    assert searched(task_of(1.0, metric="{mode: max}"), accuracy).chosen == 0.1


def overfits(rate: float, seed: int) -> list[float]:
    """A validation loss that falls to 0.5 and then rises beyond its beginning, sooner at a larger rate."""
    if rate > 10:
        return diverges(0.69)
    turn = min(15.0, max(2.0, 6 - math.log10(rate)))
    curve = [
        0.69 - 0.19 * min(1, i / turn) * jitter(rate, seed) + 0.05 * max(0, i - turn)
        for i in range(EVALUATIONS + 1)
    ]
    return [*curve[:-1], max(curve[-1], 0.75)]


@WORKERS
@pytest.mark.parametrize("start", [0.001, 0.01, 0.1])
def test_a_loss_that_overfits_at_every_rate_is_noticed(start: float, workers: int) -> None:
    found = searched(task_of(start), overfits, workers)
    assert ending(found) == NoneLearned(Cause.TURNS_BACK)
    assert len(found.trials) <= 9
    assert "metric: {take: best}" in said(found)


def test_by_its_best_evaluation_it_is_searched() -> None:
    def best_at(rate: float, seed: int) -> list[float]:
        depth = 0.3 + 0.05 * abs(2 * math.log10(rate / 0.01))
        values = overfits(min(rate, 1.0), seed)
        return [0.69 - (0.69 - value) * (0.69 - depth) / 0.19 if value < 0.69 else value for value in values]

    assert searched(task_of(0.1, metric="{take: best}"), best_at).chosen == 0.01


@WORKERS
@pytest.mark.parametrize("start", [0.001, 0.1, 10.0])
def test_a_metric_that_is_nan_at_its_last_evaluation_is_noticed(start: float, workers: int) -> None:
    def last_is_nan(rate: float, seed: int) -> list[float]:
        return [*falling(2.3, 1.0 * jitter(rate, seed))[:-1], math.nan]

    found = searched(task_of(start), last_is_nan, workers)
    assert ending(found) == NoneLearned(Cause.NOT_FINITE)
    assert len(found.trials) <= 9
    assert f"is NaN or infinite at iteration {EVERY * EVALUATIONS}" in said(found)
    assert "not the learning rate" in said(found)


@WORKERS
def test_a_budget_too_short_for_every_rate_ends_where_too_slow_meets_too_bold(workers: int) -> None:
    def short(rate: float, seed: int) -> list[float]:
        return diverges(1.0) if rate > 0.1 else crawls(1.0, 1 - 0.05 * rate * jitter(rate, seed, 1e-3))

    found = searched(task_of(0.01), short, workers)
    assert ending(found) == NoneLearned(Cause.TOO_SHORT)
    assert min(found.rates) >= 1e-3
    assert "train longer (budget.iterations)" in said(found)


# Three decades are six rungs.
@WORKERS
@pytest.mark.parametrize("way", ["diverges", "dies", "rises", "explodes", "overshoots"])
def test_a_start_three_decades_too_high_still_finds_the_best(way: str, workers: int) -> None:
    def curves(rate: float, seed: int) -> list[float]:
        if rate <= 0.3:
            return falling(2.3, (0.2 + 0.1 * abs(2 * math.log10(rate / 0.1))) * jitter(rate, seed))
        drawn = random.Random(f"{rate} {seed}")
        rungs = round(2 * math.log10(rate))
        match way:
            case "diverges":
                return diverges(2.3, 1 + seed)
            case "dies":
                return [2.3, *(2.303 + 0.002 * drawn.random() for _ in range(EVALUATIONS))]
            case "rises":
                return [2.3, *(2.3 * rate * (1 + 0.3 * drawn.random()) for _ in range(EVALUATIONS))]
            case "explodes":  # smoothly, ever faster
                return [2.3 * math.exp(0.1 * (1 + rungs) * i) for i in range(EVALUATIONS + 1)]
            case _:  # better at first, then jumps above its beginning and stays there
                return [
                    2.3,
                    1.9,
                    1.8,
                    *(3.0 + 0.2 * rungs + 0.1 * drawn.random() for _ in range(EVALUATIONS - 2)),
                ]

    assert searched(task_of(100.0), curves, workers).chosen == 0.1


@WORKERS
@pytest.mark.parametrize("noise", [0.0, 0.002, 0.02])
def test_a_start_three_decades_too_low_still_finds_the_best(noise: float, workers: int) -> None:
    def curves(rate: float, seed: int) -> list[float]:
        if rate > 0.3:
            return diverges(2.3)
        drawn = random.Random(f"{rate} {seed}")
        gain = 2.1 * min(1.0, rate / 0.1) if rate <= 0.1 else 1.9
        return [value + noise * drawn.gauss(0, 1) for value in falling(2.3, 2.3 - gain * jitter(rate, seed))]

    assert searched(task_of(1e-4), curves, workers).chosen == 0.1


# -- learning, judged with its error -----------------------------------------------------------------------------------


def rewards(rate: float, seed: int) -> list[float]:
    """Exponential rewards, means about 119 at 1e-3, 173 at 3e-3, that began at 20."""
    table = {
        3e-4: (30.0, 70.0, 44.0),
        1e-3: (38.0, 85.0, 240.0),
        3e-3: (6.5, 14.6, 14.3),  # 11.8 ± 4.6
    }
    return falling(20.0, table.get(rate, (30.0, 12.0, 25.0))[seed])


def test_a_rung_whose_few_seeds_ended_badly_is_still_a_rival() -> None:
    found = searched(task_of(1e-3, metric="{mode: max}"), rewards)
    verdict = found.state.verdict
    assert verdict is not None
    assert verdict.chosen == 1e-3
    assert 3e-3 in verdict.ties
    assert verdict.regret_at_most is not None
    assert verdict.regret_at_most > 0.31
    assert not verdict.resolved


def test_one_that_surely_did_not_learn_is_none() -> None:
    def dead(rate: float, seed: int) -> list[float]:
        return dies(2.3, 2.3025 + 1e-4 * seed) if rate > 0.1 else falling(2.3, 0.3 * jitter(rate, seed))

    found = searched(task_of(0.1), dead)
    assert found.state.verdict is not None
    assert 0.3 not in found.state.verdict.ties


def test_a_contender_that_did_not_seem_to_learn_gets_seeds_and_may_win() -> None:
    def later(rate: float, seed: int) -> list[float]:
        if rate == 3e-3 and seed >= 3:
            return falling(20.0, 400.0 + 10 * seed)
        return [value * jitter(rate, seed) for value in rewards(rate, seed % 3)]

    found = searched(task_of(1e-3, "{resolve: true}", "{mode: max}"), later)
    assert found.chosen == 3e-3


def test_without_a_rival_nothing_is_claimed() -> None:
    def lonely(rate: float, seed: int) -> list[float]:
        return (
            falling(2.3, 0.3 * jitter(rate, seed))
            if rate == 0.1
            else dies(2.3, 2.3)
            if rate < 0.1
            else diverges(2.3)
        )

    found = searched(task_of(0.1), lonely)
    verdict = found.state.verdict
    assert verdict is not None
    assert (verdict.chosen, verdict.regret_at_most, verdict.resolved) == (0.1, None, False)
    assert "nothing else learned, so there is nothing to compare it with" in said(found)


# -- what is assumed ---------------------------------------------------------------------------------------------------


def likelihood(rate: float, seed: int) -> list[float]:
    ends = {1e-3: -1.308, 3e-3: -2.131, 0.01: -2.5, 0.03: -1.0}
    return falling(1.5, ends.get(rate, 0.5) + 0.01 * seed)


@WORKERS
def test_a_value_below_the_lower_bound_ends_the_run_in_one_line(workers: int) -> None:
    said = (
        r"^sgd/lr at 0\.00[13], seed 0: train_loss is -0\.\d+ at iteration \d+, below metric\.lower_bound, 0; "
        r"give a bound that holds or leave it out, and run it again; what had ended is kept$"
    )
    with pytest.raises(TrainingError, match=said):
        searched(task_of(1e-3, metric="{lower_bound: 0}"), likelihood, workers)
    assert searched(task_of(1e-3), likelihood, workers).chosen == 0.01


@WORKERS
@pytest.mark.parametrize(("end", "shown"), [(120.0, r"1\d\d(\.\d+)?"), (-30.0, r"-\d+(\.\d+)?")])
def test_what_is_no_accuracy_ends_the_run_in_one_line(end: float, shown: str, workers: int) -> None:
    said = (
        rf"^sgd/lr at 0\.[13], seed 0: train_loss is {shown}, no share of right answers \(0 to 1, or 0 to 100 in per "
        r"cent\); mend it or leave out metric\.kind: accuracy, and run it again; what had ended is kept$"
    )
    task = task_of(0.1, metric="{mode: max, kind: accuracy}")
    with pytest.raises(TrainingError, match=said):
        searched(task, lambda rate, seed: falling(10.0, end), workers)


# -- seeds that are none -----------------------------------------------------------------------------------------------


@WORKERS
def test_seeds_that_train_alike_are_one(workers: int) -> None:
    def seeds_itself(rate: float, seed: int) -> list[float]:
        return falling(2.3, 0.6548 + 0.1 * abs(2 * math.log10(rate / 0.1)))

    found = searched(task_of(0.1), seeds_itself, workers)
    verdict = found.state.verdict
    assert verdict is not None
    assert (verdict.chosen, verdict.regret_at_most, verdict.resolved) == (0.1, None, False)
    assert len(found.notes) == 1
    assert found.notes[0].startswith("sgd/lr: seeds 0 and 1 trained exactly alike")
    assert "trained exactly alike" in said(found)
    assert "over 1 seed" in said(found)
    after = [trial for trial in found.trials if trial.spec.rung not in (-2, -1)]
    assert all(trial.spec.seed == 0 or isinstance(trial.outcome, Stopped) for trial in after)
    if workers == 1:
        assert len(found.trials) == 4, "two seeds of the start, then one of each"


def test_they_are_not_resolved_by_more_of_them() -> None:
    def seeds_itself(rate: float, seed: int) -> list[float]:
        return falling(2.3, 0.6548 + 0.001 * abs(2 * math.log10(rate / 0.1)))

    found = searched(task_of(0.1, "{resolve: true}"), seeds_itself)
    assert len(found.trials) == 4


@pytest.mark.parametrize("seeds", ["{screen: 1, confirm: 3}", "3"])
def test_equal_ends_alone_prove_nothing(seeds: str) -> None:
    def ends_at_zero(rate: float, seed: int) -> list[float]:
        end = max(0.0, 0.1 * abs(2 * math.log10(rate / 0.1)) - 0.1)
        curve = falling(2.3 * jitter(rate, seed), end + 1e-9)
        return [*curve[:-1], end]

    found = searched(task_of(0.1, seeds=seeds), ends_at_zero)
    assert found.state.seeds_alike is None
    assert not found.notes


def test_accuracy_at_chance_proves_nothing() -> None:
    def chance(rate: float, seed: int) -> list[float]:
        return dies(0.05, 0.1) if rate > 0.1 else falling(0.05, 0.9 * jitter(rate, seed))

    assert searched(task_of(0.3, metric="{mode: max}"), chance).state.seeds_alike is None


# -- edges -------------------------------------------------------------------------------------------------------------


def test_a_choice_of_exactly_0_is_better_than_what_is_not() -> None:
    def perfect(rate: float, seed: int) -> list[float]:
        end = {0.03: 0.1, 0.1: 0.0, 0.3: 0.1}.get(rate, 0.5)
        return [*falling(2.3 * jitter(rate, seed), end + 1e-6)[:-1], end]

    found = searched(task_of(0.1, "{resolve: true}"), perfect)
    verdict = found.state.verdict
    assert verdict is not None
    assert (verdict.chosen, verdict.ties) == (0.1, ())
    assert len(found.trials) == 9


def test_one_rival_that_is_exactly_equal_ties() -> None:
    def equal(rate: float, seed: int) -> list[float]:
        if rate not in (0.1, 0.3):
            return diverges(2.3) if rate > 0.3 else dies(2.3, 2.3)
        return [*falling(2.3, 0.3 + 0.01 * seed + (0.001 if rate == 0.3 else 0))[:-1], 0.3 + 0.01 * seed]

    verdict = searched(task_of(0.1), equal).state.verdict
    assert verdict is not None
    assert (verdict.chosen, verdict.ties) == (0.1, (0.3,))


@pytest.mark.parametrize("mode", ["min", "max"])
def test_metrics_of_any_size_have_an_answer(mode: str) -> None:
    def huge(rate: float, seed: int) -> list[float]:
        sign = 1 if mode == "min" else -1
        if rate > 0.1:
            return [sign * 1e300, *([sign * 1.7e308 * (1 - 0.01 * seed)] * EVALUATIONS)]
        return falling(sign * 1e300, sign * 0.3 * (1 + abs(math.log10(rate / 0.1))) * jitter(rate, seed))

    found = searched(task_of(0.1, metric=f"{{mode: {mode}}}"), huge)
    assert found.chosen == 0.1
    assert said(found)


@pytest.mark.parametrize("rate", [0.03, 0.1])
def test_dead_rungs_that_are_all_the_same_do_not_end_the_search(rate: float) -> None:
    """Ends alone, as other tools have them: accuracy at chance level over five rungs, and a valley below."""
    from lrsearch.standalone import StandaloneSearch
    from lrsearch.strategies import Launch
    from lrsearch.trial import Finished, Trial

    search = StandaloneSearch(10.0, "max", seeds=2)
    trials: list[Trial] = []
    while isinstance(decision := search.decide(trials), Launch):
        rung, seed = decision.replicas[0]
        value = search.value(rung)
        good = {rate / 3: 0.8, rate: 0.9}.get(value, 0.7)
        end = 0.5 if value > rate else good + 0.01 * seed
        trials.append(search.trial(f"{len(trials)}", rung, seed, Finished(end), iterations=1))
    verdict = search.verdict(trials)
    assert verdict is not None
    assert verdict.search == SearchId("study", "lr")
    assert verdict.chosen == rate
