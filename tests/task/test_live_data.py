"""What of the data around a function is told apart, and what is not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

from lrsearch.task import live_data
from lrsearch.task.live_code import live_code
from lrsearch.task.live_data import data_in, holds_unseen


class Own(Dataset[torch.Tensor]):
    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows


HOLDING: dict[str, Callable[[torch.Tensor], Any]] = {
    "a tensor": lambda t: t,
    "half precision": lambda t: t.bfloat16(),
    "booleans": lambda t: t > 2,
    "an array": lambda t: t.numpy(),
    "an array of objects": lambda t: np.array([t.tolist(), None], dtype=object),
    "a list": lambda t: [1, (t,)],
    "a dict": lambda t: {"train": t},
    "a tensor data set": TensorDataset,
    "a data loader": lambda t: DataLoader(TensorDataset(t), batch_size=2),
    "a subset": lambda t: Subset(TensorDataset(t), [0, 1, 3]),
    "data sets": lambda t: ConcatDataset([TensorDataset(t)]),
    "a data set of one's own": Own,
}


@pytest.mark.parametrize("holder", HOLDING.values(), ids=HOLDING)
def test_a_changed_number_is_seen(holder: Callable[[torch.Tensor], Any]) -> None:
    before, same, after = torch.arange(4.0), torch.arange(4.0), torch.tensor([0.0, 1, 2, 1])
    assert list(data_in(holder(before))) == list(data_in(holder(same))) != []
    assert list(data_in(holder(before))) != list(data_in(holder(after)))


def test_shape_and_type_count() -> None:
    kinds = [torch.zeros(4), torch.zeros(2, 2), torch.zeros(4, dtype=torch.int32)]
    assert len({digest for kind in kinds for _, digest in data_in(kind)}) == 3


@pytest.mark.parametrize("kind", [torch.arange, np.arange])
def test_a_large_one_goes_by_a_sample(kind: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_data, "WHOLE_BYTES", 100)
    monkeypatch.setattr(live_data, "_SAMPLED", 10)
    assert list(data_in(kind(1000))) != list(data_in(kind(1000) + 1))
    between = kind(1000)
    between[1] = 7
    assert list(data_in(between)) == list(data_in(kind(1000)))


def test_what_is_trained_is_no_data() -> None:
    assert list(data_in(torch.nn.Parameter(torch.ones(2)))) == []


class Table:
    def __getitem__(self, name: str) -> int:
        return 1


@pytest.mark.parametrize(
    ("thing", "unseen"),
    [
        (Table(), True),
        (torch.ones(2), False),
        ([1, 2], False),
        ("text", False),
        (torch.nn.Linear(1, 1), False),
    ],
    ids=["a table", "a tensor", "a list", "text", "a model"],
)
def test_what_holds_data_that_cannot_be_seen_is_named(thing: Any, unseen: bool) -> None:
    assert holds_unseen(thing) is unseen


def test_data_has_the_name_that_the_function_reads() -> None:
    inner, table = torch.ones(2), Table()

    def train(trial: Any) -> Any:
        return inner, table["a"]

    found = live_code(train)
    assert (list(found.data), found.unseen) == (["inner"], ("table (Table)",))


def test_a_tensor_that_the_function_changes_is_no_data() -> None:
    kept = torch.zeros(2)

    def train(trial: Any) -> None:
        kept.add_(1)

    assert live_code(train).data == {}


class Linked:
    """A class that its own attribute leads back to."""

    def first(self) -> int:
        return 1


Linked.itself = Linked  # type: ignore[attr-defined]


def test_a_class_that_leads_back_to_itself_is_read_once() -> None:
    def train() -> Any:
        return Linked().first()

    assert "Linked.itself = Linked" in live_code(train).text
