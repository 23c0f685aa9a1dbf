"""Starts that a task does not give as a number: found out once a study, before its searches begin, and kept in it."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from lrsearch import studies
from lrsearch.errors import StudyNotFoundError, TaskError
from lrsearch.ports import Store
from lrsearch.report.starts import start_text
from lrsearch.report.stored import StoredEntry, StoredStudy, is_newer, read_stored
from lrsearch.studies import Place
from lrsearch.task import ProposedStart, RangeTest, ScaledStart, Task
from lrsearch.task.document import did_you_mean, dotted, listed, shown
from lrsearch.task.entries import positive_number
from lrsearch.task.fingerprint import identity_of, shown_when_tried
from lrsearch.trial import SearchId

Refused = Callable[..., TaskError]
"""Makes the error for what is wrong with another study's file; the key that it is about may follow."""
_LOWEST, _HIGHEST = 1e-30, 1e30
"""Between which a learning rate can be on a rung."""


def propose_starts(
    task: Task,
    store: Store,
    searches: Iterable[SearchId],
    console: Console,
    check: Callable[[], None] = lambda: None,
) -> Task:
    """Give the task with every open start of some searches proposed; what the store keeps is not found out again.

    Args:
        task: the task.
        store: where it is kept what proposed starts.
        searches: those that a run is for.
        console: where it is said what was proposed.
        check: called before each iteration of a range test; what it raises ends it.

    Raises:
        LRSearchError: a range test could not be made, or another study's file cannot be used.
    """
    task = task.with_proposed_starts(store.proposed_starts())
    # Other results first: a range test trains with the starts of what its entry searches later.
    for search in sorted(searches, key=lambda search: task.searches()[search].scaling is None):
        searched = task.searches()[search]
        if searched.start is not None:
            continue
        proposed: ProposedStart
        if searched.scaling is not None:
            proposed = scaled_start(task, search)
        else:
            from lrsearch.training.range_test import iterations_at_most, range_test  # imports torch

            with console.status(f"{search}: range test of at most {iterations_at_most(task)} iterations"):
                proposed = range_test(task, search, check)
        store.keep_proposed_start(search, proposed)
        task = task.with_proposed_starts({search: [proposed]})
        said = f"{search}: {start_text(task.searches()[search])}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    return task


def with_scaled_starts(task: Task, searches: Iterable[SearchId], place: Place | None = None) -> Task:
    """Give the task with the starts of some searches that scale another study's result. Nothing is kept.

    Args:
        task: the task.
        searches: whose starts are wanted.
        place: where the task's own study lies, if it has one: what it keeps is not read again from the other's file.

    Raises:
        TaskError: another study's file cannot be used.
    """

    def wanted() -> list[SearchId]:
        found = task.searches()
        return [search for search in searches if found[search].scaling and found[search].start is None]

    if place is not None and wanted():
        kept = kept_starts(task, place)
        task = task.with_proposed_starts(
            {search: [p for p in of if isinstance(p, ScaledStart)] for search, of in kept.items()}
        )
    return task.with_proposed_starts({search: [scaled_start(task, search)] for search in wanted()})


def kept_starts(task: Task, place: Place) -> Mapping[SearchId, Iterable[ProposedStart]]:
    """Give what proposed the starts of a study; range tests if it is of a task that trains as this one does."""
    try:
        study = studies.read(place)
    except StudyNotFoundError:
        return {}
    same = identity_of(task) | shown_when_tried(study.identity) == study.identity
    return {
        search: [searched.proposed]
        for search, searched in study.task.searches().items()
        if searched.proposed is not None and (same or not isinstance(searched.proposed, RangeTest))
    }


def scaled_start(task: Task, search: SearchId) -> ScaledStart:
    """Read where another study's result points, for a search that is to start there.

    Raises:
        TaskError: its file is missing or no chosen.yaml of this lrsearch's, or it has no such value or argument.
    """
    scaling = task.searches()[search].scaling
    assert scaling is not None, "only a start that scales another result is read from a file"
    key = ("optimizers", search.entry, *search.hyperparameter.split("."), "start")
    named = f"{dotted(key)}.from is {scaling.source}"

    def refused(problem: str, under: str = "from") -> TaskError:
        return task.error(f"{named}, {problem}", *key, under)

    study = _read(task.folder / scaling.source, refused)
    name = _entry(task, search, study, refused)
    there = study.chosen[name]
    lr = _learning_rate(name, there, search.hyperparameter, refused)
    argument = None if scaling.by is None else _argument(name, there, scaling.by, refused)
    start = ScaledStart(scaling, name, lr, argument)
    with suppress(OverflowError, ZeroDivisionError):
        if _LOWEST <= start.value <= _HIGHEST:
            return start
    raise refused(
        f"which points far beyond any learning rate, from {lr:g} there; check the ratio, or give a number"
    )


def _read(path: Path, refused: Refused) -> StoredStudy:
    try:
        study = read_stored(path)
    except FileNotFoundError:
        problem = "which does not exist; check the path, or write it with: lrsearch export STUDY -o FILE"
        raise refused(problem) from None
    except ValueError as error:
        inside = (path / "chosen.yaml").is_file()
        remedy = "name the chosen.yaml in it" if inside else "give what lrsearch export STUDY -o FILE writes"
        raise refused(f"which {error}; {remedy}") from error
    if is_newer(study.lrsearch):
        raise refused(
            f"which is of lrsearch {study.lrsearch}, newer than this one; update this one, or give a number"
        )
    return study


def _entry(task: Task, search: SearchId, study: StoredStudy, refused: Refused) -> str:
    """The entry that is meant: the one named; else that of the same name, or the only one that fits."""
    names, own = list(study.chosen), task.entries[search.entry]
    scaling = task.searches()[search].scaling
    if scaling is not None and (named := scaling.entry) is not None:
        if named in names:
            return named
        remedy = did_you_mean(named, names, f"the entries are {listed(names)}")
        raise refused(f"which has no entry {named}; {remedy}", "entry")
    alike = [
        name
        for name, entry in study.chosen.items()
        if (entry.optimizer, "cprop" in entry.hyperparameters) == (own.optimizer, own.wrapped_in_cprop)
    ]
    for candidates in ([name for name in names if name == search.entry], alike, names):
        if len(candidates) == 1:
            return candidates[0]
    remedy = f"add entry: NAME, one of {listed(names)}" if names else "give one of a search that has ended"
    raise refused(f"which has no entry {search.entry}; {remedy}")


def _learning_rate(name: str, entry: StoredEntry, hyperparameter: str, refused: Refused) -> float:
    if hyperparameter not in entry.hyperparameters:
        raise refused(
            f"whose entry {name} has no {hyperparameter}; name another with entry, or give a number"
        )
    value = entry.hyperparameters[hyperparameter]
    if value is None:
        raise refused(
            f"whose entry {name} has no value for {hyperparameter}, as its search chose nothing or has not ended; "
            "export it anew when it has, or give a number"
        )
    if (lr := positive_number(value)) is None:
        raise refused(f"whose entry {name} has {shown(value)} for {hyperparameter}; give a number")
    return lr


def _argument(name: str, entry: StoredEntry, by: str, refused: Refused) -> float:
    by_hand = "give times: RATIO in place of by"
    if by not in entry.arguments:
        raise refused(
            f"which does not say the {by} of its entry {name}; if an older lrsearch wrote it, write it anew with "
            f"lrsearch export STUDY -o FILE; else {by_hand}"
        )
    if (value := positive_number(entry.arguments[by])) is None:
        raise refused(
            f"whose entry {name} has {shown(entry.arguments[by])} for {by}, no number above 0; {by_hand}"
        )
    return value
