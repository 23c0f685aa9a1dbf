"""Decoded data sets in the user's cache: one file of tensors a source, mapped by all processes of a machine.

The file is named by what it was made of, so a changed source is another file, and any of them may be deleted
at any time. It is mapped, not read: processes share its pages, and one that writes into a tensor changes its
own copy of a page alone.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import filelock
import platformdirs
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lrsearch import streams
from lrsearch.datasets.files import Source
from lrsearch.errors import DataError

_LAYOUT = 2
"""Part of the files' names: another way to lay the tensors out is another number."""


Kind = Literal["published", "subset", "other"]


@dataclass(frozen=True, eq=False, slots=True)
class Decoded:
    """A data set as tensors.

    Attributes:
        tensors: by name.
        summary: what they are, in a phrase that begins with the set's name.
        kind: the published files; fewer examples than those hold; or as many from other files, of which
            nothing says that they are the same.
        content: SHA-256 of the tensors, as ``content_of`` gives it; empty before they are cached.
    """

    tensors: dict[str, Tensor]
    summary: str
    kind: Kind
    content: str = ""


def folder() -> Path:
    """Give the folder of the decoded data sets."""
    return Path(platformdirs.user_cache_dir("lrsearch")) / "decoded"


def cached(source: Source, decode: Callable[[], Decoded]) -> Decoded:
    """Give a source's tensors from the cache, after one process of the machine has put them there.

    What is read is held against its checksum; a damaged file is made anew, with a line on stderr.

    Raises:
        DataError: the cache cannot be written; or what ``decode`` raises.
    """
    path = folder() / f"{source.data_set.name}-{source.digest[:32]}-{_LAYOUT}.safetensors"
    if (decoded := _open(path, source.digest)) is not None:
        return decoded
    with _only_one(path.with_suffix(".lock"), source.data_set.name):
        # Whoever had the lock before has most likely written it.
        if (decoded := _open(path, source.digest)) is not None:
            return decoded
        if path.exists():
            print(f"{path} is damaged; it is made anew from {source.paths[0]}", file=streams.stderr())
        made = decode()
        _save(path, source.digest, made)
        # Mapped at once, so that this process too shares its pages with the others.
        return _open(path, source.digest) or made


def _open(path: Path, digest: str) -> Decoded | None:
    """Give what a file of the cache holds, or None where there is none that is whole."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        content = content_of(tensors)
        whole = about.get("checksum") == _checksum(content, about) and about["digest"] == digest
    # A damaged header may name any type and any shape, so no list of what then fails would be whole.
    except Exception:
        return None
    if not whole:
        return None
    return Decoded(tensors, about["summary"], cast(Kind, about["kind"]), content)


def _save(path: Path, digest: str, decoded: Decoded) -> None:
    about = {"digest": digest, "summary": decoded.summary, "kind": decoded.kind}
    tensors = {name: tensor.contiguous() for name, tensor in decoded.tensors.items()}
    unfinished = path.with_suffix(".unfinished")
    with _writing(path.parent):
        try:
            save_file(tensors, unfinished, about | {"checksum": _checksum(content_of(tensors), about)})
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


def content_of(tensors: dict[str, Tensor]) -> str:
    """Give the SHA-256 of tensors with their names, types and shapes: the same wherever they were decoded from."""
    shapes = sorted((name, str(tensor.dtype), list(tensor.shape)) for name, tensor in tensors.items())
    digest = hashlib.sha256(json.dumps(shapes).encode())
    for name in sorted(tensors):
        digest.update(tensors[name].numpy().data)
    return digest.hexdigest()


def _checksum(content: str, about: dict[str, str]) -> str:
    """Give the SHA-256 of the tensors' own, and of what is said about them."""
    said = sorted((key, value) for key, value in about.items() if key != "checksum")
    return hashlib.sha256(json.dumps([said, content]).encode()).hexdigest()


@contextmanager
def _only_one(lock_file: Path, name: str) -> Iterator[None]:
    lock = filelock.FileLock(lock_file)
    with _writing(lock_file.parent):
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if streams.stderr().isatty():
                print(f"waiting for another process, which is decoding {name}", file=streams.stderr())
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turn what the system says against writing to the cache into one line."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        number = error.errno if isinstance(error, OSError) else _system_error(error)
        why = os.strerror(number) if number else str(error)
        remedy = "make room there, allow it, or set XDG_CACHE_HOME to another folder"
        raise DataError(f"{place} cannot be written ({why}); {remedy}") from error


def _system_error(error: SafetensorError) -> int | None:
    """Find the system's number in the text of an error that has no field for it."""
    found = re.search(r"(?:os error|code:) (\d+)", str(error))
    return int(found[1]) if found else None
