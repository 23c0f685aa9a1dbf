"""No space left, at one write or another of a search; then there is room again, and it goes on."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from drivers import chosen, start, undisturbed
from rows import Found, Repetition, Row

ROOM = 16 * 1024 * 1024
PAGE = 4096
PROGRESS = re.compile(r"\d+:\d\d:\d\d  ")
"""What a line of progress begins with."""


def fill_and_free(repetition: Repetition) -> Found:
    """Leave a random amount of room, less than a search takes, on a file system of its own; then make room."""
    found = Found()
    with small_disk(repetition.scratch / "disk") as disk:
        filler, log = disk / "filler", repetition.scratch / "log"
        left = repetition.moments.randrange(needed() // PAGE) * PAGE
        filler.write_bytes(bytes(ROOM - left - PAGE))
        driver = start(disk / "studies", log=log)
        status = driver.ended()
        if status == 0:
            found.count("enough")
        else:
            found.count("points")
            said = [line for line in driver.said.splitlines() if line and not PROGRESS.match(line)]
            found.expect(status == 1, f"{left} bytes left: status {status}: {driver.last_line}")
            found.expect(len(said) == 1, f"{left} bytes left: {len(said)} lines: {driver.said[-300:]}")
        filler.unlink()
        again = start(disk / "studies", log=repetition.scratch / "log2")
        ended = again.ended()
        found.expect(ended == 0, f"{left} bytes left, then room: status {ended}: {again.last_line}")
        found.expect(chosen(disk / "studies") == undisturbed().chosen, f"{left} bytes: another chosen.yaml")
    return found


@cache
def needed() -> int:
    """The most bytes that a search ever takes on a disk, so far as seen a thousand times a second."""
    most = 0
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder, "disk")) as disk:
        driver = start(disk / "studies", log=Path(folder, "log"))
        while driver.ended_within(0.001) is None:
            there = os.statvfs(disk)
            most = max(most, (there.f_blocks - there.f_bfree) * there.f_frsize)
    return most


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of a fixed size; needs the right to mount one."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


ROWS = (
    Row(
        "full_disk",
        "a full disk loses nothing",
        "no space left at one write or another: one line and status 1; then room, and on to the identical result",
        "points",
        50,
        fill_and_free,
    ),
)
