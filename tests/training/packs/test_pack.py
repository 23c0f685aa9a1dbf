"""A pack gives what its replicas give alone, whatever becomes of one of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from packed_tasks import SGD, TASK, WORKLOAD

from lrsearch.task import Task, parse_task
from lrsearch.training import replica as replicas
from lrsearch.training.packs.pack import Pack
from lrsearch.training.packs.passes import WAYS
from lrsearch.training.packs.stack import Stack
from lrsearch.training.progress import Progress
from lrsearch.training.train import train
from lrsearch.trial import Diverged, Failed, Finished, SearchId, TrialSpec

Write = Callable[..., Task]
ADAM = "{base: adam, lr: {start: 0.01}}"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(kind: str = "plain", optimizer: str = SGD, change: tuple[str, str] = ("", "")) -> Task:
        (tmp_path / "packed.py").write_text(WORKLOAD.replace(*change) if change[0] else WORKLOAD)
        text = TASK.replace("OPTIMIZER", optimizer).replace("kind: plain", f"kind: {kind}")
        return parse_task(text, tmp_path / "task.yaml")

    return write


def spec(seed: int, lr: float = 0.1) -> TrialSpec:
    return TrialSpec(SearchId("one", "lr"), 0, seed, {"lr": lr})


def ends(pack: Pack, folder: Path, *specs: TrialSpec) -> dict[str, Progress]:
    """Train a pack to the end; the last progress of each."""
    for number, one in enumerate(specs):
        pack.add(str(number), one, folder / f"{number}.pt")
    last = {}
    while len(pack):
        last.update(pack.advance())
    return last


def end_alone(task: Task, folder: Path, one: TrialSpec) -> Progress:
    *_, last = train(task, one, folder / "alone.pt")
    return last


def notes_of(pack: Pack, folder: Path, *specs: TrialSpec) -> list[str]:
    for number, one in enumerate(specs):
        pack.add(str(number), one, folder / f"{number}.pt")
    notes: list[str] = []
    while len(pack):
        notes += [line for _, progress in pack.advance() for line in progress.notes]
    return notes


def test_each_ends_as_alone(write: Write, tmp_path: Path) -> None:
    task = write()
    specs = [spec(0), spec(1), spec(0, 0.03)]
    found = ends(Pack(task), tmp_path, *specs)
    for number, one in enumerate(specs):
        expected = end_alone(task, tmp_path, one).outcome
        assert isinstance(expected, Finished)
        assert found[str(number)].outcome == Finished(pytest.approx(expected.value, rel=1e-5))


def test_they_are_stacked(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    made = Stack.__init__

    def counted(self: Stack, members: list, *others: object) -> None:
        sizes.append(len(members))
        made(self, members, *others)

    monkeypatch.setattr(Stack, "__init__", counted)
    ends(Pack(write()), tmp_path, spec(0), spec(1), spec(2))
    assert sizes == [2, 3], "the check's, then theirs"


def test_one_that_diverges_leaves_the_others_as_they_are(write: Write, tmp_path: Path) -> None:
    task = write()
    with_it = ends(Pack(task), tmp_path / "a", spec(0), spec(0, 1e30), spec(1))
    assert isinstance(with_it["1"].outcome, Diverged)
    without = ends(Pack(task), tmp_path / "b", spec(0), spec(1))
    assert (with_it["0"].outcome, with_it["2"].outcome) == (without["0"].outcome, without["1"].outcome)


def test_a_place_that_is_free_is_taken_between_two_evaluations(write: Write, tmp_path: Path) -> None:
    task = write()
    pack = Pack(task)
    pack.add("0", spec(0), tmp_path / "0.pt")
    pack.add("1", spec(1), tmp_path / "1.pt")
    for _ in range(2):
        pack.advance()
    pack.drop("0")
    pack.add("2", spec(2), tmp_path / "2.pt")
    last = {}
    while len(pack):
        last.update(pack.advance())
    for name, seed in (("1", 1), ("2", 2)):
        expected = end_alone(task, tmp_path, spec(seed)).outcome
        assert isinstance(expected, Finished)
        assert last[name].outcome == Finished(pytest.approx(expected.value, rel=1e-5))
        assert [e.iteration for e in last[name].curve] == [0, 5, 10, 15, 20]


def test_dropout_is_trained_one_after_the_other_to_the_bit(write: Write, tmp_path: Path) -> None:
    task = write(kind="dropout")
    found = ends(Pack(task), tmp_path, spec(0), spec(1))
    for number in (0, 1):
        assert found[str(number)].curve == end_alone(task, tmp_path, spec(number)).curve


@pytest.mark.parametrize(
    ("kind", "change", "because"),
    [
        (
            "dropout",
            ("", ""),
            "it draws random numbers (dropout), which would not be those that each draws alone",
        ),
        (
            "plain",
            (
                "    x, y = batch\n    return",
                "    x, y = batch\n    if float(y.sum()) > 1e9:\n        y = 0 * y\n    return",
            ),
            "its Python branches on numbers that are computed",
        ),
        (
            "plain",
            (
                "    return (model(x) - y).square().mean()",
                "    calls.append(1)\n    return (model(x) - y).square().mean() * (1 + len(calls) % 7)\n\n\ncalls = []",
            ),
            "the training of one came out otherwise there: it depends on more than its parameters, its batches and "
            "what it carries",
        ),
    ],
    ids=["random", "branches", "hidden state"],
)
def test_a_line_says_why_they_are_not_stacked(
    write: Write, tmp_path: Path, kind: str, change: tuple[str, str], because: str
) -> None:
    notes = notes_of(Pack(write(kind, SGD, change)), tmp_path, spec(0), spec(1))
    assert notes == [f"packed.py:make is trained one replica after the other, not stacked, as {because}"]


def test_dropout_is_captured_where_that_may_be(write: Write, tmp_path: Path) -> None:
    task = write(kind="dropout")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    notes = notes_of(Pack(task, WAYS), first, spec(0), spec(1))
    found = ends(Pack(task, WAYS), second, spec(0), spec(1))
    assert notes == []
    for number in (0, 1):
        expected = end_alone(task, tmp_path, spec(number)).outcome
        assert isinstance(expected, Finished)
        assert found[str(number)].outcome == Finished(pytest.approx(expected.value, rel=1e-5))


def test_a_line_says_why_neither_way_serves(write: Write, tmp_path: Path) -> None:
    change = (
        "    x, y = batch\n    return",
        "    x, y = batch\n    y = 0 * y if float(y.sum()) > 1e9 else y\n    return",
    )
    notes = notes_of(Pack(write("plain", SGD, change), WAYS), tmp_path, spec(0), spec(1))
    assert notes == [
        "packed.py:make is trained one replica after the other, not stacked nor captured, as its Python branches on "
        "numbers that are computed; as its Python reads numbers that are computed"
    ]


def test_an_error_fails_the_one_that_raised_it(write: Write, tmp_path: Path) -> None:
    change = (
        "    def batch(self, seed, iteration):\n",
        "    def batch(self, seed, iteration):\n        if (seed, iteration) == (1, 12):\n"
        "            raise ValueError('bad')\n",
    )
    task = write("own batches", SGD, change)
    found = ends(Pack(task), tmp_path, spec(0), spec(1), spec(2))
    failed = found["1"].outcome
    assert isinstance(failed, Failed)
    assert "raised ValueError: bad" in failed.error
    assert isinstance(found["0"].outcome, Finished)
    assert isinstance(found["2"].outcome, Finished)


def test_one_that_was_cut_off_goes_on_from_its_checkpoint_to_the_bit(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(replicas, "CHECKPOINT_SHARE", 1e9)
    task = write(optimizer=ADAM)
    through = ends(Pack(task), tmp_path / "through", spec(0), spec(1))
    cut_off = Pack(task)
    for number in (0, 1):
        cut_off.add(str(number), spec(number), tmp_path / f"{number}.pt")
    for _ in range(3):
        cut_off.advance()
    del cut_off
    again = Pack(task)
    for number in (0, 1):
        again.add(str(number), spec(number), tmp_path / f"{number}.pt")
    assert [p.evaluation.iteration for _, p in again.advance() if p.evaluation] == [15, 15]
    last = {}
    while len(again):
        last.update(again.advance())
    assert {n: p.curve for n, p in last.items()} == {n: p.curve for n, p in through.items()}
