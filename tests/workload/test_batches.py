"""Laws of ``Batches`` and ``Mean``, and of any iterable as batches."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lrsearch import Batches, Mean, Workload
from lrsearch.workload import IteratedBatches, Metric, moved, seed_of

MODEL = nn.Identity()
SIZES = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


def epoch_of(batches: Batches, seed: int, epoch: int) -> list[int]:
    n = batches.batches_per_epoch
    return [int(i) for it in range(epoch * n, (epoch + 1) * n) for i in batches.batch(seed, it)[0]]


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 2**40), st.integers(0, 5))
def test_an_epoch_is_a_permutation_but_for_what_fills_no_batch(
    sizes: tuple[int, int], seed: int, epoch: int
) -> None:
    examples, batch_size = sizes
    drawn = epoch_of(Batches(torch.arange(examples), batch_size=batch_size), seed, epoch)
    assert len(drawn) == examples // batch_size * batch_size
    assert len(set(drawn)) == len(drawn)


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    batches = Batches(torch.arange(50), batch_size=10)
    orders = {tuple(epoch_of(batches, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_a_batch_depends_on_seed_and_iteration_alone() -> None:
    one, two = (Batches(torch.arange(50), batch_size=7) for _ in range(2))
    forward = [one.batch(3, iteration)[0].tolist() for iteration in range(20)]
    torch.manual_seed(0)
    backward = [two.batch(3, iteration)[0].tolist() for iteration in reversed(range(20))]
    assert forward == backward[::-1]


def test_examples_of_several_tensors_stay_together() -> None:
    x, y = Batches(torch.arange(20), -torch.arange(20), batch_size=6).batch(0, 1)
    assert torch.equal(x, -y)


def test_the_transform_gets_the_batch() -> None:
    batches = Batches(torch.arange(20), batch_size=6, transform=lambda x: (x.float() / 2,))
    (x,) = batches.batch(0, 0)
    assert (x.dtype, x.shape) == (torch.float32, (6,))


@pytest.mark.parametrize("batch_size", [0, -1, 21])
def test_a_batch_size_that_cannot_be_is_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size is {batch_size}; give 1 to 20, the number of examples"):
        Batches(torch.arange(20), batch_size=batch_size)


def test_tensors_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the tensors hold \[3, 4\] examples"):
        Batches(torch.zeros(3), torch.zeros(4), batch_size=1)
    with pytest.raises(ValueError, match=r"the tensors hold \[3, 4\] examples"):
        Mean(lambda model, batch: batch[0].mean(), torch.zeros(3), torch.zeros(4))


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 1000))
def test_a_mean_is_the_same_however_it_is_cut(sizes: tuple[int, int], seed: int) -> None:
    examples, batch_size = sizes
    x = torch.randn(examples, generator=torch.Generator().manual_seed(seed)).double()
    cut = Mean(lambda model, batch: batch[0].mean(), x, batch_size=batch_size)(MODEL, None)
    assert isinstance(cut, torch.Tensor)
    assert float(cut) == pytest.approx(float(x.mean()), rel=1e-9, abs=1e-12)


def test_a_mean_of_several_values_gives_each() -> None:
    mean = Mean(
        lambda model, batch: {"up": batch[0].mean(), "down": -batch[0].mean()},
        torch.arange(10.0),
        batch_size=3,
    )
    found = mean(MODEL, None)
    assert isinstance(found, dict)
    assert {name: float(value) for name, value in found.items()} == pytest.approx({"up": 4.5, "down": -4.5})


def test_a_sample_is_fixed_and_of_the_size_asked_for() -> None:
    seen: list[list[float]] = []

    def remember(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        seen.append(batch[0].tolist())
        return batch[0].mean()

    for seed in (0, 1):
        torch.manual_seed(seed)
        Mean(remember, torch.arange(100.0))(MODEL, 10)
    assert len(set(seen[0])) == 10
    assert seen[0] == seen[1]


def test_more_examples_than_there_are_is_all() -> None:
    mean = Mean(lambda model, batch: batch[0].mean(), torch.arange(10.0))
    assert mean(MODEL, 11) == mean(MODEL, None)


def test_no_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="no examples to take a mean over"):
        Mean(lambda model, batch: batch[0].mean(), torch.zeros(0))


def test_an_iterable_begins_anew_when_it_ends() -> None:
    batches = IteratedBatches([10, 20, 30])
    assert [batches.batch(0, iteration) for iteration in range(7)] == [10, 20, 30, 10, 20, 30, 10]


def test_an_iterable_runs_forward_to_where_it_is_asked() -> None:
    assert IteratedBatches(range(100)).batch(0, 42) == 42


def test_an_iterable_does_not_go_back() -> None:
    batches = IteratedBatches(range(100))
    batches.batch(0, 5)
    with pytest.raises(ValueError, match="batch 3 is past"):
        batches.batch(0, 3)


def spent() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("iterable", [[], spent()], ids=["empty", "a generator"])
def test_an_iterable_that_gives_nothing_anew_is_refused(iterable: list[int] | Iterator[int]) -> None:
    batches = IteratedBatches(iterable)
    with pytest.raises(ValueError, match="give an iterable that begins anew"):
        batches.batch(0, 1)


def test_items_are_drawn_alike_whatever_else_draws() -> None:
    class Drawing:
        def __iter__(self) -> Iterator[tuple[float, ...]]:
            return ((float(torch.rand(())), float(np.random.rand()), random.random()) for _ in range(3))

    one, two, other = (IteratedBatches(Drawing()) for _ in range(3))
    first, second = [], []
    for iteration in range(7):
        first.append(one.batch(1, iteration))
        drawn = torch.rand(iteration), np.random.rand(iteration), random.random()  # dropout, say
        assert len(drawn) == 3
        second.append(two.batch(1, iteration))
    assert first == second
    assert [len({item[kind] for item in first}) for kind in range(3)] == [7, 7, 7]
    assert other.batch(2, 0) not in first


def test_to_draw_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    IteratedBatches(torch.utils.data.DataLoader(range(8), shuffle=True)).batch(0, 11)  # type: ignore[arg-type]
    assert torch.equal(torch.rand(3), expected)


def test_seeds_of_words_are_well_apart() -> None:
    assert len({seed_of(seed, epoch) for seed in range(50) for epoch in range(50)}) == 2500
    assert seed_of(1, 2) != seed_of(2, 1)


def test_moving_keeps_the_shape_of_what_is_carried() -> None:
    carried = ({"h": torch.zeros(2)}, [torch.ones(1), "text"])
    found = moved(carried, torch.device("meta"))
    assert found[0]["h"].is_meta
    assert isinstance(found, tuple)
    assert found[1][1] == "text"


def test_two_metrics_of_one_name_are_refused() -> None:
    metrics: dict[str, Metric] = {"a": lambda m, n: {"b": 1.0}, "a_b": lambda m, n: 2.0}
    workload = Workload(model=MODEL, batches=[0], loss=lambda m, b: b, metrics=metrics)
    with pytest.raises(ValueError, match="two metrics are called a_b; rename one"):
        workload.evaluate(None)


def test_evaluating_happens_in_eval_mode_without_gradients() -> None:
    def mode(model: nn.Module, examples: int | None) -> float:
        return 2.0 * model.training + torch.is_grad_enabled()

    model = nn.Linear(1, 1)
    workload = Workload(model=model, batches=[0], loss=lambda m, b: b, metrics={"mode": mode})
    assert workload.evaluate(None) == {"mode": 0.0}
    assert model.training
