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
    random_state,
    restore_random_state,
    save_checkpoint,
)

CPU = torch.device("cpu")
STATE = {
    "iteration": 7,
    "model": {"weight": torch.arange(6.0).reshape(2, 3)},
    "carried": (torch.ones(2), [1]),
}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "new" / "a.pt", STATE)
    loaded = load_checkpoint(tmp_path / "new" / "a.pt")
    assert loaded is not None
    assert torch.equal(loaded["model"]["weight"], STATE["model"]["weight"])  # type: ignore[index]
    assert loaded["iteration"] == 7
    assert isinstance(loaded["carried"], tuple)


def test_saving_leaves_one_file(tmp_path: Path) -> None:
    for _ in range(2):
        save_checkpoint(tmp_path / "a.pt", STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


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
    assert error in ("OSError", "RuntimeError")
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
