"""Files that are no YAML, or YAML that no task file needs."""

import re
from pathlib import Path

import pytest

from lrsearch.errors import TaskError
from lrsearch.task import parse_task

HEAD = "name: mine\nworkload: mine.py:workload\nbudget: {iterations: 100, evaluate_every: 10}\n"
OPTIMIZERS = HEAD + "optimizers:\n"
TASK = OPTIMIZERS + "  sgd: {lr: {start: 0.1}}\n"

# A file's text, and what follows the file's name in the one line that it gives.
BAD = [
    ("", " is empty; write a task, or begin with: lrsearch init"),
    ("# nothing\n", " is empty; write a task, or begin with: lrsearch init"),
    ("null\n", " is empty; write a task, or begin with: lrsearch init"),
    (
        "- a\n- b\n",
        ':1:1 the file holds ["a", "b"]; write a task as lines of KEY: VALUE, or begin with: lrsearch init',
    ),
    ("sgd\n", ':1:1 the file holds "sgd"; write a task as lines of KEY: VALUE, or begin with: lrsearch init'),
    (TASK + "seeds\n", ":6:1 this line has no colon with a space behind it; write KEY: VALUE"),
    (TASK + "name: other\n", ":6:1 name is given twice, first on line 1; remove one"),
    (
        OPTIMIZERS + "  sgd: {lr: 0.1, lr: 0.2}\n",
        ":5:18 optimizers.sgd.lr is given twice, first on line 5; remove one",
    ),
    ("name: mine\nbudget:\n\titerations: 3\n", ":3:1 a tab stands here; indent with spaces"),
    (
        "name: !!python/object/apply:os.system [ls]\n",
        ":1:7 a tag (!) stands here; write a plain value, in quotes if it is text",
    ),
    ("name: !!str x\n", ":1:7 a tag (!) stands here; write a plain value, in quotes if it is text"),
    ("a: &a [1]\n", ":1:4 an anchor (&) stands here; write the value out wherever it is needed"),
    ("a: *.bias\n", ":1:5 text that begins with * or & stands here; put it in quotes"),
    ("a: *a\n", ":1:4 an alias (*) stands here; write the value out, in quotes if it is text"),
    ("&x\nname: mine\n", ":1:1 an anchor (&) stands here; write the value out wherever it is needed"),
    (
        "a: &a [x,x]\nb: &b [*a,*a]\n",
        ":1:4 an anchor (&) stands here; write the value out wherever it is needed",
    ),
    ("[" * 3000, ":1:51 this is nested more than 50 levels deep; write it flatter"),
    ("a: " + "{a: " * 3000, ":1:197 this is nested more than 50 levels deep; write it flatter"),
    (TASK + "? [a]\n: 1\n", ":6:3 a key is a list or mapping, not text; put it in quotes if it is a name"),
    (TASK + "1: 2\n", ":6:1 a key is 1, not text; put it in quotes if it is a name"),
    (TASK + "~: 2\n", ":6:1 a key is ~, not text; put it in quotes if it is a name"),
    (
        "name: mine\nbudget: {iterations: 3\nseeds: 3\n",
        ":3:6 the { of line 2 is not closed before this; add } or a comma",
    ),
    ("name: mine\na: [1, 2\nb: 3\n", ":3:2 the [ of line 2 is not closed before this; add ] or a comma"),
    ('name: "mine\nseeds: 3\n', ":3:1 the quote of line 1 is not closed; add the closing quote"),
    ("a: {b: 1", ":1:9 the { of line 1 is not closed before this; add } or a comma"),
    (
        "name: a: b\n",
        ":1:8 a colon cannot stand here; put the text in quotes, or indent this line like the keys beside it",
    ),
    (
        "name: mine\n  seeds: 3\n",
        ":2:8 a colon cannot stand here; put the text in quotes, or indent this line like the keys beside it",
    ),
    (
        "budget:\n  iterations: 3\n evaluate_every: 1\n",
        ":3:2 this does not line up with what stands above; indent keys of one level alike",
    ),
    ("name: @me\n", ":1:7 a value cannot begin with this character; put the value in quotes"),
    ("name: %me\n", ":1:7 a value cannot begin with this character; put the value in quotes"),
    (TASK + "---\nname: b\n", ":6:1 a second document begins here; keep one task a file"),
    ("name: a\x07b\n", ":1:8 an invisible control character stands here; remove it"),
    ('name: "\\UFFFFFFFF"\n', " holds an escape (\\U...) that stands for no character; remove it"),
    ('name: "\\q"\n', ":1:9 this escape is not known between double quotes; use single quotes"),
    ('name: "\\ud800"\n', ':1:1 name is "\\ud800"; remove the character that no file can hold'),
    ('name: "\\0"\n', ':1:1 name is "\\u0000"; remove the character that no file can hold'),
    ("name: - a\n", ":1:7 a list's dash cannot stand here; begin a new line before it"),
    ("a: [1,\n", ":2:1 a value is missing here; write one, or remove what is left open"),
    ("%YAML 9.9\n---\na: 1\n", ":1:1 this is not YAML; compare it with the lines around it"),
    ("a: |9x\n", ":1:6 this is not YAML; compare it with the lines around it"),
    (TASK + "seeds:3\n", ":6:1 this line has no colon with a space behind it; write KEY: VALUE"),
    (
        TASK + "<<: {seeds: 3}\n",
        ":6:1 a merge key (<<) stands here; write the keys out wherever they are needed",
    ),
    (
        TASK + "...\nmore: 1\n",
        ":7:1 the task has ended above this line; remove what ended it, and write lines of KEY: VALUE alone",
    ),
    (
        "a: 'x' 'y'\n",
        ":1:8 text cannot stand here, behind a value that has ended; put all of the value in quotes",
    ),
    (": x\n", ":1:1 a key is missing before this colon; write KEY: VALUE"),
    (
        TASK.replace("budget: ", "budget:"),
        ":3:40 a space is missing behind the first colon of this line; write KEY: VALUE",
    ),
    (TASK.replace("100", "5,000"), ":3:24 a key in budget is 000, not text; write a number without commas"),
    (
        TASK + "seeds: 1_000\n",
        ':6:1 seeds is "1_000"; give a whole number of at least 1, its digits with nothing between them',
    ),
    (TASK + "seeds: 1:30\n", ':6:1 seeds is "1:30"; give a whole number of at least 1'),
    (TASK + "search: {race: on}\n", ':6:10 search.race is "on"; give true or false'),
    (TASK.replace("0.1", "1e-31"), ":5:14 optimizers.sgd.lr.start is 1e-31; give a value of at least 1e-30"),
    ("a: {,}\n", ":1:5 a value is missing here; write one, or remove what is left open"),
    (
        TASK + "seeds: 999999999999999999999999999999\n",
        ':6:1 seeds is "999999999999999999999999999999"; give an integer of at most 64 bits',
    ),
    (
        TASK + f"seeds: {'9' * 5000}\n",
        ':6:1 seeds is "9999999999999999999999999999999999999..."; give an integer of at most 64 bits',
    ),
    (OPTIMIZERS + "  sgd: {lr: .nan}\n", ":5:9 optimizers.sgd.lr is .nan; give a finite number"),
    (
        OPTIMIZERS + "  sgd: {lr: {start: .inf}}\n",
        ":5:14 optimizers.sgd.lr.start is .inf; give a finite number",
    ),
    (OPTIMIZERS + "  sgd: {lr: 1e999}\n", ":5:9 optimizers.sgd.lr is 1e999; give a finite number"),
    (TASK + "arguments: {x: [.nan]}\n", ":6:17 arguments.x[0] is .nan; give a finite number"),
]


@pytest.mark.parametrize(
    ("text", "line"), BAD, ids=[re.sub(r"[^a-z0-9]+", "-", line.lower())[:60] for _, line in BAD]
)
def test_it_is_refused_in_one_line_that_says_where_what_and_the_remedy(text: str, line: str) -> None:
    with pytest.raises(TaskError) as raised:
        parse_task(text, Path("mine.yaml"))
    assert str(raised.value) == "mine.yaml" + line
