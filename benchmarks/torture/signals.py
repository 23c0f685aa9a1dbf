"""Ctrl-C, twice Ctrl-C and SIGTERM at random moments: how soon it stops, with what status, and what it says."""

import signal
import time
from contextlib import nullcontext
from pathlib import Path

from drivers import (
    PACE,
    STEADY,
    Driver,
    chosen,
    ray_folder,
    start,
    start_afresh,
    undisturbed,
    wait_until_gone,
)
from rows import Found, Repetition, Row

KINDS = {
    "Ctrl-C": ([signal.SIGINT], 5.0, 130),
    "twice": ([signal.SIGINT] * 2, 1.0, 130),
    "SIGTERM": ([signal.SIGTERM], 5.0, 143),
}
"""What is sent, the seconds that it may take, and the exit status."""
BETWEEN = 0.05
"""Seconds between the two of twice."""
IMPORTS, RAY_STARTS = 3.0, 6.0
"""About the seconds that an interpreter of its own, and then Ray, take to start: moments fall into them too."""


def send(repetition: Repetition) -> Found:
    """Send each kind once; a third to forks, a third to interpreters of their own, a third with Ray."""
    found = Found()
    for kind in KINDS:
        with ray_folder() if repetition.number % 3 == 2 else nullcontext() as folder:
            _send(found, kind, repetition, repetition.scratch / kind.replace(" ", ""))
            if folder is not None:
                wait_until_gone(folder)
    return found


def _send(found: Found, kind: str, repetition: Repetition, root: Path) -> None:
    signals, most, expected = KINDS[kind]
    way = repetition.number % 3
    whole = undisturbed(STEADY, PACE).seconds
    if way == 0:
        driver, whole = start(root, task=STEADY, pace=PACE), whole * 0.9
    else:
        driver = start_afresh(root, task=STEADY, engine=["inline", "ray"][way - 1], pace=PACE)
        whole += [IMPORTS, IMPORTS + RAY_STARTS][way - 1]
    _wait_for_handlers(driver)
    status = driver.ended_within(repetition.moments.uniform(0, whole))
    if status is None:
        began = time.perf_counter()
        for number, one in enumerate(signals):
            if number:
                time.sleep(BETWEEN)
                began = time.perf_counter()
            if (status := driver.ended_within(0)) is None:
                driver.signal(one)
        status = driver.ended() if status is None else status
        took = time.perf_counter() - began
        if chosen(root, STEADY.stem) is not None:
            found.count("after its end")  # all was done: what comes then is the interpreter's own
            return
        found.figures[f"{kind}"] = round(took, 2)
        where = f"{kind}, {['forked', 'inline', 'ray'][way]}: status {status} after {took:.1f} s"
        found.expect(status in (expected, 0), f"{where}: {driver.said[-300:]}")
        found.expect(took <= most, f"{where}: too late: {driver.said[-200:]}")
        found.expect(not status or _says_how(driver), f"{where}: said {driver.said[-200:]!r}")
        found.count("signals")
        found.count(kind)
    again = start(root, task=STEADY, pace=PACE)
    ended = again.ended()
    found.expect(ended == 0, f"{kind}, then: status {ended}: {again.last_line}")
    found.expect(
        chosen(root, STEADY.stem) == undisturbed(STEADY, PACE).chosen, f"{kind}: another chosen.yaml"
    )


def _wait_for_handlers(driver: Driver) -> None:
    """Wait until it catches SIGTERM: what an interpreter does before lrsearch runs is its own."""
    status = Path(f"/proc/{driver.pid}/status")
    until = time.perf_counter() + 30
    while time.perf_counter() < until:
        (caught,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught, 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)


def _says_how(driver: Driver) -> bool:
    return "lrsearch resume steady" in driver.last_line or "stopped before anything" in driver.last_line


ROWS = (
    Row(
        "signals",
        "it stops within seconds",
        "Ctrl-C (within 5 s), twice (within 1 s of the second) and SIGTERM (5 s) at random moments from the first "
        "imports on, 30 of each, a third with Ray: the status and the line that say so; then on to the same result",
        "signals",
        90,
        send,
    ),
)
