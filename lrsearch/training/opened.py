"""The files of the task's own folder that its code opens, as Python's audit hook sees them while it is tried out."""

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import cprop
import lrsearch
from lrsearch.task.fingerprint import code_of
from lrsearch.task.model import Task
from lrsearch.task.watch import watched_files

_SHOWN = 3
_INSTALLED = ("site-packages", "dist-packages")
_NOT_OWN = tuple(
    Path(folder).resolve()
    for folder in (
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
        *(module.__path__[0] for module in (lrsearch, cprop)),  # of which a checkout may lie there
    )
)
_noting: list["_Opened"] = []


class _Opened:
    """What was opened to be read, and what was opened to be written, absolute.

    Of what was imported before, sources are only read to be shown: in a traceback, or to whoever asks for them.
    """

    def __init__(self) -> None:
        modules = list(sys.modules.values())
        self.imported = {Path(file) for module in modules if (file := getattr(module, "__file__", None))}
        self.read: dict[Path, None] = {}
        self.written: set[Path] = set()

    def note(self, name: object, flags: int) -> None:
        if not isinstance(name, str | bytes) or not name:
            return  # a file that is open already, by its number
        path = Path(os.path.abspath(os.fsdecode(name)))
        if flags & os.O_ACCMODE == os.O_RDONLY:
            self.read.setdefault(path)
        else:
            self.written.add(path)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _noting:
        name, _, flags = arguments
        for opened in _noting:
            opened.note(name, flags if isinstance(flags, int) else 0)


_hooked = False


@contextmanager
def noting_opened() -> Iterator[_Opened]:
    """Note what Python code opens meanwhile; what C code opens by itself (HDF5, say) is not seen."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_hook)  # for good: there is no way to take one out
        _hooked = True
    opened = _Opened()
    _noting.append(opened)
    try:
        yield opened
    finally:
        _noting.remove(opened)


def unwatched(task: Task, opened: _Opened, besides: Iterable[Path]) -> list[str]:
    """Return the files that were read and are neither code on record nor watched, as the task would name them, sorted.

    Those below the task's folder and below that of the process count.

    Args:
        task: prepared.
        opened: what was opened while it was tried out.
        besides: files and folders that are not the user's, or are on record in another way.
    """
    folder, here = task.folder.resolve(), Path.cwd().resolve()
    known = {*_NOT_OWN, *(task.code or code_of(task)).files, task.path.resolve(), *(path.resolve() for path in besides)}
    known |= {path.resolve() for pattern in task.watch for path in watched_files(task, pattern).values()}
    found = set()
    for path in opened.read.keys() - opened.written - opened.imported:
        path = _source_of(path).resolve()
        below = next((one for one in (folder, here) if path.is_relative_to(one)), None)
        if below is None or not path.is_file():
            continue
        if any(part.startswith(".") or part in _INSTALLED for part in path.relative_to(below).parts):
            continue  # of version control, editors, an environment
        if not known.intersection((path, *path.parents)):
            found.add(Path(os.path.relpath(path, folder)).as_posix())
    return sorted(found)


def unwatched_line(task: Task, files: list[str]) -> str:
    """Return a line on which files are read and not watched, and what to add to the task."""
    shown = ", ".join(files[:_SHOWN])
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    named = files if len(files) <= _SHOWN else sorted({os.path.dirname(file) or file for file in files})
    watch = (
        f"give watch={named}"
        if task.shown_as == "lrsearch.search"
        else f"add to the task: {yaml.safe_dump({'watch': named}, default_flow_style=None, width=10**6).strip()}"
    )
    return (
        f"{task.callable_name} reads {shown}{more}, and a change of {'it' if len(files) == 1 else 'them'} is not "
        f"noticed; to have it noticed, {watch}"
    )


def _source_of(path: Path) -> Path:
    """The source of a file of bytecode that Python cached; another file itself."""
    if path.parent.name != "__pycache__":
        return path
    try:
        return Path(importlib.util.source_from_cache(str(path)))
    except ValueError:
        return path
