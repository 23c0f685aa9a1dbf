"""Trainings that raise, leave, die, hang, or give what is no number: the run ends as it should, with both engines."""

import re
import shutil
import signal
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from drivers import HERE, PATIENCE, Driver, ended, ray_folder, start, wait_until_gone
from rows import Found, Repetition, Row

from lrsearch.trial import Failed

TIMEOUTS = {"inline": 2.0, "ray": 10.0}
"""Seconds; a worker of Ray loads torch within its first evaluation, which takes a while on a busy machine."""
GRACE = 5.0
"""Seconds after the timeout within which a hang has to have ended."""
TEXT = """\
name: valley
workload: moods.py:moody
arguments: {{mood: {mood}, marks: {marks}}}
budget: {{iterations: 40, evaluate_every: 10}}
seeds: 2
metric: {{name: train_loss}}
resources: {{timeout: {timeout}, max_failures: 2}}
optimizers:
  sgd: {{lr: {{start: 0.1}}}}
"""
SAME = (
    r"sgd/lr at 0\.[13], seed 1, failed in the same way (when it was tried again|as another before it): .*{}: .*"
    r"this is no accident, so the run ends"
)
OFTEN = r"sgd/lr at 0\.[13], seed 1, failed: .*{} \(3 times\)( \(and 1 more\))?; what had ended is kept"
BY_003 = r".*sgd/lr = 0\.03: bracketed by 0\.01 and 0\.1"
"""What is chosen where the best three rates give no number."""


@dataclass(frozen=True)
class Case:
    """A mood, and how a run with it ends.

    ``status`` and ``says`` are of the run; None as ``says`` stands for the result of a calm one. ``goes_on``: where the
    run ends with its training, the same command then gives that result.
    """

    mood: str
    status: int = 0
    says: str | None = None
    engines: tuple[str, ...] = ("inline", "ray")
    goes_on: bool = False


CASES = (
    Case("calm"),
    Case("raises", 1, SAME.format("ValueError")),
    Case("raises once"),
    Case("exits", 1, SAME.format("SystemExit")),
    Case("exits once"),
    Case("killed", 1, OFTEN.format("its process ended; there may be no memory left for it"), ("ray",)),
    Case("killed once", engines=("ray",)),
    Case("killed once", -signal.SIGKILL, "", ("inline",), goes_on=True),
    Case("memory error", 1, OFTEN.format("MemoryError")),
    Case("no memory", 1, OFTEN.format("can't allocate memory.*")),
    Case("no memory once"),
    Case("hangs", 1, OFTEN.format(r"it gave no evaluation for \d+ s and .*")),
    Case("hangs once"),
    Case("hangs in C once", 1, r".*as it hangs in C code; so the run ends", ("inline",), goes_on=True),
    Case("hangs in C once", engines=("ray",)),
    Case("holds the interpreter once", 1, "", ("inline",), goes_on=True),
    Case("holds the interpreter once", engines=("ray",)),
    Case("NaN", says=BY_003),
    Case("inf", says=BY_003),
    Case("-inf", says=BY_003),
    Case("no metric", 2, r".*metric.name is train_loss, which moods.py:moody does not give"),
)
ALL = [(case, engine) for engine in TIMEOUTS for case in CASES if engine in case.engines]


def misbehave(repetition: Repetition) -> Found:
    """Run one case with one engine."""
    case, engine = ALL[repetition.number % len(ALL)]
    found, root = Found(), repetition.scratch / "studies"
    task = write_task(repetition.scratch, case.mood, TIMEOUTS[engine])
    with ray_folder() if engine == "ray" else nullcontext() as folder:
        driver = start(root, task=task, engine=engine)
        if case.mood.startswith("h"):
            _watch(found, task.parent / "marks/hangs", driver, engine)
        status = driver.ended()
        found.count("cases")
        _expect(found, case, engine, status, driver)
        if case.goes_on:
            driver = start(root, task=task, engine=engine)
            status = driver.ended()
            found.expect(status == 0, f"{case.mood}, {engine}, then: status {status}: {driver.last_line}")
        if case.goes_on or case.says is None:
            found.expect(_results(root) == _calm(), f"{case.mood}, {engine}: came out otherwise")
        if folder is not None:
            wait_until_gone(folder)
    return found


def _watch(found: Found, hangs: Path, driver: Driver, engine: str) -> None:
    """Measure how long a hang lasts: until its process is gone, or is told to go on with something else."""
    until = time.perf_counter() + PATIENCE
    while not hangs.exists() and time.perf_counter() < until:
        time.sleep(0.01)
    began = time.perf_counter()
    heard = re.compile(r"gave no evaluation for|Timeout \(")
    while not heard.search(driver.said) and time.perf_counter() < until:
        time.sleep(0.01)
    took = time.perf_counter() - began
    timeout = TIMEOUTS[engine]
    found.figures[f"hang after its timeout, {engine}"] = round(took - timeout, 2)
    found.expect(
        took < timeout + GRACE, f"{engine}: a hang with a timeout of {timeout:g} s took {took:.1f} s"
    )


def _expect(found: Found, case: Case, engine: str, status: int, driver: Driver) -> None:
    where = f"{case.mood}, {engine}"
    found.expect(status == case.status, f"{where}: status {status}: {driver.said[-300:]}")
    lines = driver.said.splitlines()
    if case.says:
        said = any(re.match(case.says, line) for line in lines)
        found.expect(said, f"{where}: said {driver.said[-300:]}")
    found.expect("Traceback" not in driver.said, f"{where}: a traceback")


def _results(root: Path) -> dict[tuple[str, int, int], tuple[str, object]]:
    """What came of each training that ended with a value, or diverged."""
    return {
        (str(t.spec.search), t.spec.rung, t.spec.seed): (str(t.outcome), t.curve)
        for t in ended(root).values()
        if not isinstance(t.outcome, Failed)
    }


@cache
def _calm() -> dict[tuple[str, int, int], tuple[str, object]]:
    """The same of a search in which nothing misbehaves."""
    with tempfile.TemporaryDirectory() as folder:
        task = write_task(Path(folder), "calm", TIMEOUTS["inline"])
        start(Path(folder, "studies"), task=task).must_end_well()
        return _results(Path(folder, "studies"))


def write_task(folder: Path, mood: str, timeout: float) -> Path:
    """Write a task with a mood, beside its workload."""
    (folder / "marks").mkdir()
    for name in ("valley.py", "moods.py"):
        shutil.copy(HERE / name, folder)
    task = folder / "valley.yaml"
    task.write_text(TEXT.format(mood=mood, marks=folder / "marks", timeout=timeout))
    return task


ROWS = (
    Row(
        "misbehaving",
        "misbehaving trainings do no harm",
        "trainings that raise, `sys.exit`, SIGKILL themselves, run out of memory (also really, under a limit), hang, "
        "hang in C, give NaN, +-inf or no metric, once or always: the run ends as it should; a hang within its timeout "
        f"+ {GRACE:g} s; both engines",
        "cases",
        len(ALL),
        misbehave,
    ),
)
