"""One sentence a search, whole: what was chosen and how sure that is, or what is in the way."""

import re
from dataclasses import replace

import pytest
from report_runs import (
    Run,
    accuracy_over_beta,
    at_limit,
    blocked,
    failing,
    none_learned,
    one_seed,
    paper_task,
    sgd,
)

from lrsearch.report.numbers import bound_text
from lrsearch.report.recipe import recipe_text
from lrsearch.report.sentences import sentence
from lrsearch.report.series import best_that_may_be
from lrsearch.task.model import Metric, ParameterGroup, Recipe, Schedule, SearchSettings
from lrsearch.trial import SearchId, TrialSpec

SGD = SearchId("sgd", "lr")
CPROP_C = SearchId("cprop_sgd", "cprop.c")


def said(run: Run, search: SearchId = SGD) -> str:
    states = run.states()
    return sentence(run.task, states[search], states)


def test_a_choice_with_ties_that_is_not_resolved(finished):
    bound = bound_text(finished.states()[SGD].verdict.regret_at_most)
    assert said(finished) == (
        "sgd/lr = 0.03: bracketed by 0.01 and 0.1, mean train_loss 0.3888 ± 0.0123 over 3 seeds; "
        "0.01 (8.3 ± 3.1 % worse), 0.1 (0.4 ± 2.9 % worse) and 0.3 (4.4 ± 3.0 % worse) may still be as good, and "
        f"with 95 % confidence it loses at most {bound} to the best "
        "of those trained, more than the tolerance of 5 %, so more seeds would tell: write search: {resolve: true}, "
        "or a larger number of seeds."
    )


def test_a_loss_that_is_above_the_tolerance_reads_so(finished):
    state = finished.states()[SGD]
    barely = replace(state, verdict=replace(state.verdict, regret_at_most=0.0501))
    assert "loses at most 5.1 % to the best of those trained, more than the tolerance of 5 %" in sentence(
        finished.task, barely
    )


def test_a_choice_that_is_the_best(finished):
    assert said(finished, SearchId("adam", "lr")) == (
        "adam/lr = 1e-3: bracketed by 3e-4 and 3e-3, mean train_loss 0.3078 ± 0.0066 over 3 seeds; "
        "with 95 % confidence it is the best of those trained."
    )


def test_a_choice_at_a_closed_end():
    run = Run(paper_task(), loss=lambda spec, i: 2.3 - i / 5000 * (2 - 0.1 * abs(spec.rung)))
    assert said(run.go(), CPROP_C).startswith(
        "cprop_sgd/cprop.c = 1: the lowest there is, and 3 is worse, mean train_loss"
    )


def test_a_metric_that_is_to_be_high():
    assert said(accuracy_over_beta(), SearchId("cprop_sgd", "cprop.beta")) == (
        "cprop_sgd/cprop.beta = 0.999: bracketed by 0.997 and 0.9997, mean accuracy 0.8309 ± 0.0033 over 3 seeds; "
        "with 95 % confidence it is the best of those trained."
    )


def over_the_ladder(
    metric: Metric, began: float, best: float, step: float, spread: float, **settings: object
) -> Run:
    """Trainings from ``began`` to ``best`` at 0.1, a step a rung worse to either side; seeds spread by ``spread``."""
    sign = 1 if metric.mode == "min" else -1

    def value(spec: TrialSpec, iteration: int) -> float:
        distance = spec.rung + 2
        noise = ((spec.seed * 5 + spec.rung * 3) % 4 - 1.5) * spread
        end = best + sign * step * (abs(distance) + 0.5 * (distance > 0)) + noise
        return began + (end - began) * min(1.0, iteration / 2500)

    task = sgd(0.1, (1e-8, 1e3), metric=metric, settings=SearchSettings(**settings))
    return Run(task, value).go()


LIKELIHOOD = Metric("likelihood", "max")
ACCURACY = Metric("accuracy", "max")
IN_WORDS = {
    "what was learned": (
        (LIKELIHOOD, -350.0, 1050.0, 20.0, 15.0),
        r"it loses at most \d\.\d % of what was learned \(\d+ of likelihood\) to the best of those trained",
    ),
    "the error": (
        (ACCURACY, 0.1, 0.96, 0.01, 0.005),
        r"it loses at most \d\d % of its error \(\d\.\d+ points of accuracy\) to the best of those trained, more than",
    ),
    "per cent": (
        (ACCURACY, 10.0, 96.0, 1.0, 0.5),
        r"it loses at most \d\d % of its error \(\d\.\d+ points of accuracy\) to the best of those trained, more than",
    ),
    "more than was learned": (
        (LIKELIHOOD, -10.0, 5.0, 6.0, 10.0),
        "and it may lose all that was learned to the best of those trained, more than the tolerance of 5 % of what was",
    ),
    "more than its value": (
        (Metric("loss"), 200.0, 10.0, 1.0, 4.0),
        r"with 95 % confidence it loses at most \d\.\d of loss to the best of those trained, more than the tol",
    ),
}


@pytest.mark.parametrize(("made", "words"), IN_WORDS.values(), ids=IN_WORDS)
def test_a_bound_says_of_what(made, words):
    kind = {"kind": "accuracy"} if made[1] == 10.0 else {}
    text = said(over_the_ladder(*made, **kind))
    assert re.search(words, text), text
    assert not re.search(r"\d{3,} %", text), text


def test_a_rival_that_lost_more_than_was_learned_has_no_percentage():
    run = over_the_ladder(LIKELIHOOD, -10.0, 5.0, 6.0, 7.0, prefer="largest")
    assert "0.01 (worse by more than was learned)" in said(run)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            (Metric("loss"), 1.0, 0.985, 0.001, 0.0002),
            " It ended 1.5 % below where it began, so the budget may be too short to tell.",
        ),
        (
            (ACCURACY, 0.5, 0.51, 0.001, 0.0002),
            " It learned 2.0 % of what there was, so the budget may be too short to tell.",
        ),
    ],
    ids=["loss", "accuracy"],
)
def test_a_budget_in_which_little_was_learned_is_said_to_be_short(made, words):
    assert said(over_the_ladder(*made)).endswith(words)


@pytest.mark.parametrize(
    "made",
    [(Metric("loss"), 1.0, 0.9, 0.01, 0.0002), (LIKELIHOOD, -350.0, -340.0, 0.5, 0.1)],
    ids=["ten", "unknown"],
)
def test_a_budget_in_which_enough_was_learned_or_nobody_knows_is_not(made):
    assert "too short" not in said(over_the_ladder(*made))


def test_one_seed_cannot_say_how_much_is_lost():
    assert said(one_seed()) == (
        "sgd/lr = 0.03: bracketed by 0.01 and 0.1, mean train_loss 0.3779 over 1 seed; 0.01 (11.6 % worse), "
        "0.1 (3.5 % worse) and 0.3 (7.6 % worse) may still be as good, and how much it may lose to the best "
        "cannot be said from 1 seed; write seeds: 3, or more."
    )


def test_a_limit_says_what_to_change():
    assert said(at_limit()) == (
        "sgd/lr = 0.3: the best lies at the lowest limit (0.3), so what is beyond it is unknown, mean train_loss "
        "0.4060 ± 0.0095 over 3 seeds; give a lower limit in search.limits.lr and run again."
    )


def test_nothing_learned_says_what_to_try():
    assert said(none_learned()) == (
        "sgd/lr: nothing chosen, since none of the 5 candidates from 0.01 to 1 ended 1 % better than it began; "
        "check the workload's data and loss, train longer (budget.iterations), or widen search.limits.lr."
    )


def test_a_metric_that_went_the_other_way_at_every_candidate_says_so():
    run = Run(
        sgd(0.1, (0.03, 0.3)),
        loss=lambda spec, i: 0.1 + (0.7 + 0.01 * spec.rung + 0.001 * spec.seed) * i / 5000,
    )
    assert said(run.go()) == (
        "sgd/lr: nothing chosen, since none of the 3 candidates from 0.03 to 0.3 ended 1 % better than it began; "
        "but all that finished changed the other way: did you mean metric.mode: max?"
    )


def test_a_failed_training_shows_the_last_line_of_its_error():
    assert said(failing()) == (
        "sgd/lr: the training at 0.1 with seed 1 failed: RuntimeError: out of memory; mend the cause and run again, "
        "what has ended is kept."
    )


def test_before_anything_has_ended():
    assert (
        said(Run(paper_task()))
        == "sgd/lr: no candidate has ended and learned yet, at least 5 trainings to go."
    )


def test_halfway_it_says_what_is_best_so_far():
    assert said(Run(paper_task()).go(evaluations=150)) == (
        "sgd/lr: 1 is best after 4 trainings (mean train_loss 0.4504), at least 1 training to go."
    )


def test_what_a_search_waits_for():
    assert said(Run(paper_task()), CPROP_C) == "cprop_sgd/cprop.c: waits for sgd/lr."


def test_what_a_search_waits_for_in_vain():
    assert said(blocked(), CPROP_C) == (
        "cprop_sgd/cprop.c: not searched, since it needs a value from sgd/lr, which found nothing."
    )


def searched(**settings: object) -> Run:
    return Run(sgd(1.0, (1e-8, 1e3), settings=SearchSettings(**settings))).go()


def test_a_preference_says_what_has_the_best_mean():
    assert said(searched(prefer="largest")).startswith(
        "sgd/lr = 0.3: the largest of those that may be the best (search.prefer: largest), though 0.03 has the best "
        "mean, mean train_loss 0.4060 ± 0.0095 over 3 seeds; "
    )
    assert "0.03 (4.2 ± 2.8 % better)" in said(searched(prefer="largest"))


@pytest.mark.parametrize(("step", "words"), [(0.002, " 0.03 to 0.3 train alike, within 2 %."), (0.02, None)])
def test_a_plateau_is_called_one(step, words):
    run = over_the_ladder(Metric("loss"), 2.3, 0.5, step, 0.0001)
    assert said(run).endswith(words) if words else "alike" not in said(run)


def test_what_a_heuristic_ended_is_not_covered_by_the_bound():
    assert said(searched(screen=1)).endswith("this does not cover 1, which a heuristic ended early.")


def test_what_was_ended_by_proof_needs_no_such_words():
    assert "cover" not in said(searched())


def test_a_search_that_adds_seeds_says_how_many_resolved_it():
    run = searched(resolve=True)
    state = run.states()[SGD]
    assert state.verdict.resolved
    assert f", resolved with {state.verdict.chosen_row.seeds} seeds" in said(run)


def test_a_search_that_adds_seeds_says_why_it_gave_up():
    def loss(spec: TrialSpec, iteration: int) -> float:
        """Seeds that swap the order of the best two: nothing would tell them apart."""
        swap = 0.05 * (-1) ** (spec.seed + spec.rung) * (spec.rung in (-2, -3))
        return 2.3 - (iteration / 5000) * (1.9 - 0.1 * abs(spec.rung + 2.5) + swap + 1e-6 * spec.seed)

    run = Run(sgd(0.1, (1e-8, 1e3), settings=SearchSettings(resolve=True, tolerance=1e-4)), loss).go()
    gave_up = r"; it ended with [358] seeds, as 10 would hardly resolve it: give a larger search.max_seeds or tolerance"
    assert re.search(gave_up, said(run)), said(run)


def test_a_rate_that_changes_is_named_by_its_peak():
    recipe = Recipe(schedule=Schedule("CosineAnnealingLR", {"eta_min": {"times": 0.1}}), warmup=0.1)
    run = Run(sgd(0.1, (1e-8, 1e3), recipe=recipe)).go()
    assert re.match(r"sgd/lr = [0-9.]+ at its peak: bracketed by", said(run))


def test_a_recipe_is_named_whole():
    recipe = Recipe(
        gradient_clip=1.0,
        precision="bf16",
        schedule=Schedule("CosineAnnealingLR", {"eta_min": {"times": 0.1}}),
        warmup=0.1,
        accumulate=2,
        compile=True,
        groups=(ParameterGroup("*.bias", 0.5, {"weight_decay": 0.0}),),
    )
    assert recipe_text(sgd(0.1, (1e-8, 1e3), recipe=recipe)) == (
        "Recipe: lr is the peak of a warm-up of 500 iterations and CosineAnnealingLR (eta_min 0.1 of the peak); "
        "2 batches an iteration; gradients clipped to norm 1; bf16; compiled; *.bias at lr_times 0.5, weight_decay 0."
    )


def test_the_usual_recipe_is_not_named():
    assert recipe_text(sgd(0.1, (1e-8, 1e3))) == ""


@pytest.mark.parametrize(
    "made",
    [
        (Metric("loss"), 200.0, 10.0, 1.0, 2.0),
        (LIKELIHOOD, -350.0, 1050.0, 20.0, 15.0),
        (ACCURACY, 0.1, 0.96, 0.01, 0.005),
    ],
    ids=["value", "learned", "error"],
)
def test_the_line_of_the_best_that_may_be_lies_as_far_off_as_is_said(made):
    """At most so much better than the choice: a loss stays above 0, and an accuracy below 1."""
    run = over_the_ladder(*made)
    state = run.states()[SGD]
    row, amount = state.verdict.chosen_row, state.verdict.loses_at_most
    assert amount > 0
    line = best_that_may_be(run.task, state)
    assert abs(line - row.mean) == pytest.approx(amount)
    assert line < row.mean if made[0].mode == "min" else line > row.mean
    if made[0] is ACCURACY:
        assert (1 - row.mean) / (1 - line) == pytest.approx(1 + state.verdict.regret_at_most)
    if made[0].name == "loss":
        assert row.mean / line == pytest.approx(1 + state.verdict.regret_at_most)
