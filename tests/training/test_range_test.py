"""The range test: what it trains, when it stops, and what is read off real curves."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from lrsearch.errors import LRSearchError
from lrsearch.ladder import LR
from lrsearch.strategies.range_test import suggest
from lrsearch.task import RangeTest, Searched, Task
from lrsearch.training.optimizers import make_optimizer
from lrsearch.training.range_test import ITERATIONS, range_test, rates_of
from lrsearch.training.workloads import make_workload
from lrsearch.trial import SearchId

SGD = SearchId("sgd", "lr")
AUTO = ("{start: 0.1}", "{start: auto}")

MakeTask = Callable[..., Task]


def losses_by_hand(task: Task, seed: int, rates: tuple[float, ...]) -> list[float]:
    """The plain loop, as anybody would write it."""
    workload = make_workload(task, "sgd", seed)
    optimizer = make_optimizer(task.entries["sgd"], workload.model.parameters(), {"lr": rates[0]})
    workload.model.train()
    losses = []
    for iteration, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss = workload.training_loss(workload.batches.batch(seed, iteration))
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return losses


def test_it_trains_as_the_plain_loop_with_a_rising_rate_does(make_task: MakeTask) -> None:
    task = make_task(AUTO)
    test = range_test(task, SGD)
    for seed, row in enumerate(test.losses):
        assert list(row) == losses_by_hand(task, seed, test.rates)[: len(row)]


def test_it_suggests_what_the_rule_reads_off_its_losses(make_task: MakeTask) -> None:
    test = range_test(make_task(AUTO), SGD)
    assert test.suggested == suggest(test.rates, test.losses)
    assert test.suggested is not None
    assert LR.value(LR.rung(test.suggested)) == test.suggested


@pytest.mark.parametrize(("seeds", "tested"), [(1, 1), (3, 3), (5, 3)])
def test_it_takes_the_first_three_seeds_or_all(make_task: MakeTask, seeds: int, tested: int) -> None:
    task = replace(make_task(AUTO), seeds=seeds)
    assert len(range_test(task, SGD).losses) == tested


def test_it_stops_where_a_loss_is_not_finite(make_task: MakeTask) -> None:
    """The loss is below 0 before, where four times the lowest is no sign of anything."""
    workload = """
import torch
from torch import nn
from lrsearch import Workload

class Batches:
    def batch(self, seed, iteration):
        return iteration

def loss(model, iteration):
    return model.weight.sum() * 0 + (float("nan") if iteration == 7 else -1.0)

def make(kind):
    return Workload(nn.Linear(1, 1), Batches(), loss, {"train_loss": lambda model, examples: 0.0})
"""
    test = range_test(make_task(AUTO, workload=workload), SGD)
    assert [len(row) for row in test.losses] == [7, 7, 7]
    assert (test.iterations, test.suggested) == (21, None)


def test_it_stops_where_the_smoothed_loss_is_four_times_its_lowest(make_task: MakeTask) -> None:
    test = range_test(make_task(AUTO), SGD)
    for row in test.losses:
        weights = [0.98 ** (len(row) - 1 - i) for i in range(len(row))]
        smoothed = [
            sum(w * loss for w, loss in zip(weights[-n:], row, strict=False)) / sum(weights[-n:])
            for n in range(1, len(row) + 1)
        ]
        above = [n for n in range(len(row)) if smoothed[n] > 4 * min(smoothed[: n + 1])]
        assert above == [len(row) - 1]


def test_the_gradient_is_clipped_as_in_the_task(make_task: MakeTask) -> None:
    task = make_task(AUTO)
    clipped = range_test(make_task(AUTO, ("arguments:", "recipe: {gradient_clip: 1e-6}\narguments:")), SGD)
    assert clipped.losses != range_test(task, SGD).losses
    assert all(len(row) == ITERATIONS for row in clipped.losses)


@pytest.mark.parametrize("recipe", ["accumulate: 2", 'groups: [{match: "0.*", lr_times: 0.01}]'])
def test_it_accumulates_and_groups_as_in_the_task(make_task: MakeTask, recipe: str) -> None:
    plain = range_test(make_task(AUTO), SGD)
    assert (
        range_test(make_task(AUTO, ("arguments:", f"recipe: {{{recipe}}}\narguments:")), SGD).losses
        != plain.losses
    )


def test_it_takes_no_heed_of_the_schedule(make_task: MakeTask) -> None:
    recipe = "recipe: {warmup: 5, schedule: CosineAnnealingLR}"
    scheduled = range_test(make_task(AUTO, ("arguments:", f"{recipe}\narguments:")), SGD)
    assert scheduled == range_test(make_task(AUTO), SGD)


def test_it_leaves_the_global_generators_to_those_who_seed_them(make_task: MakeTask) -> None:
    task = make_task(AUTO)
    first, second = range_test(task, SGD), range_test(task, SGD)
    assert first == second


def test_check_is_called_and_may_end_it(make_task: MakeTask) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        range_test(make_task(AUTO), SGD, check)


def test_a_workload_that_raises_is_one_line_with_its_place(make_task: MakeTask) -> None:
    workload = """
from torch import nn
from lrsearch import Workload

class Batches:
    def batch(self, seed, iteration):
        if iteration == 3:
            raise RuntimeError("no more data")
        return iteration

def make(kind):
    loss = lambda model, batch: model.weight.square().sum()
    return Workload(nn.Linear(1, 1), Batches(), loss, {"train_loss": lambda model, examples: 0.0})
"""
    with pytest.raises(LRSearchError) as raised:
        range_test(make_task(AUTO, workload=workload), SGD)
    assert (
        "workload.py:8 workload.py:make raised RuntimeError: no more data in the range test of sgd/lr; mend"
        in str(raised.value)
    )
    assert "\n" not in str(raised.value)


def test_a_rate_that_the_optimizer_does_not_keep_is_refused(make_task: MakeTask) -> None:
    optimizer = """

class Stubborn(torch.optim.SGD):
    def __init__(self, params, own_lr=0.1):
        super().__init__(params, lr=own_lr)
"""
    workload = (make_task().folder / "workload.py").read_text() + optimizer
    task = make_task(
        ("sgd: {lr: {start: 0.1}}", 'sgd: {base: "workload:Stubborn", own_lr: {start: auto}}'),
        workload=workload,
    )
    with pytest.raises(LRSearchError) as raised:
        range_test(task, SearchId("sgd", "own_lr"))
    assert str(raised.value) == (
        "task.yaml:7:45 sgd/own_lr is to start at what a range test proposes, but the optimizer keeps no own_lr "
        "that can be raised; give a number"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_without_a_gpu_a_task_that_takes_one_is_refused(make_task: MakeTask) -> None:
    with pytest.raises(
        LRSearchError, match=r"task.yaml:8:14 sgd/lr .* torch sees no GPU here; give a number"
    ):
        range_test(make_task(AUTO, ("optimizers:", "resources: {gpus: 1}\noptimizers:")), SGD)


@pytest.mark.parametrize(
    ("limits", "top"),
    [((1e-8, 1e3), 10.0), ((1e-3, 0.1), 0.1), ((30.0, 1e3), 1e3), ((1e-9, 1e-8), 1e-8)],
)
def test_rates_rise_by_equal_ratios_over_four_decades_or_more_to_the_upper_limit(
    limits: tuple[float, float], top: float
) -> None:
    rates = rates_of(Searched(None, "lr", limits))
    ratios = [after / before for before, after in pairwise(rates)]
    assert len(rates) == ITERATIONS
    assert rates[-1] == pytest.approx(top)
    assert rates[0] <= min(1e-7, top / 1e4) * (1 + 1e-9)
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_a_start_is_the_rung_within_the_limits_that_is_nearest_to_the_suggestion() -> None:
    searched = Searched(None, "lr", (0.01, 1.0))
    starts = {
        suggested: searched.started([RangeTest((), (), suggested)]).start
        for suggested in (1e-5, 0.04, 0.3, 30.0, None)
    }
    assert starts == {1e-5: 0.01, 0.04: 0.03, 0.3: 0.3, 30.0: 1.0, None: 0.01}
