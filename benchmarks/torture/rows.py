"""What a row of the torture is: a promise, how it is tested, how often; and what is kept of each repetition."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "ray", "optuna", "sqlalchemy")


@dataclass(frozen=True)
class Repetition:
    """One repetition: its number, a fresh folder with a short name, and where its random moments come from."""

    number: int
    scratch: Path
    moments: random.Random


@dataclass
class Found:
    """What a repetition did and found.

    Attributes:
        counts: how often what was done, by its name; they are added up.
        wrong: a line on each promise that did not hold.
        figures: what was measured, by its name; of several repetitions median and largest are shown.
    """

    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def count(self, name: str, more: int = 1) -> None:
        """Add to a count."""
        self.counts[name] = self.counts.get(name, 0) + more

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what does not hold, in one line."""
        if not holds:
            self.wrong.append(" ".join(otherwise.split())[:400])


@dataclass(frozen=True)
class Row:
    """A promise and its test.

    Attributes:
        name: what the command line calls it.
        promise: what lrsearch promises.
        test: how that is tested, in a few words.
        counted: which of the counts has to reach ``target``.
        target: how often; a function where that is known only at run time.
        once: one repetition.
        unit: of the figures.
        limit: what the median of the figures, over all repetitions, may be at most.
    """

    name: str
    promise: str
    test: str
    counted: str
    target: int | Callable[[], int]
    once: Callable[[Repetition], Found]
    unit: str = "s"
    limit: float | None = None

    @property
    def asked(self) -> int:
        """How often it is to be done."""
        return self.target if isinstance(self.target, int) else self.target()


@dataclass(frozen=True)
class Result:
    """A repetition on record."""

    row: str
    number: int
    seed: int
    asked: int
    date: str
    commit: str
    versions: dict[str, str]
    seconds: float
    counts: dict[str, int]
    wrong: list[str]
    figures: dict[str, float]


def repeat(row: Row, number: int, seed: int, scratch: Path) -> Result:
    """Do a repetition; what it raises is found wrong."""
    began = time.perf_counter()
    try:
        found = row.once(Repetition(number, scratch, random.Random(f"{row.name} {seed} {number}")))
    except Exception as error:
        found = Found(wrong=[f"{type(error).__name__}: {error}"[:400]])
    seconds = round(time.perf_counter() - began, 1)
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    kept: dict[str, Any] = asdict(found)
    return Result(row.name, number, seed, row.asked, date, commit(), versions(), seconds, **kept)


def read(file: Path) -> list[Result]:
    """Read what is on record; a line that was cut off when the torture itself was killed is left out."""
    results = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            results.append(Result(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            continue
    return results


def append(file: Path, result: Result) -> None:
    """Put a repetition on record."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(result)) + "\n")


def write(file: Path, results: Iterable[Result]) -> None:
    """Write a record anew."""
    file.write_text("".join(json.dumps(asdict(result)) + "\n" for result in results), encoding="utf-8")


@cache
def commit() -> str:
    """Give the commit of the checkout; with a plus sign where what is measured was changed since."""
    git = ["git", "-C", str(Path(__file__).parent)]
    name = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    changed = [*git, "diff", "--quiet", "HEAD", "--", ":/lrsearch", ":/cprop"]
    return name + "+" * (subprocess.run(changed, capture_output=True).returncode != 0)


@cache
def versions() -> dict[str, str]:
    """Give the versions that matter."""
    return {"python": sys.version.split()[0], **{package: version(package) for package in PACKAGES}}
