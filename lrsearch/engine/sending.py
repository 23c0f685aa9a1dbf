"""What is sent to the machines of a cluster: the folder with the task's Python, without what stays here."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lrsearch.errors import UsageError
from lrsearch.task.model import Task

LARGEST = 512 * 2**20
"""Bytes that Ray takes in one package (the largest message of gRPC)."""
NEVER_SENT = (".git", ".venv", "venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache")
"""Folders, wherever they are."""
_IGNORE_FILES = (".gitignore", ".rayignore")


def folder_to_send(task: Task, working_dir: Path | None) -> Path:
    """Give the folder that goes to the workers: the task's own unless another is named.

    Raises:
        UsageError: it does not hold the task and the Python that the task names.
    """
    folder = Path(os.path.abspath(working_dir or task.folder))
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder that could be sent to the cluster; check --working-dir")
    place = task.workload.rsplit(":", 1)[0]
    # Not resolved: what a link in the folder points to is sent too.
    needed = [task.path, *([task.folder / place] if place.endswith(".py") else [])]
    for path in needed:
        if not Path(os.path.abspath(path)).is_relative_to(folder):
            raise UsageError(
                f"{os.path.abspath(path)} lies outside of {folder}, which is what is sent to the cluster; name a "
                "folder that holds both: --working-dir DIR"
            )
    return folder


def runtime_env(folder: Path, left_out: Iterable[Path]) -> dict[str, Any]:
    """Give Ray's description of what to send: a folder without those in it that stay here.

    Raises:
        UsageError: it is larger than Ray takes.
    """
    inside = [path.relative_to(folder) for path in left_out if path != folder and path.is_relative_to(folder)]
    # Where files say what is to be ignored, only Ray knows what is left: it says itself what is too large.
    if not any((folder / name).exists() for name in _IGNORE_FILES):
        size = sum(bytes_ for _, bytes_ in _files(folder, inside))
        if size > LARGEST:
            raise too_large(folder, inside)
    return {
        "working_dir": str(folder),
        "excludes": [*NEVER_SENT, *(f"/{path.as_posix()}" for path in inside)],
    }


def too_large(folder: Path, inside: Iterable[Path] = ()) -> UsageError:
    """Make the error for a folder that Ray does not take."""
    path, size = max(_files(folder, inside), key=lambda file: file[1], default=(folder, 0))
    return UsageError(
        f"{folder} is sent to the cluster and is larger than the {LARGEST // 2**20} MiB that Ray takes "
        f"({path.relative_to(folder)} alone has {size / 2**20:,.0f} MiB); name what is not needed in "
        f"{folder / '.rayignore'}, or a smaller folder with --working-dir"
    )


def _files(folder: Path, inside: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """The files of a folder that are sent, with their sizes in bytes."""
    left_out = {folder / path for path in inside}
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NEVER_SENT and Path(here, name) not in left_out]
        for name in files:
            path = Path(here, name)
            if path.is_file():
                yield path, path.stat().st_size
