"""What the tests show of bad input, each row by running them: mistakes, fuzz, resumption, secrets, planted code."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from xml.etree import ElementTree

from rows import Found, Repetition, Row

ROOT = Path(__file__).parents[2]
_SECONDS = 3000.0
"""After which a suite hangs."""


def _pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )


@cache
def _collected(*files: str) -> int:
    """How many tests there are in files."""
    said = _pytest("--collect-only", "-q", *files).stdout
    return sum(map(int, re.findall(r"^tests/.*: (\d+)$", said, re.MULTILINE)))


def _suite(*files: str, options: tuple[str, ...] = ()) -> Callable[[Repetition], Found]:
    """Run tests, and count them and what of them fails or skips."""

    def once(repetition: Repetition) -> Found:
        found = Found()
        report = repetition.scratch / "report.xml"
        said = _pytest(f"--junitxml={report}", *options, *files).stdout
        for case in ElementTree.parse(report).iter("testcase"):
            found.count("tests")
            if case.find("skipped") is not None:
                found.count("skipped")
            broken = case.find("failure") is not None or case.find("error") is not None
            found.expect(not broken, f"{case.get('name')} fails")
        examples = sum(map(int, re.findall(r"(\d+) passing", said)))
        if examples:
            found.count("examples", examples)
        return found

    return once


def _row(name: str, promise: str, test: str, *files: str, options: tuple[str, ...] = ()) -> Row:
    return Row(name, promise, test, "tests", partial(_collected, *files), _suite(*files, options=options))


ROWS = (
    _row(
        "mistakes",
        "a bad task file or command ends with status 2 and one line that says where, what and the remedy",
        "a table of mistakes, each with the line that it gives",
        *(f"tests/task/test_bad_{kind}.py" for kind in ("entries", "format", "shares", "syntax")),
        "tests/task/test_many_mistakes.py",
        "tests/cli/test_bad_input.py",
    ),
    _row(
        "fuzz",
        "whatever a file holds, a command ends with status 0, or 2 and one line: no traceback, hang or crash",
        "bytes, text, nesting up to 20,000 deep, good and real files changed, any value for any key; 1,000 of each",
        "tests/task/test_fuzz.py",
        "tests/cli/test_fuzz_commands.py",
        options=("--hypothesis-profile=fuzz", "--hypothesis-show-statistics"),
    ),
    _row(
        "wrong_resume",
        "a finished study does not go on with a task that trains differently, and does with one that does not",
        "every field of a task file, the code, the data and the versions, changed one at a time",
        "tests/cli/test_wrong_resume.py",
    ),
    _row(
        "secrets",
        "a storage's password is in nothing that is printed or written",
        "nine forms of URL that fail, three that work, every command, with `--debug` too; output, files, tables, and "
        "Ray's session searched for it",
        "tests/cli/test_secrets.py",
    ),
    _row(
        "planted",
        "code planted in what is read is not run",
        "pickles as checkpoints and data, tags in `chosen.yaml`, both in each text of a study's database; tasks that "
        "are only looked at",
        "tests/cli/test_planted.py",
        "tests/cli/test_trust.py",
        "tests/datasets/test_pickles.py",
        "tests/training/test_checkpoint.py",
    ),
)
