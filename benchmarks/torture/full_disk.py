"""No space left, at more and more of what a search writes; then there is room again, and it goes on."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers import chosen, start

ROOM = 16 * 1024 * 1024


def torture(scratch: Path, times: int, seed: int) -> dict[str, Any]:
    """Leave so many different amounts of room on a file system of its own (needs the right to mount one)."""
    assert start(scratch / "whole").ended() == 0
    expected = chosen(scratch / "whole")
    needed = sum(file.stat().st_size for file in (scratch / "whole").rglob("*") if file.is_file())
    wrong, refused = [], 0
    for number in range(times):
        with small_disk(scratch / f"disk{number}") as disk:
            filler = disk / "filler"
            left = int(3 * needed * number / times)
            filler.write_bytes(bytes(ROOM - left - 65536))
            driver = start(disk / "studies")
            status = driver.ended()
            # What it printed stands on the full disk too, as far as there was room: look at the status.
            refused += status != 0
            if status not in (0, 1, 2) or "Traceback" in driver.said:
                wrong.append(f"{left} bytes left: status {status}, {driver.said[-300:]}")
            filler.unlink()
            again = start(disk / "studies")
            if again.ended() != 0 or chosen(disk / "studies") != expected:
                wrong.append(f"{left} bytes left, then room: {again.said[-300:]}")
    return {
        "what": f"no space left after up to {3 * needed / 1024:.0f} KiB, {times} amounts, {refused} of them too little",
        "good": not wrong and refused > 0,
        "found": "; ".join(wrong[:3])
        or "ended with status 0 to 2 and no traceback, then went on to the identical result",
    }


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of a fixed size."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
