"""Two drivers of one study, started at the same moment: one runs, the other leaves and names it."""

from pathlib import Path
from typing import Any

from drivers import chosen, start


def torture(scratch: Path, times: int, seed: int) -> dict[str, Any]:
    """Start pairs; count those in which one ran and one left with status 2 and one line."""
    good, others = 0, set()
    for number in range(times):
        root = scratch / str(number)
        pair = [start(root), start(root)]
        ends = sorted((driver.ended(), driver.said) for driver in pair)
        (first, _), (second, said) = ends
        fine = first == 0 and second == 2 and len(said.strip().splitlines()) == 1 and chosen(root) is not None
        good += fine
        if not fine:
            others.add(f"{first} and {second}: {said[-200:]}")
    return {
        "what": f"two drivers started at once on a fresh study, {times} times",
        "good": good == times,
        "found": f"{good} of {times}: one ran, the other left with status 2 and one line"
        + "".join(sorted(others)[:2]),
    }
