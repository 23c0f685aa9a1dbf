import doctest

import pytest

from lrsearch.ladder import BETA, LR, C
from lrsearch.report import findings, numbers
from lrsearch.report.numbers import value_text


@pytest.mark.parametrize("module", [numbers, findings])
def test_the_examples_in_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(("ladder", "rungs"), [(LR, range(-20, 9)), (C, range(9)), (BETA, range(14))])
def test_a_written_value_reads_back_as_the_same_rung(ladder, rungs):
    assert [ladder.rung(float(value_text(ladder.value(rung)))) for rung in rungs] == list(rungs)
