"""Files whose content counts for a training because the task says so (``watch``)."""

import glob
import hashlib
import os
import time
from functools import cache
from pathlib import Path

from lrsearch.errors import TaskError
from lrsearch.task.model import Task

WATCHED = "watch."
"""What the fields of an identity begin with that say what was watched; the pattern follows."""
_LEFT_OUT = "__pycache__"
_SETTLED_SECONDS = 2.0
"""A file that was written less than this ago may be written again without a new time of change."""


def watched(task: Task) -> dict[str, str]:
    """Return a digest of what each pattern of a task names: of its files' names and contents, in 16 hexadecimal digits.

    Raises:
        TaskError: a pattern names nothing, or a file cannot be read.
    """
    digests = {}
    for index, pattern in enumerate(task.watch):
        found = watched_files(task, pattern)
        if not found:
            raise task.error(
                f"watch names {pattern}, and there is no such file; fix it, or name it relative to {task.folder}",
                "watch",
                index,
            )
        digest = hashlib.sha256()
        for name, path in found.items():
            try:
                digest.update(name.encode() + b"\0" + _digest_now(path))
            except OSError as error:
                raise task.error(
                    f"watch names {name}, which cannot be read ({error.strerror}); check its path and permissions",
                    "watch",
                    index,
                ) from error
        digests[pattern] = digest.hexdigest()[:16]
    return digests


def watched_files(task: Task, pattern: str) -> dict[str, Path]:
    """Return the files that a pattern names, sorted, by their names as the pattern has them; of a folder, all in it."""
    found: dict[str, Path] = {}
    for name in glob.glob(pattern, root_dir=task.folder, recursive=True):
        path = task.folder / name
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.is_file() and _LEFT_OUT not in file.parts)
            found |= {(Path(name) / file.relative_to(path)).as_posix(): file for file in inside}
        else:
            found[Path(name).as_posix()] = path
    return dict(sorted(found.items()))


def watched_change(task: Task) -> str | None:
    """Return a line on what of the watched files is not as it was when the run began; None if all is."""
    if task.identity is None or not task.watch:
        return None
    try:
        now = watched(task)
    except TaskError as error:
        return error.problem
    changed = [pattern for pattern, digest in now.items() if task.identity[f"{WATCHED}{pattern}"] != digest]
    return f"{changed[0]}, which the task watches, was changed while it trained" if changed else None


def _digest_now(path: Path) -> bytes:
    status = os.stat(path)  # before it is read: what is written while it is read has another time of change
    known = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if time.time() - max(status.st_mtime, status.st_ctime) < _SETTLED_SECONDS:
        return _read(path)
    return _digest(path, known)


@cache
def _digest(path: Path, known: tuple[int, ...]) -> bytes:
    """A file's digest, as long as its size and times are those that are known: asked for at each training's end."""
    return _read(path)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
