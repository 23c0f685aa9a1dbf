"""What a process has read so far, so that a summary can say on what data a run was made."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Loaded:
    """A data set that was read.

    Attributes:
        name: its name in the catalogue.
        summary: a phrase such as ``cifar100: 15,000 of 50,000 training and 5,000 of 10,000 test images (a
            subset)``.
        digest: SHA-256 of what was read, in hexadecimal: of the one file, of sha256sum's list of several, or,
            for an unpacked folder of many files, of their names, sizes and times of change.
        content: SHA-256 of the decoded tensors: the same from an archive and from the folder unpacked from it.
        complete: whether it is known to be byte for byte the published set.
        paths: its files, or its unpacked folder.
    """

    name: str
    summary: str
    digest: str
    content: str
    complete: bool
    paths: tuple[Path, ...] = ()
