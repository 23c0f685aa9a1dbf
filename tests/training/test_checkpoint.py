"""Checkpoints: written whole or not at all, and read without running anything that is in them."""

import os
import pickle
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lrsearch.training.checkpoint import (
    checkpoint_file,
    load_checkpoint,
    load_newest,
    older_checkpoint,
    random_state,
    remove_checkpoints,
    restore_random_state,
    save_checkpoint,
    take_over,
)

CPU = torch.device("cpu")
STATE = {
    "iteration": 7,
    "model": {"weight": torch.arange(6.0).reshape(2, 3)},
    "carried": (torch.ones(2), [1]),
}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", STATE)
    loaded = load_checkpoint(tmp_path / "a.pt")
    assert loaded is not None
    assert torch.equal(loaded["model"]["weight"], STATE["model"]["weight"])  # type: ignore[index]
    assert loaded["iteration"] == 7
    assert isinstance(loaded["carried"], tuple)


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for n in range(3):
        save_checkpoint(tmp_path / "a.pt", {"n": n})
    kept = {path.name: load_checkpoint(path) for path in tmp_path.iterdir()}
    assert kept == {"a.pt": {"n": 2}, "a.older.pt": {"n": 1}}


def test_both_are_removed(tmp_path: Path) -> None:
    for _ in range(2):
        save_checkpoint(tmp_path / "a.pt", STATE)
    remove_checkpoints(tmp_path / "a.pt")
    assert [*tmp_path.iterdir()] == []


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The newest checkpoint of a replica, beside the one before it."""
    for n in (1, 2):
        save_checkpoint(tmp_path / "a.pt", {"of": "it", "n": n, "weights": torch.arange(100.0)})
    return tmp_path / "a.pt"


@pytest.mark.parametrize("how", ["torn", "flipped"])
def test_a_damaged_one_is_said_and_the_one_before_it_taken(how: str, two: Path) -> None:
    whole = two.read_bytes()
    middle = whole.index(torch.arange(100.0).numpy().tobytes()) + 50
    two.write_bytes(
        whole[:middle] + (b"" if how == "torn" else bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    )
    state, notes = load_newest(two, "it")
    assert state is not None
    assert state["n"] == 1
    assert notes == ("the checkpoint a.pt is damaged and skipped; the one before it is taken",)


def test_two_damaged_ones_are_none_and_both_said(two: Path) -> None:
    two.write_bytes(b"")
    older_checkpoint(two).write_bytes(b"PK")
    state, notes = load_newest(two, "it")
    assert state is None
    assert [note.split(" is ")[0] for note in notes] == ["the checkpoint a.pt", "the checkpoint a.older.pt"]


def test_one_of_something_else_is_as_none_without_a_word(two: Path) -> None:
    assert load_newest(two, "another") == (None, ())


def test_killed_between_the_two_renames_the_older_one_is_there(two: Path) -> None:
    two.unlink()
    state, notes = load_newest(two, "it")
    assert state is not None
    assert (state["n"], notes) == (1, ())


# -- whose they are ----------------------------------------------------------------------------------------------------


def test_a_run_takes_over_what_the_one_before_left(tmp_path: Path) -> None:
    save_checkpoint(take_over(tmp_path, "run-1") / "a.pt", {"n": 1})
    assert load_checkpoint(take_over(tmp_path, "run-2") / "a.pt") == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["run-2"]


def test_a_worker_of_the_run_before_writes_no_more(tmp_path: Path) -> None:
    before = take_over(tmp_path, "run-1")
    own = take_over(tmp_path, "run-2")
    with pytest.raises(FileNotFoundError):
        save_checkpoint(before / "a.pt", {"n": "late"})
    assert [path.name for path in tmp_path.rglob("*")] == [own.name]


def test_every_worker_of_a_run_may_take_over(tmp_path: Path) -> None:
    save_checkpoint(take_over(tmp_path, "run-1") / "a.pt", {"n": 1})
    folders = {take_over(tmp_path, "run-2") for _ in range(3)}
    assert folders == {tmp_path / "run-2"}
    assert load_checkpoint(tmp_path / "run-2" / "a.pt") == {"n": 1}


def test_checkpoints_of_before_runs_had_folders_are_taken_over_too(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", {"n": 1})
    assert load_checkpoint(take_over(tmp_path, "run-1") / "a.pt") == {"n": 1}


def test_a_new_one_takes_the_place_of_the_older_one_at_once(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", {"n": 1})
    os.link(tmp_path / "a.pt", tmp_path / "older.pt")
    save_checkpoint(tmp_path / "a.pt", {"n": 2})
    assert load_checkpoint(tmp_path / "older.pt") == {"n": 1}, "it was written over, not replaced"
    assert load_checkpoint(tmp_path / "a.pt") == {"n": 2}


def test_a_missing_one_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "a.pt") is None


def test_no_damage_goes_unnoticed_or_raises(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, {"weights": torch.arange(100.0), "random": random_state(CPU)})
    whole = path.read_bytes()
    rng = random.Random(0)
    for place in sorted(rng.sample(range(len(whole)), 60)):
        path.write_bytes(whole[:place])
        assert load_checkpoint(path) is None, f"cut at {place}"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        loaded = load_checkpoint(path)
        same = loaded is not None and torch.equal(loaded["weights"], torch.arange(100.0))
        assert loaded is None or same, f"changed at {place}"


@pytest.mark.parametrize("content", [[1, 2], "text", torch.zeros(2)], ids=["list", "text", "tensor"])
def test_what_is_no_mapping_is_none(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert load_checkpoint(tmp_path / "a.pt") is None


class Malicious:
    """Touches a file when it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.victim),)


def test_nothing_in_it_is_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Malicious(tmp_path / "armed")))
    assert (tmp_path / "armed").exists(), "the trap does not work"
    torch.save({"state": Malicious(tmp_path / "victim")}, tmp_path / "a.pt")
    assert load_checkpoint(tmp_path / "a.pt") is None
    assert not (tmp_path / "victim").exists()


def test_nothing_in_a_pickle_of_another_make_is_run(tmp_path: Path) -> None:
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Malicious(tmp_path / "victim")))
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Malicious(tmp_path / "victim")}))
        archive.writestr("archive/version", "3\n")
    assert [load_checkpoint(tmp_path / name) for name in ("plain.pt", "zip.pt")] == [None, None]
    assert not (tmp_path / "victim").exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from lrsearch.training.checkpoint import load_checkpoint, save_checkpoint
path = Path(sys.argv[1])
save_checkpoint(path, {"n": 1})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_checkpoint(path, {"n": 2, "big": torch.zeros(100_000)})
except Exception as error:
    print(type(error).__name__)
print(load_checkpoint(path))
print(sorted(file.name for file in path.parent.iterdir()))
"""


def test_the_older_one_stays_when_there_is_no_room(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.pt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    error, *rest = done.stdout.splitlines()
    assert error == "OSError"
    assert rest == ["{'n': 1}", "['a.pt']"]


def test_every_generator_goes_on_where_it_was(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float, float]:
        return random.gauss(0, 1), float(np.random.standard_normal()), float(torch.rand(())), random.random()

    draw()  # an odd number of normal draws: both libraries keep the second of a pair for the next time
    save_checkpoint(tmp_path / "a.pt", {"random": random_state(CPU)})
    expected = [draw() for _ in range(3)]
    loaded = load_checkpoint(tmp_path / "a.pt")
    assert loaded is not None
    restore_random_state(loaded["random"], CPU)
    assert [draw() for _ in range(3)] == expected


def test_each_trial_has_its_own_file(tmp_path: Path) -> None:
    assert checkpoint_file(tmp_path, "cprop_sgd/cprop.c/7") == tmp_path / "cprop_sgd-cprop.c-7.pt"
