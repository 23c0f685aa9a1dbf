"""Files whose optimizer entries are not what an entry can be."""

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
        OPTIMIZERS + "",
        ":4:1 optimizers is empty; give a mapping, such as optimizers: {sgd: {lr: {start: 0.1}}}",
    ),
    (
        OPTIMIZERS + "  sgd:\n",
        ":5:3 optimizers.sgd is empty; give a mapping, such as sgd: {lr: {start: 0.1}}",
    ),
    (
        OPTIMIZERS + "  sgd: 0.1\n",
        ":5:3 optimizers.sgd is 0.1; give a mapping, such as sgd: {lr: {start: 0.1}}",
    ),
    (
        OPTIMIZERS + "  my sgd: {}\n",
        ":5:3 optimizers.\"my sgd\" is no name for an entry; give a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'",
    ),
    (
        OPTIMIZERS + "  SGD: {lr: 0.1}\n",
        ':5:3 optimizers.SGD has no base, and "SGD" is no torch.optim class in lower case; call it sgd, or add base: sgd',
    ),
    (
        OPTIMIZERS + "  adamW: {lr: 0.1}\n",
        ':5:3 optimizers.adamW has no base, and "adamW" is no torch.optim class in lower case; call it adamw, or add base: adamw',
    ),
    (
        OPTIMIZERS + "  my-own: {lr: 0.1}\n",
        ':5:3 optimizers.my-own has no base, and "my-own" is no torch.optim class in lower case; add base: CLASS, such as base: adam',
    ),
    (
        OPTIMIZERS + "  sgd: {base: SGD, lr: 0.1}\n",
        ':5:9 optimizers.sgd.base is "SGD"; give a class of torch.optim in lower case, such as adam, or package.module:Class',
    ),
    (
        OPTIMIZERS + "  sgd: {base: torch.optim.SGD}\n",
        ':5:9 optimizers.sgd.base is "torch.optim.SGD"; give a class of torch.optim in lower case, such as adam, or package.module:Class',
    ),
    (
        OPTIMIZERS + "  x: {bse: sgd}\n",
        ":5:7 optimizers.x.bse is no argument of an optimizer; did you mean base?",
    ),
    (
        OPTIMIZERS + "  sgd: {argument: {batch_size: 3}}\n",
        ":5:9 optimizers.sgd.argument is a mapping without start or of; did you mean arguments?",
    ),
    (
        OPTIMIZERS + "  sgd: {arguments: 3}\n",
        ":5:9 optimizers.sgd.arguments is 3; give a mapping, such as arguments: {batch_size: 32}",
    ),
    (OPTIMIZERS + "  sgd: {lr: {start: -1}}\n", ":5:14 optimizers.sgd.lr.start is -1; give a value above 0"),
    (OPTIMIZERS + "  sgd: {lr: {start: 0}}\n", ":5:14 optimizers.sgd.lr.start is 0; give a value above 0"),
    (
        OPTIMIZERS + "  sgd: {lr: {start: 0.2}}\n",
        ":5:14 optimizers.sgd.lr.start is 0.2, on no rung of the lr ladder; give 0.1 or 0.3",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {start: automatic}}\n",
        ':5:14 optimizers.sgd.lr.start is "automatic"; give a number, or auto, or {from: CHOSEN.yaml, rule: RULE}',
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {c: {start: auto}}}\n",
        ":5:21 optimizers.sgd.cprop.c.start is auto, which is for learning rates alone; give a number",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: 1, weight_decay: {start: auto, ladder: lr}}\n",
        ":5:31 optimizers.sgd.weight_decay.start is auto, which is for learning rates alone; give a number",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {start: auto, ladder: c}}\n",
        ":5:14 optimizers.sgd.lr.start is auto, which is for learning rates alone; give a number",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {c: {start: 1}}, lr: {start: auto}}\n",
        ":5:38 optimizers.sgd.lr.start is auto, but its trainings wait for the search sgd/cprop.c, and a range test is made before all searches; give a number",
    ),
    (
        OPTIMIZERS
        + "  sgd: {momentum: {start: 0.9}, lr: 1}\n  b: {base: sgd, momentum: {of: sgd}, lr: {start: auto}}\n",
        ":6:44 optimizers.b.lr.start is auto, but its trainings wait for the search sgd/momentum, and a range test is made before all searches; give a number",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {start: }}\n",
        ":5:14 optimizers.sgd.lr.start is empty; give a number, or auto, or {from: CHOSEN.yaml, rule: RULE}",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {strat: 0.1}}\n",
        ":5:14 optimizers.sgd.lr.strat is not a key here; did you mean start?",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {start: 0.1, step: 3}}\n",
        ":5:26 optimizers.sgd.lr.step is not a key here; the keys are start, ladder",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {start: 0.1, of: adam}}\n",
        ":5:26 optimizers.sgd.lr.of is not a key here; the keys are start, ladder",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {}}\n",
        ":5:9 optimizers.sgd.lr is a mapping without start or of; give a number, {start: NUMBER} to search it or {of: ENTRY} to share it",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: fast}\n",
        ':5:9 optimizers.sgd.lr is "fast"; give a number, {start: NUMBER} or {of: ENTRY}',
    ),
    (OPTIMIZERS + "  sgd: {lr: '0.1'}\n", ':5:9 optimizers.sgd.lr is "0.1"; give a number without quotes'),
    (
        OPTIMIZERS + "  sgd: {lr: true}\n",
        ":5:9 optimizers.sgd.lr is true; give a number, {start: NUMBER} or {of: ENTRY}",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: [0.1]}\n",
        ":5:9 optimizers.sgd.lr is [0.1]; give a number, {start: NUMBER} or {of: ENTRY}",
    ),
    (OPTIMIZERS + "  sgd: {lr: -0.1}\n", ":5:9 optimizers.sgd.lr is -0.1; give a value above 0"),
    (
        OPTIMIZERS + "  sgd: {lr: }\n",
        ":5:9 optimizers.sgd.lr is empty; give a number, {start: NUMBER} to search it or {of: ENTRY} to share it",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: '0,1'}\n",
        ':5:9 optimizers.sgd.lr is "0,1"; give a number, {start: NUMBER} or {of: ENTRY}',
    ),
    (
        OPTIMIZERS + "  sgd: {weight_decay: '1e-4'}\n",
        ':5:9 optimizers.sgd.weight_decay is "1e-4"; give a number without quotes',
    ),
    (
        OPTIMIZERS + "  sgd: {weight_decay: {start: 1e-4}}\n",
        ":5:9 optimizers.sgd.weight_decay is searched, but on which ladder? add ladder: lr, ladder: c or ladder: beta",
    ),
    (
        OPTIMIZERS + "  sgd: {weight_decay: {start: 1e-4, ladder: log}}\n",
        ':5:37 optimizers.sgd.weight_decay.ladder is "log"; give lr, c or beta',
    ),
    (
        OPTIMIZERS + "  sgd: {lr: {start: 3000}}\n",
        ":5:14 optimizers.sgd.lr.start is 3000, outside the limits [1e-08, 1000]; start within them, or widen search.limits.lr",
    ),
    (
        OPTIMIZERS + "  sgd: {lr: 0.1, cprop.c: 3}\n",
        ":5:18 optimizers.sgd.cprop.c is not a key here; write a block, cprop: {c: ...}",
    ),
    (
        OPTIMIZERS + "  sgd: {weight-decay: 3}\n",
        ":5:9 optimizers.sgd.weight-decay cannot be an argument of an optimizer; write its name as Python has it",
    ),
    (
        OPTIMIZERS + "  sgd: {weight decay: 3}\n",
        ':5:9 optimizers.sgd."weight decay" cannot be an argument of an optimizer; write its name as Python has it',
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: true}\n",
        ":5:9 optimizers.sgd.cprop is true; give a mapping, such as cprop: {c: 1}",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: }\n",
        ":5:9 optimizers.sgd.cprop is empty; give a mapping, such as cprop: {c: 1}",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {bta: 0.9}}\n",
        ":5:17 optimizers.sgd.cprop.bta is not a key here; did you mean beta?",
    ),
    (OPTIMIZERS + "  sgd: {cprop: {c: -1}}\n", ":5:17 optimizers.sgd.cprop.c is -1; give a value above 0"),
    (
        OPTIMIZERS + "  sgd: {cprop: {c: {start: 2}}}\n",
        ":5:21 optimizers.sgd.cprop.c.start is 2, on no rung of the c ladder; give 1 or 3",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {c: {start: 0.3}}}\n",
        ":5:21 optimizers.sgd.cprop.c.start is 0.3; give a value of at least 1",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {beta: 1}}\n",
        ":5:17 optimizers.sgd.cprop.beta is 1; give a value of at least 0 and below 1",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {beta: {start: 1}}}\n",
        ":5:24 optimizers.sgd.cprop.beta.start is 1; give a value of at least 0 and below 1",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {beta: {start: 0.95}}}\n",
        ":5:24 optimizers.sgd.cprop.beta.start is 0.95, on no rung of the beta ladder; give 0.9 or 0.97",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {eps: -1}}\n",
        ":5:17 optimizers.sgd.cprop.eps is -1; give a value of at least 0",
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {eps_placement: out}}\n",
        ':5:17 optimizers.sgd.cprop.eps_placement is "out"; give outside or inside',
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {measure: gauss}}\n",
        ':5:17 optimizers.sgd.cprop.measure is "gauss"; give normal, logistic, relative_rate or moment_rate',
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {c: yes}}\n",
        ':5:17 optimizers.sgd.cprop.c is "yes"; give a number, {start: NUMBER} to search it or {of: ENTRY} to share it',
    ),
    (
        OPTIMIZERS + "  sgd: {cprop: {c: }}\n",
        ":5:17 optimizers.sgd.cprop.c is empty; give a number, {start: NUMBER} to search it or {of: ENTRY} to share it",
    ),
]


@pytest.mark.parametrize(
    ("text", "line"), BAD, ids=[re.sub(r"[^a-z0-9]+", "-", line.lower())[:60] for _, line in BAD]
)
def test_it_is_refused_in_one_line_that_says_where_what_and_the_remedy(text: str, line: str) -> None:
    with pytest.raises(TaskError) as raised:
        parse_task(text, Path("mine.yaml"))
    assert str(raised.value) == "mine.yaml" + line
