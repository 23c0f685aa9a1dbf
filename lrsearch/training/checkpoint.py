"""Checkpoints of one replica: written whole or not at all, read without running anything that is in them."""

import os
import pickle
import random
import secrets
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

_RUN = "run-"
"""What the names of runs' folders begin with."""


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint: a temporary file beside it, synchronised, then renamed over it; the one before is kept.

    The folder is not made: a worker that outlived its run finds the run's folder gone, and writes nothing.

    Raises:
        OSError: there is no room, or the folder cannot be written or is gone; older checkpoints are untouched.
    """
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            try:
                torch.save(dict(state), file)
            except RuntimeError as error:
                # Torch's own error, raised while it closes the archive, hides the file system's.
                if isinstance(cause := error.__cause__ or error.__context__, OSError):
                    raise cause from error
                raise
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            path.replace(older_checkpoint(path))
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint; None where there is none, or one that cannot be read.

    Every part of it has a checksum (CRC-32), which is compared before anything is read. Tensors come to the CPU first:
    random states live there, and ``load_state_dict`` moves the rest.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        zipfile.BadZipFile,
        RuntimeError,
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        KeyError,
    ):
        return None
    return state if isinstance(state, dict) else None


def load_newest(path: Path, of: str) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Read the newest good checkpoint of a replica.

    Args:
        path: the newest one's file; the one before lies beside it.
        of: what the checkpoint has to be of; one of something else is as none.

    Returns:
        The state, or None; and a line on each that is there and damaged.
    """
    notes: list[str] = []
    for file in (path, older := older_checkpoint(path)):
        if (state := load_checkpoint(file)) is not None:
            if state.get("of") == of:
                return state, tuple(notes)
        elif file.exists():
            instead = (
                "the one before it is taken" if file != older and older.exists() else "there is no other"
            )
            notes.append(f"the checkpoint {file.name} is damaged and skipped; {instead}")
    return None, tuple(notes)


def remove_checkpoints(path: Path) -> None:
    """Remove both checkpoints of a replica, as far as they are there."""
    for file in (path, older_checkpoint(path)):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def older_checkpoint(path: Path) -> Path:
    """Give the file of the checkpoint before the newest (``a.older.pt`` of ``a.pt``)."""
    return path.with_name(f"{path.stem}.older{path.suffix}")


def not_written(error: OSError) -> str:
    """Say that a checkpoint could not be written, and what that costs."""
    return (
        f"a checkpoint cannot be written ({error.strerror or type(error).__name__}): trainings go on without; one that "
        "is interrupted begins again at its last checkpoint, or anew"
    )


def random_state(device: torch.device) -> dict[str, Any]:
    """Give the state of every global generator that training may draw from."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "random": [version, list(words), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
    }


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Put every global generator back to where ``random_state`` found it."""
    torch.set_rng_state(state["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    version, words, gauss = state["random"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))


def take_over(folder: Path, run: str) -> Path:
    """Give the folder for the checkpoints of one run, with what earlier runs left in it.

    The folder of the run before is renamed: a worker that outlived that run has nowhere to write any more, so nothing
    that it writes late is ever read. Several workers may call this at the same time. Where the folder cannot be made,
    no checkpoint can be written, which the replicas say.

    Args:
        folder: that of the study.
        run: names the run; no other run has the name.
    """
    own = folder / run
    for before in sorted(folder.glob(f"{_RUN}*"), key=_changed, reverse=True):
        if before != own and before.is_dir():
            with suppress(OSError):  # another worker of this run was first
                before.rename(own)
    with suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
    for torn in own.glob("*.tmp"):  # of workers that were killed while they wrote
        torn.unlink(missing_ok=True)
    for kept in folder.glob("*.pt"):  # where they lay before runs had folders
        with suppress(OSError):
            kept.rename(own / kept.name)
    return own


def name_of_run() -> str:
    """Give a name that no other run has."""
    return f"{_RUN}{secrets.token_hex(8)}"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def checkpoint_file(folder: Path, trial: str) -> Path:
    """Give the file that keeps a trial's state (``sgd/lr/7`` in ``sgd-lr-7.pt``)."""
    return folder / f"{trial.replace('/', '-')}.pt"
