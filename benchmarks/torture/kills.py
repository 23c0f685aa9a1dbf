"""SIGKILL of the driver at random moments; then it goes on, until the search has ended."""

import os
import random
import time
from pathlib import Path
from typing import Any

from drivers import chosen, ended, lost, repeated, start

PACE = "0.002"


def torture(scratch: Path, times: int, seed: int) -> dict[str, Any]:
    """Make the kills; give what was lost, repeated or came out otherwise."""
    moments = random.Random(seed)
    pace = _paced
    began = time.perf_counter()
    assert start(scratch / "whole", before=pace).ended() == 0
    whole = time.perf_counter() - began
    expected = chosen(scratch / "whole")
    kills = gone = again = otherwise = rounds = 0
    while kills < times:
        root, rounds = scratch / str(rounds), rounds + 1
        while True:
            before = ended(root)
            driver = start(root, before=pace)
            status = driver.ended_within(moments.uniform(0, whole))
            if status is not None:
                break
            driver.kill()
            kills += 1
            gone += lost(before, ended(root))
            if kills >= times:
                assert start(root, before=pace).ended() == 0
                break
        gone += lost(before, ended(root))
        again += repeated(ended(root))
        otherwise += chosen(root) != expected
    return {
        "what": f"{kills} SIGKILLs of the driver at random moments of {rounds} searches, inline engine",
        "good": not (gone or again or otherwise),
        "found": f"{gone} ended trainings lost, {again} made again, {otherwise} searches with another chosen.yaml",
    }


def _paced() -> None:
    os.environ["TORTURE_PACE"] = PACE
