"""Where a search begins, in words, if a range test is what proposes it."""

from lrsearch.report.numbers import count_text, value_text
from lrsearch.task.model import Searched


def start_text(searched: Searched) -> str | None:
    """Say where a search begins that leaves its start to a range test; None for one whose start was given.

    >>> from lrsearch.task.model import RangeTest
    >>> test = RangeTest((1e-7, 10.0), ((2.0, 1.0), (2.0,)), None)
    >>> start_text(Searched(None, "lr", (1e-8, 1e3)).from_range_test(test))
    'starts from 0.01, as its range test (3 iterations on 2 seeds) suggests nothing: no loss fell'
    """
    test = searched.range_test
    if test is None:
        return "starts from what a range test will suggest" if searched.start is None else None
    length = f"{count_text(test.iterations, 'iteration')} on {count_text(len(test.losses), 'seed')}"
    start = value_text(searched.guess)
    if test.suggested is None:
        return f"starts from {start}, as its range test ({length}) suggests nothing: no loss fell"
    within = "" if test.suggested == searched.start else f" {value_text(test.suggested)}, beyond its limits"
    return f"starts from {start}, as its range test ({length}) suggests{within}"
