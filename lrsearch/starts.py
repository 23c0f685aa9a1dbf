"""Starts that a task leaves to a range test: made once a study, before its searches begin, and kept in it."""

from collections.abc import Callable, Iterable

from rich.console import Console

from lrsearch.ports import Store
from lrsearch.report.starts import start_text
from lrsearch.task import Task
from lrsearch.trial import SearchId


def propose_starts(
    task: Task,
    store: Store,
    searches: Iterable[SearchId],
    console: Console,
    check: Callable[[], None] = lambda: None,
) -> Task:
    """Give the task with every open start of some searches proposed; what the store keeps is not made again.

    Args:
        task: the task.
        store: where range tests are kept.
        searches: those that a run is for.
        console: where it is said what was proposed.
        check: called before each iteration of a range test; what it raises ends it.

    Raises:
        LRSearchError: a range test could not be made.
    """
    kept = dict(store.range_tests())
    for search in searches:
        if task.searches()[search].start is None and search not in kept:
            from lrsearch.training.range_test import iterations_at_most, range_test  # imports torch

            with console.status(f"{search}: range test of at most {iterations_at_most(task)} iterations"):
                kept[search] = range_test(task, search, check)
            store.keep_range_test(search, kept[search])
            said = f"{search}: {start_text(task.with_range_tests(kept).searches()[search])}"
            console.print(said, markup=False, highlight=False, soft_wrap=True)
    return task.with_range_tests(kept)
