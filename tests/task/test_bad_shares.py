"""Files whose shares refer to nothing or to themselves."""

# ruff: noqa: E501 - the lines are the ones that users see, unbroken.
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
    (
        OPTIMIZERS + "  sgd: {lr: {of: adm}}\n  adam: {lr: 0.1}\n",
        ':5:14 optimizers.sgd.lr.of is "adm", which is no entry; did you mean adam?',
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {of: lion}}\n  adam: {lr: 0.1}\n",
        ':5:14 optimizers.sgd.lr.of is "lion", which is no entry; the entries are sgd, adam',
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {of: adam}}\n  adam: {}\n",
        ':5:14 optimizers.sgd.lr.of is "adam", which has no lr; give adam that hyperparameter, or share from another entry',
    ),
    (
        OPTIMIZERS + "  sgd: {momentum: {of: adam}}\n  adam: {lr: 0.1}\n",
        ':5:20 optimizers.sgd.momentum.of is "adam", which has no momentum; give adam that hyperparameter, or share from another entry',
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {of: sgd}}\n",
        ":5:14 optimizers.sgd.lr.of makes a circle of shares (sgd/lr needs sgd/lr); share from another entry, or give a number or a start",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {start: 0.1}, final_lr: {of: sgd}}\n",
        ":5:38 optimizers.sgd.final_lr.of makes a circle of shares (sgd/final_lr needs sgd/final_lr); share from another entry, or give a number or a start",
    ),
    (OPTIMIZERS + "  sgd: {lr: {of: 3}}\n", ':5:14 optimizers.sgd.lr.of is 3; give text, in quotes: "3"'),
    (OPTIMIZERS + "  sgd: {lr: {of: }}\n", ":5:14 optimizers.sgd.lr.of is empty; give text"),
    (OPTIMIZERS + "  sgd: {lr: {of: [adam]}}\n", ':5:14 optimizers.sgd.lr.of is ["adam"]; give text'),
    (
        OPTIMIZERS + "  sgd: {lr: {of: adam, times: 0}}\n  adam: {lr: 0.1}\n",
        ":5:24 optimizers.sgd.lr.times is 0; give a value above 0",
    ),
    (OPTIMIZERS + "  sgd: {lr: {times: 2}}\n", ":5:9 optimizers.sgd.lr.of is missing; add of: ENTRY"),
    (
        OPTIMIZERS + "  sgd: {lr: {of: adam, time: 2}}\n  adam: {lr: 0.1}\n",
        ":5:24 optimizers.sgd.lr.time is not a key here; did you mean times?",
    ),
    (
        OPTIMIZERS + "  a: {base: sgd, lr: {of: b}}\n  b: {base: sgd, lr: {of: a}}\n",
        ":5:23 optimizers.a.lr.of makes a circle of shares (a/lr needs b/lr needs a/lr); share from another entry, or give a number or a start",
    ),
    (
        OPTIMIZERS
        + "  a: {base: sgd, lr: {of: b}}\n  b: {base: sgd, lr: {of: c}}\n  c: {base: sgd, lr: {of: a}}\n",
        ":5:23 optimizers.a.lr.of makes a circle of shares (a/lr needs b/lr needs c/lr needs a/lr); share from another entry, or give a number or a start",
    ),
    (
        OPTIMIZERS
        + "  a: {base: sgd, lr: {start: 0.1}, cprop: {c: {of: b}}}\n  b: {base: sgd, lr: {of: a}, cprop: {c: {start: 1}}}\n",
        ":5:48 optimizers.a.cprop.c.of makes a circle of shares (a/cprop.c needs b/cprop.c needs b/lr needs a/lr needs a/cprop.c); share from another entry, or give a number or a start",
    ),
    (
        OPTIMIZERS
        + "  a: {base: sgd, lr: {start: 0.1}, momentum: {start: 0.9}, cprop: {c: {of: b}}}\n  b: {base: sgd, momentum: {of: a}, cprop: {c: {start: 1}}}\n",
        ":5:72 optimizers.a.cprop.c.of makes a circle of shares (a/cprop.c needs b/cprop.c needs b/momentum needs a/momentum needs a/lr needs a/cprop.c); share from another entry, or give a number or a start",
    ),
]


@pytest.mark.parametrize(
    ("text", "line"), BAD, ids=[re.sub(r"[^a-z0-9]+", "-", line.lower())[:60] for _, line in BAD]
)
def test_it_is_refused_in_one_line_that_says_where_what_and_the_remedy(text: str, line: str) -> None:
    with pytest.raises(TaskError) as raised:
        parse_task(text, Path("mine.yaml"))
    assert str(raised.value) == "mine.yaml" + line
