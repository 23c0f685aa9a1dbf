"""Code that is edited while it trains: no curve is of two codes, and none of code that is not on record."""

import os
import random
import time
from pathlib import Path

from drivers import Driver, ray_folder, start, wait_until_gone
from rows import Found, Repetition, Row

from lrsearch import studies
from lrsearch.errors import StudyNotFoundError
from lrsearch.studies import Study
from lrsearch.task import load_task
from lrsearch.task.fingerprint import identity_of
from lrsearch.trial import Trial

NAMES = ("work.py", "beside.py", "late.py")
"""Each adds to every loss what it holds: 0, or as it is edited 100, 200 and 400. ``late`` is imported in training."""
WORK = """\
import os
import time

import beside
from lrsearch.training import loop

loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0, 1e9
CODE = {}


def train(trial):
    x, first = 3.0, 0
    if (state := trial.resumed) is not None:
        x, first = state["x"], state["iteration"]
    for iteration in range(first, trial.iterations + 1):
        time.sleep(float(os.environ["TORTURE_PACE"]))
        if iteration >= 20:
            import late
        if trial.is_due(iteration):
            code = CODE + beside.CODE + (late.CODE if iteration >= 20 else 0)
            if trial.report(iteration, train_loss=code + x * x * (1 + 0.01 * trial.seed)):
                return
            trial.save({{"x": x, "iteration": iteration}})
        x -= trial.lr * x
"""
TASK = """\
name: edited
loop: work.py:train
budget: {iterations: 40, evaluate_every: 5}
seeds: 3
optimizers: {sgd: {lr: {start: 0.1}}}
search: {limits: {lr: [0.03, 0.3]}}
"""
PACE = 0.003
SECONDS = {"inline": 3.0, "ray": 10.0}
"""About what a search takes; edits and kills fall within."""
Codes = tuple[bool, ...]
"""Which of the files are edited."""


def once(repetition: Repetition) -> Found:
    """Edit while a search runs, kill it half of the time, go on, until it has ended with the code of its study."""
    found, moments = Found(), repetition.moments
    engine = ("inline", "ray")[repetition.number % 2]
    kills = repetition.number % 4 >= 2
    folder = repetition.scratch
    (folder / "edited.yaml").write_text(TASK)
    with ray_folder() as rays:
        codes = _write(folder, tuple(moments.random() < 0.5 for _ in NAMES))
        for _ in range(20):
            driver = start(folder / "studies", task=folder / "edited.yaml", engine=engine, pace=PACE)
            codes, status = _edited(found, driver, folder, codes, moments, SECONDS[engine], kills)
            if engine == "ray":
                wait_until_gone(rays)
            study = _checked(found, folder)
            if status == 0 and study is not None and study.finished:
                found.count("searches")
                break
            found.expect(status in (0, 2, None), f"status {status}: {driver.last_line}")
            if status == 2:
                found.expect("has changed" in driver.said, f"refused: {driver.last_line}")
            # The next run finds the study's own code again, or what was left there.
            if study is not None and (status == 2 or moments.random() < 0.5):
                codes = _write(folder, _of_study(folder, study))
            kills = kills and moments.random() < 0.7
    return found


def _edited(
    found: Found,
    driver: Driver,
    folder: Path,
    codes: Codes,
    moments: random.Random,
    seconds: float,
    kills: bool,
) -> tuple[Codes, int | None]:
    """Edit at random moments, a file at a time, until the driver ends or is killed (status None)."""
    dies = time.perf_counter() + moments.uniform(0, seconds) if kills else float("inf")
    while True:
        status = driver.ended_within(moments.uniform(0, seconds / 4))
        if status is not None:
            return codes, status
        if time.perf_counter() > dies:
            driver.kill()
            found.count("kills")
            return codes, None
        edited = moments.randrange(len(NAMES))
        codes = _write(folder, tuple(code ^ (number == edited) for number, code in enumerate(codes)))
        found.count("edits")


def _write(folder: Path, codes: Codes) -> Codes:
    for number, (name, edited) in enumerate(zip(NAMES, codes, strict=True)):
        code = (WORK if name == "work.py" else "CODE = {}\n").format(100 << number if edited else 0)
        new = folder / f"{name}.new"
        new.write_text(code)
        os.replace(new, folder / name)
    return codes


def _checked(found: Found, folder: Path) -> Study | None:
    """See that every curve is of one code, and of that of which the study says that it is."""
    try:
        study = studies.read(studies.Place("edited", folder / "studies"))
    except StudyNotFoundError:
        return None
    trials = [trial for state in study.states.values() for trial in state.trials]
    for trial in trials:
        found.expect(len(set(_early(trial))) <= 1, f"{trial.id} is of two codes: {trial.curve}")
    ended = [trial for trial in trials if trial.ended]
    if not ended:
        return study  # the next run may make it of other code
    of_study = _of_study(folder, study)
    early, late = (sum(100 << n for n, edited in enumerate(of_study) if edited and n in of) for of in ((0, 1), (2,)))
    for trial in ended:
        codes = {int(e.value // 100) * 100 - (late if e.iteration >= 20 else 0) for e in trial.curve}
        found.expect(codes == {early}, f"{trial.id} is of code {codes}, on record is {early}")
    return study


def _early(trial: Trial) -> list[int]:
    return [int(e.value // 100) for e in trial.curve if e.iteration < 20]


def _of_study(folder: Path, study: Study) -> Codes:
    """Which of the files are edited in the code that is on record."""
    scratch = folder / "tried"
    scratch.mkdir(exist_ok=True)
    (scratch / "edited.yaml").write_text(TASK)
    for number in range(2 ** len(NAMES)):
        codes = _write(scratch, tuple(bool(number >> n & 1) for n in range(len(NAMES))))
        if identity_of(load_task(scratch / "edited.yaml"))["loop's code"] == study.identity["loop's code"]:
            return codes
    raise AssertionError("the study is of none of the codes")


ROWS = (
    Row(
        "edited",
        "what trained is what is on record",
        "a loop, a module that it imports and one that it imports late are edited at random moments, in both engines, "
        "with and without SIGKILL of the driver; then on: no curve is of two codes, or of code that is not on record",
        "edits",
        50,
        once,
        unit="",
    ),
)
