"""Random generators that live longer than a training: which are found, seeded, kept and refused."""

import functools
import importlib
import inspect
import io
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lrsearch.errors import WorkloadError
from lrsearch.training.reach import generators_of

DATA = TensorDataset(torch.zeros(4))
TORCH, NUMPY, OLD, PYTHON = (
    torch.Generator(),
    np.random.default_rng(),
    np.random.RandomState(),
    random.Random(),
)
LOADER = DataLoader(DATA, shuffle=True, generator=torch.Generator())
HELD = [{"deep": (torch.Generator(),)}]


class Noisy(Dataset[float]):
    shared = np.random.Generator(np.random.MT19937())

    def __init__(self) -> None:
        self.own = np.random.default_rng()


NOISY = Noisy()
MANY = [NOISY] * 3


@functools.cache
def cached(name: str) -> torch.Generator:
    return torch.Generator()


def closed_over(generator: Any) -> Callable[..., Any]:
    def train(trial: Any) -> Any:
        return generator

    return train


def by_default(trial: Any, generator: Any = random.Random(), *, other: Any = np.random.default_rng()) -> Any:  # noqa: B008
    return generator, other


def helping() -> Any:
    return TORCH


WAYS: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "a global": (lambda trial: NUMPY, ["NUMPY"]),
    "a method of one": (closed_over(NUMPY.normal), ["closed_over.train.generator"]),
    "what another function names": (lambda trial: helping(), ["TORCH"]),
    "a loader": (lambda trial: LOADER, ["LOADER.generator"]),
    "containers": (lambda trial: HELD, ["HELD[0]['deep'][0]"]),
    "an object and its class": (lambda trial: NOISY, ["NOISY.own", "Noisy.shared"]),
    "a list of objects": (lambda trial: MANY, ["MANY[0].own", "Noisy.shared"]),
    "a class": (lambda trial: Noisy, ["Noisy.shared"]),
    "a closure": (closed_over(OLD), ["closed_over.train.generator"]),
    "defaults": (by_default, ["by_default(generator)", "by_default(other)"]),
    "a partial": (
        functools.partial(by_default, generator=1, other=2),
        ["by_default(generator)", "by_default(other)"],
    ),
    "what is decorated": (torch.no_grad()(closed_over(PYTHON)), ["closed_over.train.generator"]),
    "a cache": (lambda trial: cached("a"), ["cached['a']"]),
}


@pytest.mark.parametrize(("function", "places"), WAYS.values(), ids=WAYS)
def test_it_is_found(function: Callable[..., Any], places: list[str]) -> None:
    cached("a")
    assert generators_of(function).places == tuple(f"test_generators.py: {place}" for place in places)


LEFT_ALONE = {
    "the system's": closed_over(random.SystemRandom()),
    "the libraries' own": lambda trial: (random.shuffle, np.random.rand, torch.rand, np.random, torch),
    "torch's own, by name": closed_over(torch.default_generator),
    "numpy's own, by name": closed_over(np.random.mtrand._rand),
    "what is made in the training": lambda trial: np.random.default_rng(0),
}


@pytest.mark.parametrize("function", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_it_is_left_alone(function: Callable[..., Any]) -> None:
    assert generators_of(function).places == ()


def drawn() -> list[float]:
    """A number of each kind, a Gaussian first, half of whose pair is kept for the next."""
    return [
        torch.rand((), generator=TORCH).item(),
        float(NUMPY.normal()),
        float(OLD.normal()),
        PYTHON.gauss(0, 1),
        float(NUMPY.spawn(1)[0].random()),
    ]


def naming(trial: Any) -> Any:
    return TORCH, NUMPY, OLD, PYTHON


def test_each_is_seeded_as_a_script_would() -> None:
    generators_of(naming).seed(5)
    numpy, old, python = np.random.default_rng(5), np.random.RandomState(5), random.Random(5)
    by_hand = [
        torch.rand((), generator=torch.Generator().manual_seed(5)).item(),
        float(numpy.normal()),
        float(old.normal()),
        python.gauss(0, 1),
        float(numpy.spawn(1)[0].random()),
    ]
    assert drawn() == by_hand


def test_each_goes_on_from_what_a_checkpoint_keeps() -> None:
    generators = generators_of(naming)
    generators.seed(5)
    drawn()
    file = io.BytesIO()
    torch.save(generators.state(), file)
    expected = drawn()
    file.seek(0)
    generators.restore(torch.load(file, weights_only=True))
    assert drawn() == expected


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.PCG64, np.random.Philox, np.random.SFC64])
def test_every_kind_of_numpy_goes_on(kind: Any) -> None:
    bits = kind()
    old, new = np.random.RandomState(bits), np.random.Generator(kind())
    generators = generators_of(closed_over([bits, old, new]))
    generators.seed(3)
    state = generators.state()
    expected = [old.normal(), new.normal(), new.random()]
    generators.restore(state)
    assert [old.normal(), new.normal(), new.random()] == expected


def rows() -> Iterator[int]:
    yield from range(9)


BEGUN = rows()
next(BEGUN)
ITERATOR = iter(LOADER)
PERSISTENT = DataLoader(DATA)
PERSISTENT._iterator = iter(PERSISTENT)
REFUSED = {
    "an iterator over a loader": (lambda trial: next(ITERATOR), "ITERATOR is an iterator over a DataLoader"),
    "workers that stay": (lambda trial: PERSISTENT, "PERSISTENT._iterator is an iterator over a DataLoader"),
    "a generator function": (lambda trial: next(BEGUN), "BEGUN is a generator function that has begun"),
}


@pytest.mark.parametrize(("function", "line"), REFUSED.values(), ids=REFUSED)
def test_what_would_go_on_in_the_middle_is_refused_with_its_place(function: Any, line: str) -> None:
    with pytest.raises(WorkloadError) as raised:
        generators_of(function)
    assert str(raised.value).startswith(f"test_generators.py: {line}, and lives longer than a training")
    assert "\n" not in str(raised.value)


def test_what_a_training_sets_anew_is_not_refused() -> None:
    def train(trial: Any) -> Any:
        global ITERATOR
        ITERATOR = iter(LOADER)
        return next(ITERATOR)

    assert "test_generators.py: LOADER.generator" in generators_of(train).places


def test_one_that_cannot_be_seeded_is_refused_with_its_place() -> None:
    class Mine(random.Random):
        def seed(self, *given: Any) -> None:
            if given and given[0] is not None:
                raise NotImplementedError("it has a seed of its own")

    with pytest.raises(
        WorkloadError, match=r"train.generator \(Mine\) .* cannot be seeded .*it has a seed of its own"
    ):
        generators_of(closed_over(Mine())).seed(1)


def test_a_module_of_the_user_s_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helpers.py").write_text("import random\n\nclass A:\n    rng = random.Random()\n")
    monkeypatch.syspath_prepend(tmp_path)
    helpers = importlib.import_module("helpers")
    places = generators_of(closed_over(helpers)).places
    del sys.modules["helpers"]
    assert places == ("helpers.py: A.rng",)


@pytest.mark.parametrize(
    "data",
    [
        [(number, float(number), str(number)) for number in range(100_000)],
        [{"row": [number], "label": number} for number in range(100_000)],
        [inspect.Parameter.empty] * 100_000,
        torch.zeros(1000, 1000),
    ],
    ids=["tuples", "dicts", "classes", "a tensor"],
)
def test_large_data_costs_little(data: Any) -> None:
    began = time.process_time()
    generators_of(closed_over(data))
    assert time.process_time() - began < 1
