"""Ctrl-C, twice Ctrl-C and SIGTERM at random moments: how soon it stops, with what status, and what it says."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from drivers import Driver, chosen, start

KINDS = {
    "Ctrl-C": ([signal.SIGINT], 5.0, 130),
    "twice": ([signal.SIGINT] * 2, 1.0, 130),
    "SIGTERM": ([signal.SIGTERM], 5.0, 143),
}
"""What is sent, the seconds that it may take, and the exit status."""


def torture(scratch: Path, times: int, seed: int) -> dict[str, Any]:
    """Send each kind so many times; every study then goes on to the undisturbed result."""
    moments = random.Random(seed)
    began = time.perf_counter()
    assert start(scratch / "whole", before=_paced).ended() == 0
    whole = time.perf_counter() - began
    expected = chosen(scratch / "whole")
    slowest, wrong, otherwise = dict.fromkeys(KINDS, 0.0), [], 0
    for number in range(times):
        for kind, (signals, most, expected_status) in KINDS.items():
            root = scratch / f"{kind}{number}"
            driver = start(root, before=_paced)
            status = driver.ended_within(moments.uniform(0.05, 0.9) * whole)
            if status is None:
                sent = time.perf_counter()
                for one in signals:
                    driver.signal(one)
                    time.sleep(0.05)
                status = driver.ended()
                took = time.perf_counter() - sent
                slowest[kind] = max(slowest[kind], took)
                if status not in (expected_status, 0) or took > most or (status and not _says_how(driver)):
                    wrong.append(f"{kind}: status {status} after {took:.1f} s, said {driver.said[-200:]!r}")
            assert start(root, before=_paced).ended() == 0
            otherwise += chosen(root) != expected
    found = ", ".join(f"{kind} at most {seconds:.2f} s" for kind, seconds in slowest.items())
    return {
        "what": f"Ctrl-C, twice Ctrl-C, SIGTERM, {times} of each at random moments",
        "good": not wrong and not otherwise,
        "found": f"{found}; {otherwise} with another chosen.yaml"
        + "".join(f"; {text}" for text in wrong[:3]),
    }


def _says_how(driver: Driver) -> bool:
    last = (driver.said.strip().splitlines() or [""])[-1]
    return "lrsearch resume valley" in last or "stopped before anything was trained" in last


def _paced() -> None:
    os.environ["TORTURE_PACE"] = "0.002"
