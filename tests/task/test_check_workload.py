"""What is known of a workload from its source alone: it is never imported, and nothing right is refused."""

# ruff: noqa: E501 - a case a row: the tables are read across
import inspect
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsearch.errors import LRSearchError, UsageError
from lrsearch.task import Task, parse_task
from lrsearch.task.workload import check_workload

TASK = """\
name: mine
workload: mine.py:make
arguments: {kind: small}
budget: {iterations: 10, evaluate_every: 10}
optimizers:
  sgd: {lr: {start: 0.1}}
"""
NEVER_RUN = "raise SystemExit('this was run')\n"

FINE = {
    "a function": ("def make(kind): ...", ""),
    "defaults": ("def make(size=1, /, kind='big', *rest, own=1, **more): ...", ""),
    "keyword only": ("def make(*, kind, size=3): ...", ""),
    "anything": ("def make(**arguments): ...", ""),
    "a long sum": (f"text = {' + '.join(['1'] * 900)}\ndef make(kind): ...", ""),
    "a name of another scope": ("def make(kind): ...\ndef other():\n    make = 1", ""),
    "invalid escape": ("def make(kind): ...\ntext = '\\d'", ""),
    "Latin-1": ("# coding: latin-1\ndef make(kind): 'ä'", ""),
    "decorated": ("@cached\ndef make(): ...", "the arguments of mine.py:make"),
    "a class": ("class make: ...", "the arguments of mine.py:make"),
    "assigned": ("make = partial(other)", "the arguments of mine.py:make"),
    "assigned again": ("def make(): ...\nmake = wrapped(make)", "the arguments of mine.py:make"),
    "imported": ("from other import make", "the arguments of mine.py:make"),
    "imported as": ("import other as make", "the arguments of mine.py:make"),
    "in one of two ways": ("if x:\n    def make(): ...\nelse:\n    make = None", "the arguments of mine.py:make"),
    "caught": ("try: ...\nexcept E as make: ...", "the arguments of mine.py:make"),
    "matched": ("match x:\n    case [make, *_]: ...", "the arguments of mine.py:make"),
    "imported with all others": ("from other import *", "make of mine.py"),
    "made on demand": ("def __getattr__(name): ...", "make of mine.py"),
    "put there": ("globals()['make'] = 1", "make of mine.py"),
    "global": ("def f():\n    global make\n    make = 1", "make of mine.py"),
}  # fmt: skip
BAD = {
    "another name": ("def mke(kind): ...", "mine.yaml:2:1 workload names make in mine.py, which does not exist; did you mean mke?"),
    "nothing": ("", "mine.yaml:2:1 workload names make in mine.py, which does not exist; define it in mine.py"),
    "inside another": ("class A:\n    def make(self): ...", "mine.yaml:2:1 workload names make in mine.py, which does not exist; define it in mine.py"),
    "misspelt argument": ("def make(kinds): ...", "mine.yaml:3:13 arguments.kind is no argument of mine.py:make; did you mean kinds?"),
    "unknown argument": ("def make(): ...", "mine.yaml:3:13 arguments.kind is no argument of mine.py:make; it takes none"),
    "missing argument": ("def make(kind, *, size): ...", "mine.yaml:3:1 arguments.size is missing, which mine.py:make needs; add arguments: {size: ...}"),
    "async": ("async def make(): ...", "mine.yaml:2:1 workload mine.py:make only begins when it is awaited"),
    "a generator": ("def make(kind):\n    yield", "mine.yaml:2:1 workload mine.py:make only begins when it is awaited"),
    "a loop for a workload": ("def make(kind, trial): ...", "mine.yaml:3:1 arguments.trial is missing, which mine.py:make needs"),
    "no Python": ("\ndef make(:", "FOLDER/mine.py:2 importing mine.py raised SyntaxError: invalid syntax"),
    "doubled argument": ("def make(a, a): ...", "FOLDER/mine.py:1 importing mine.py raised SyntaxError: duplicate argument"),
    "a NUL byte": ("\0", "FOLDER/mine.py:1 importing mine.py raised "),
    "no text": ("# coding: no-such\n", "FOLDER/mine.py:1 importing mine.py raised SyntaxError: "),
}  # fmt: skip


def task(folder: Path, source: str | None, text: str = TASK) -> Task:
    if source is not None:
        encoding = "latin-1" if "latin-1" in source else "utf-8"
        (folder / "mine.py").write_bytes((NEVER_RUN * ("coding" not in source) + source).encode(encoding))
    return parse_task(text, folder / "mine.yaml", "mine.yaml")


@pytest.mark.parametrize("case", FINE)
def test_what_may_be_right_passes_and_what_was_not_checked_is_said(tmp_path: Path, case: str) -> None:
    source, left = FINE[case]
    assert check_workload(task(tmp_path, source)) == left


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_for_certain_is_one_line(tmp_path: Path, case: str) -> None:
    source, line = BAD[case]
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(LRSearchError) as raised:
        check_workload(task(tmp_path, None))
    message = str(raised.value).replace(str(tmp_path), "FOLDER")
    assert message.startswith(line)
    assert "\n" not in message


def test_a_missing_file_is_answered_with_one_beside_it(tmp_path: Path) -> None:
    text = TASK.replace("mine.py", "mime.py")
    with pytest.raises(UsageError, match=r"names mime.py, which does not exist; did you mean mine.py\?"):
        check_workload(task(tmp_path, "", text))


def test_a_file_that_cannot_be_looked_for_is_refused(tmp_path: Path) -> None:
    text = TASK.replace("mine.py", f"{'m' * 300}.py")
    with pytest.raises(UsageError, match=r"which cannot be read .File name too long."):
        check_workload(task(tmp_path, None, text))


def test_an_entrys_own_arguments_are_checked(tmp_path: Path) -> None:
    text = TASK.replace("{lr: {start", "{arguments: {siz: 1}, lr: {start")
    with pytest.raises(
        UsageError, match=r"^mine.yaml:6:21 optimizers.sgd.arguments.siz .*; did you mean size\?"
    ):
        check_workload(task(tmp_path, "def make(kind, size): ...", text))


@pytest.mark.parametrize("place", ["json", "json.no_such", "__main__"])
def test_of_a_package_only_its_presence_is_looked_at(tmp_path: Path, place: str) -> None:
    text = TASK.replace("mine.py", place)
    assert check_workload(task(tmp_path, None, text)) == f"{place}:make"


def test_a_package_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    text = TASK.replace("mine.py", "no_such_package.part")
    with pytest.raises(UsageError, match=r"names the module no_such_package.part, which cannot be found"):
        check_workload(task(tmp_path, None, text))


@given(
    only=st.lists(st.sampled_from(["a", "a=1"]), max_size=1),
    both=st.lists(st.sampled_from("bcd"), unique=True),
    defaults=st.booleans(),
    rest=st.sampled_from([[], ["*"], ["*rest"]]),
    named=st.lists(st.sampled_from(["kind", "kind=2", "size", "size=2"]), max_size=1),
    more=st.sampled_from([[], ["**more"]]),
)
def test_a_source_takes_what_its_function_takes(
    tmp_path_factory: pytest.TempPathFactory,
    only: list[str],
    both: list[str],
    defaults: bool,
    rest: list[str],
    named: list[str],
    more: list[str],
) -> None:
    given_both = [f"{name}=0" if defaults or "a=1" in only else name for name in both]
    star = rest or ["*"] if named else [part for part in rest if part != "*"]
    parameters = [*only, *(["/"] if only else []), *given_both, *star, *named, *more]
    source = f"def make({', '.join(parameters)}): ..."
    folder = tmp_path_factory.mktemp("source")
    (folder / "mine.py").write_text(source)
    module = runpy.run_path(str(folder / "mine.py"))
    try:
        inspect.signature(module["make"]).bind(kind="small")
        fits = True
    except TypeError:
        fits = False
    try:
        checked = check_workload(parse_task(TASK, folder / "mine.yaml")) == ""
    except UsageError:
        checked = False
    assert checked == fits, source
