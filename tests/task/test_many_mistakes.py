"""The count of the mistakes beside the first: all that are there, none that merely follows from another."""

from pathlib import Path

import pytest

from lrsearch.errors import TaskError
from lrsearch.task import parse_task
from lrsearch.task.entries import TORCH_OPTIMIZERS
from lrsearch.training.optimizers import torch_optimizers

HEAD = "name: mine\nworkload: mine.py:workload\nbudget: {iterations: 100, evaluate_every: 10}\noptimizers:\n"
ENTRIES = f"{HEAD}  sgd: {{lr: {{start: 0.1}}}}\n"

COUNTS = {
    "keys, a start and an entry's key": (
        HEAD + "  sgd: {lr: {strat: 0.1}, momentum: {start: 0.91}}\n  adam: {bse: adam}\n",
        ":5:14",
        2,
    ),
    "a quoted name and a start": (ENTRIES.replace("mine\n", "2024\n").replace("0.1}", "0.2}"), ":1:1", 1),
    "no workload and a start": (
        ENTRIES.replace("workload: mine.py:workload\n", "").replace("0.1}", "0.2}"),
        ":1:1",
        1,
    ),
    "a start and an unknown top key": (ENTRIES.replace("0.1}", "0.2}") + "colour: red\n", ":5:14", 1),
    "a recipe and a budget": (
        ENTRIES.replace("every: 10", "every: 101") + "recipe: {precision: half}\n",
        ":3:27",
        1,
    ),
    "a key of cprop and its other key": (
        HEAD + "  sgd: {cprop: {bta: 0.9, c: {start: 2}}}\n",
        ":5:17",
        1,
    ),
    "a start and a share": (
        ENTRIES.replace("0.1}", "0.2}") + "  a: {base: sgd, lr: {of: b}}\n",
        ":5:14",
        1,
    ),
    "a bad base of a name that needs one": (HEAD + "  SGD: {base: SGD, lr: 0.1}\n", ":5:9", 0),
    "a misspelt base of a name that needs one": (HEAD + "  SGD: {bse: sgd, lr: 0.1}\n", ":5:9", 0),
    "a ladder that there is not": (HEAD + "  sgd: {decay: {start: 0.1, ladder: log}}\n", ":5:29", 0),
    "a share from what is itself wrong": (
        HEAD + "  sgd: {lr: {strat: 1}}\n  a: {base: sgd, lr: {of: sgd}}\n",
        ":5:14",
        0,
    ),
    "a share from a quoted number": (
        HEAD + "  sgd: {lr: '1'}\n  a: {base: sgd, lr: {of: sgd}}\n",
        ":5:9",
        0,
    ),
    "limits of what is itself wrong": (
        HEAD + "  sgd: {decay: {strat: 1}}\nsearch: {limits: {decay: [1, 10]}}\n",
        ":5:17",
        0,
    ),
    "seeds that others are checked against": (
        ENTRIES + "seeds: -1\nsearch: {resolve: true, max_seeds: 2}\n",
        ":6:1",
        0,
    ),
}


@pytest.mark.parametrize("case", COUNTS)
def test_the_others_are_counted(case: str) -> None:
    text, place, others = COUNTS[case]
    with pytest.raises(TaskError) as raised:
        parse_task(text, Path("mine.yaml"))
    assert raised.value.place == f"mine.yaml{place}"
    assert raised.value.problem.partition(" (and ")[2] == (f"{others} more)" if others else "")


def test_the_optimizers_suggested_are_torchs() -> None:
    assert set(TORCH_OPTIMIZERS) <= set(torch_optimizers())
