"""Laws of batches of text, and of the metric over a text with a carried state."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsearch import Workload
from lrsearch.workload import indexed, moved
from lrsearch.workload.text import MeanOverText, TextBatch, TextBatches

WORDS = 11
SIZES = st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(0, 60)).map(
    lambda sizes: (sizes[0], sizes[1], sizes[0] * (sizes[1] + 1) + sizes[2])
)
"""Columns, tokens of a window, and a length of text that gives one window at least."""


class Model(nn.Module):
    """A small language model in double precision, so that windows and one pass agree to the last digits."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 5)
        self.lstm = nn.LSTM(5, WORDS)
        self.double()


def per_token(model: Model, batch: TextBatch, state: object) -> tuple[Tensor, object]:
    outputs, state = model.lstm(model.embedding(batch.inputs), state)
    return cross_entropy(outputs.flatten(0, 1), batch.targets.flatten()), state


def text_of(tokens: int) -> Tensor:
    return torch.randint(WORDS, (tokens,), generator=torch.Generator().manual_seed(tokens))


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return Model().eval()


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 3))
def test_windows_put_together_are_the_text_but_for_its_end(sizes: tuple[int, int, int], epoch: int) -> None:
    batch_size, length, tokens = sizes
    text = torch.arange(tokens)
    batches = TextBatches(text, batch_size, length)
    n = batches.batches_per_epoch
    inputs = torch.cat([batches.batch(0, iteration).inputs for iteration in range(epoch * n, epoch * n + n)])
    rows = tokens // batch_size
    for column in range(batch_size):
        begin = column * rows
        assert torch.equal(inputs[:, column], text[begin : begin + n * length])
    assert rows - 1 - n * length < length  # what is left out has not the length of a window


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 200))
def test_targets_are_the_tokens_after_the_inputs(sizes: tuple[int, int, int], iteration: int) -> None:
    batch_size, length, tokens = sizes
    inputs, targets, _ = TextBatches(torch.arange(tokens), batch_size, length).batch(0, iteration)
    assert inputs.shape == targets.shape == (length, batch_size)
    assert torch.equal(targets, inputs + 1)


@settings(max_examples=60, deadline=None)
@given(SIZES)
def test_each_pass_over_the_text_says_where_it_begins(sizes: tuple[int, int, int]) -> None:
    batch_size, length, tokens = sizes
    batches = TextBatches(text_of(tokens), batch_size, length)
    n = batches.batches_per_epoch
    assert [batches.batch(0, iteration).begins for iteration in range(2 * n)] == 2 * [
        True,
        *[False] * (n - 1),
    ]


def test_a_batch_depends_on_the_iteration_alone() -> None:
    batches = TextBatches(text_of(100), batch_size=3, length=4)
    forward = [batches.batch(0, iteration) for iteration in range(20)]
    backward = [batches.batch(1, iteration) for iteration in reversed(range(20))]
    for one, other in zip(forward, backward[::-1], strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


@settings(max_examples=25, deadline=None)
@given(SIZES)
def test_a_carried_evaluation_is_that_of_whole_columns(model: Model, sizes: tuple[int, int, int]) -> None:
    batch_size, length, tokens = sizes
    text = text_of(tokens)
    columns = text[: tokens // batch_size * batch_size].view(batch_size, -1).t()
    with torch.inference_mode():
        found = MeanOverText(per_token, text, batch_size, length)(model, None)
        whole, _ = per_token(model, TextBatch(columns[:-1], columns[1:], begins=True), None)
    assert float(found["loss"]) == pytest.approx(float(whole), rel=1e-12)
    assert float(found["perplexity"]) == pytest.approx(math.exp(whole), rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(SIZES, st.integers(1, 100))
def test_fewer_examples_are_the_first_windows_that_hold_as_many(
    model: Model, sizes: tuple[int, int, int], examples: int
) -> None:
    batch_size, length, tokens = sizes
    text = text_of(tokens)
    columns = text[: tokens // batch_size * batch_size].view(batch_size, -1).t()
    rows = min(math.ceil(examples / (length * batch_size)) * length, len(columns) - 1)
    with torch.inference_mode():
        found = MeanOverText(per_token, text, batch_size, length)(model, examples)
        part, _ = per_token(model, TextBatch(columns[:rows], columns[1 : rows + 1], begins=True), None)
    assert float(found["loss"]) == pytest.approx(float(part), rel=1e-12)


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary(model: Model) -> None:
    def guess(model: Model, batch: TextBatch, state: object) -> tuple[Tensor, object]:
        logits = torch.zeros(*batch.inputs.shape, WORDS)
        return cross_entropy(logits.flatten(0, 1), batch.targets.flatten()), None

    found = MeanOverText(guess, text_of(500), batch_size=4, length=7)(model, None)
    assert float(found["perplexity"]) == pytest.approx(WORDS, rel=1e-6)


def test_as_a_workloads_metric_it_adds_its_name(model: Model) -> None:
    metric = MeanOverText(per_token, text_of(100), batch_size=2, length=5)
    workload = Workload(model, TextBatches(text_of(100), 2, 5), per_token, {"test": metric})
    assert sorted(workload.evaluate(20)) == ["test_loss", "test_perplexity"]


def test_on_a_device_batches_and_metric_are_the_same(model: Model) -> None:
    device = torch.device("cpu")
    batches, metric = TextBatches(text_of(100), 3, 4), MeanOverText(per_token, text_of(100), 3, 4)
    assert torch.equal(batches.to(device).batch(0, 3).targets, batches.batch(0, 3).targets)
    assert metric.to(device)(model, None) == metric(model, None)


def test_a_batch_stays_one_when_it_is_moved() -> None:
    batch = TextBatches(text_of(100), 3, 4).batch(0, 0)
    assert moved(batch, torch.device("meta")).inputs.is_meta
    assert moved(batch, torch.device("meta")).begins is True


def test_it_answers_as_batches_of_iterations_do() -> None:
    batches = TextBatches(text_of(100), 3, 4)
    assert indexed(batches) is batches


@pytest.mark.parametrize(
    ("tokens", "batch_size", "length", "problem"),
    [
        (
            torch.zeros(4, 5, dtype=torch.int64),
            2,
            2,
            r"tokens has the shape \[4, 5\]; give one dimension, the text in its order",
        ),
        (
            torch.arange(11),
            3,
            3,
            "a window of 3 tokens in 3 columns takes 12 tokens, with the last targets, and the text has 11",
        ),
        (torch.arange(11), 0, 3, "batch_size is 0 and length 3; give 1 or more for each"),
        (torch.arange(11), 3, 0, "batch_size is 3 and length 0; give 1 or more for each"),
    ],
)
def test_what_cannot_be_a_text_is_refused(tokens: Tensor, batch_size: int, length: int, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        TextBatches(tokens, batch_size, length)
    with pytest.raises(ValueError, match=problem):
        MeanOverText(per_token, tokens, batch_size, length)


@pytest.mark.parametrize("examples", [None, 1, 20, 21, 60, 10_000])
def test_it_counts_what_it_reads(examples: int | None) -> None:
    read = []

    def function(model: nn.Module, batch: TextBatch, state: Any) -> tuple[torch.Tensor, Any]:
        read.append(batch.targets.numel())
        return torch.zeros(()), None

    metric = MeanOverText(function, torch.arange(103), batch_size=4, length=5)
    metric(nn.Identity(), examples)
    assert metric.count(examples) == sum(read)
