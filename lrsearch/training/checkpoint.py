"""Checkpoints of one replica: written whole or not at all, read without running anything that is in them."""

import os
import pickle
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint: a temporary file beside it, synchronised, then renamed over it.

    Raises:
        OSError: there is no room, or the folder cannot be written; the older checkpoint is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint; None where there is none, or one that cannot be read.

    Tensors come to the CPU first: random states live there, and ``load_state_dict`` moves the rest.
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


def checkpoint_file(folder: Path, trial: str) -> Path:
    """Give the file that keeps a trial's state (``sgd/lr/7`` in ``sgd-lr-7.pt``)."""
    return folder / f"{trial.replace('/', '-')}.pt"
