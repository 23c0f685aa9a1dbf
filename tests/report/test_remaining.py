"""The fewest trainings that are left: never more than a run then takes, and exact when it is lucky."""

import random
from math import exp, nan

import pytest
from report_runs import Run, entry, lr, make_task, paper_task, sgd, valley

from lrsearch.ladder import LR
from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.task.model import Metric, SearchSettings
from lrsearch.trial import SearchId, TrialSpec

SGD = SearchId("sgd", "lr")
STRATEGIES = {
    "bracket": {},
    "bracket with a bound": {"metric": Metric("train_loss", lower_bound=0.0)},
    "race": {"settings": SearchSettings(race=True)},
    "screen": {"settings": SearchSettings(screen=1)},
    "resolve": {"settings": SearchSettings(resolve=True, tolerance=0.02)},
    "screen and race": {"settings": SearchSettings(race=True, screen=1)},
    "screen and resolve": {"settings": SearchSettings(resolve=True, screen=1, tolerance=0.02)},
}


def sgd_from(start: float, **changes: object):
    return make_task({"sgd": entry("sgd", hyperparameters={"lr": lr(start)})}, **changes)


def left_of(run: Run) -> int:
    return trainings_left(run.task, run.states()[SGD])


def test_at_first_one_candidate_and_a_seed_of_each_neighbour_are_left():
    assert left_of(Run(sgd_from(0.1))) == 5


def test_a_closed_end_saves_a_training():
    run = Run(paper_task())
    assert trainings_left(run.task, run.states()[SearchId("cprop_sgd", "cprop.c")]) == 4


def test_where_there_are_few_rungs_it_takes_least_if_none_learns():
    assert left_of(Run(sgd(0.1, (0.03, 0.3), seeds=10))) == 3


@pytest.mark.parametrize("start", [1e-3, 0.03, 1.0, 10.0])
def test_it_is_a_lower_bound_all_along_and_none_at_the_end(start):
    check(Run(sgd_from(start), workers=3), every=20)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(4))
def test_it_is_a_lower_bound_for_every_strategy(strategy, seed):
    rng = random.Random(seed)
    lowest, best, highest = -8, rng.randint(-6, 3), rng.randint(4, 6)
    noise, speed, far = rng.choice([0.001, 0.01, 0.05]), rng.choice([100, 5000]), rng.randint(1, 4)

    def loss(spec: TrialSpec, iteration: int) -> float:
        """A valley with noise; far above its best, and for one training in ten, NaN."""
        distance = spec.rung - best
        unlucky = random.Random(f"{seed} {spec.rung} {spec.seed}").random() < 0.1
        if iteration >= 500 and (distance > far or unlucky):
            return nan
        fallen = iteration / (iteration + speed * 2.0**-distance)
        wobble = random.Random(f"{seed} {spec.rung} {spec.seed} {iteration}").gauss(0, noise)
        return (2.3 + (0.3 * (1 + 0.03 * distance**2) - 2.3) * fallen) * (exp(wobble) if iteration else 1)

    start = LR.value(rng.randint(lowest, highest))
    task = sgd(start, (LR.value(lowest), LR.value(highest)), **STRATEGIES[strategy])
    check(Run(task, loss, workers=rng.randint(1, 4)), every=rng.randint(10, 40))


def check(run: Run, every: int) -> None:
    seen = []
    while not run.coordinator.done():
        state = run.coordinator.states[0]
        seen.append((trainings_ended(state), trainings_left(run.task, state)))
        run.go(evaluations=every)
    whole = trainings_ended(run.coordinator.states[0])
    assert all(ended + left <= whole for ended, left in seen), f"of {whole}: {seen}"
    assert min(left for _, left in seen) > 0, "a search that goes on has something left"
    assert trainings_left(run.task, run.coordinator.states[0]) == 0


def test_it_is_a_lower_bound_once_only_the_neighbours_run():
    run = Run(sgd_from(0.1), workers=3)
    run.go(evaluations=150)
    state = run.coordinator.states[0]
    left = trainings_left(run.task, state)
    before = trainings_ended(state)

    def loss(spec: TrialSpec, iteration: int) -> float:
        return nan if spec.rung == 0 and iteration else valley(spec, iteration)

    run.loss = loss
    run.go()
    # It reckons with a seed of each neighbour that diverges; the lower one closes its side with all three.
    assert left >= 2
    assert trainings_ended(run.coordinator.states[0]) >= before + left
