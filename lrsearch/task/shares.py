"""Shared hyperparameters: what each refers to, and that no value waits for itself."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from lrsearch.task.document import Document, Key, Problem, did_you_mean, dotted, listed, shown
from lrsearch.task.entries import is_learning_rate
from lrsearch.task.model import Entry, Searched, Shared
from lrsearch.trial import SearchId


def resolve_shares(document: Document, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Give the entries with every share referring to a hyperparameter that is there.

    What they refer to is there: ``unknown_targets`` gives nothing.

    Raises:
        TaskError: shares form a circle, or a start is left to a range test that would have to wait for another search.
    """
    resolved: dict[str, Entry] = {}
    for entry in entries.values():
        hyperparameters = dict(entry.hyperparameters)
        for name, shared in entry.hyperparameters.items():
            if isinstance(shared, Shared):
                target = _target(SearchId(entry.name, name), shared.of.entry, entries)
                assert isinstance(target, SearchId)
                hyperparameters[name] = replace(shared, of=target)
        resolved[entry.name] = replace(entry, hyperparameters=hyperparameters)
    document.refuse(_circle(document, resolved))
    document.refuse(_starts(resolved))
    return resolved


def unknown_targets(entries: Mapping[str, Entry], doubtful: Collection[str]) -> Iterator[Problem]:
    """Find shares from an entry that is not there, or lacks the hyperparameter, or is the sharer itself.

    Entries that are ``doubtful`` have mistakes of their own: what they lack is not known, and is not reported.
    """
    for entry in entries.values():
        for name, shared in entry.hyperparameters.items():
            if isinstance(shared, Shared) and shared.of.entry not in doubtful:
                outcome = _target(SearchId(entry.name, name), shared.of.entry, entries)
                if isinstance(outcome, Problem):
                    yield outcome


def needs(entries: Mapping[str, Entry]) -> dict[SearchId, tuple[SearchId, ...]]:
    """Give, for every hyperparameter, the hyperparameters whose values must be known before its own can be.

    A shared one needs the one that it takes. A searched one needs what its trainings are made with: the
    shared hyperparameters of its entry, and those that the entry searches before it.
    """
    graph: dict[SearchId, tuple[SearchId, ...]] = {}
    for entry in entries.values():
        searched_before: list[SearchId] = []
        shared = [SearchId(entry.name, n) for n, h in entry.hyperparameters.items() if isinstance(h, Shared)]
        for name, hyperparameter in entry.hyperparameters.items():
            own = SearchId(entry.name, name)
            match hyperparameter:
                case Shared(of=of):
                    graph[own] = (of,)
                case Searched():
                    graph[own] = (*searched_before, *shared)
                    searched_before.append(own)
                case _:
                    graph[own] = ()
    return graph


def _target(own: SearchId, of: str, entries: Mapping[str, Entry]) -> SearchId | Problem:
    key = _of_key(own)
    if of not in entries:
        remedy = did_you_mean(of, entries, f"the entries are {listed(list(entries))}")
        return Problem(key, f"{dotted(key)} is {shown(of)}, which is no entry; {remedy}")
    there = entries[of].hyperparameters
    # AdaBound's final_lr is SGD's lr: a learning rate of another name is taken from what has but one.
    names = (own.hyperparameter, "lr") if is_learning_rate(own.hyperparameter) else (own.hyperparameter,)
    name = next((name for name in names if name in there), None)
    if name is None:
        return Problem(
            key,
            f"{dotted(key)} is {shown(of)}, which has no {own.hyperparameter}; "
            f"give {of} that hyperparameter, or share from another entry",
        )
    target = SearchId(of, name)
    return target if of != own.entry else _circle_problem([own] if target == own else [own, target])


def _starts(entries: Mapping[str, Entry]) -> Iterable[Problem]:
    """Range tests are made before any search: what they train with is known by then."""
    graph = needs(entries)

    def searches_before(own: SearchId) -> Iterator[SearchId]:
        for needed in graph[own]:
            if isinstance(entries[needed.entry].hyperparameters[needed.hyperparameter], Searched):
                yield needed
            else:
                yield from searches_before(needed)

    for entry in entries.values():
        for own, searched in entry.searches():
            waits_for = next(searches_before(own), None) if searched.awaits_range_test else None
            if waits_for is not None:
                key = ("optimizers", own.entry, *own.hyperparameter.split("."), "start")
                yield Problem(
                    key,
                    f"{dotted(key)} is auto, but its trainings wait for the search {waits_for}, and a range test "
                    "is made before all searches; give a number",
                )


def _circle(document: Document, entries: Mapping[str, Entry]) -> Iterable[Problem]:
    try:
        TopologicalSorter(needs(entries)).prepare()
    except CycleError as error:
        # graphlib lists each before the one that needs it, the first again at the end.
        circle: list[SearchId] = error.args[1][:0:-1]
    else:
        return
    shares = (own for own in circle if _is_shared(entries[own.entry], own.hyperparameter))
    first = min(shares, key=lambda own: document.position(_of_key(own)))
    start = circle.index(first)
    yield _circle_problem([*circle[start:], *circle[:start]])


def _circle_problem(circle: Sequence[SearchId]) -> Problem:
    key = _of_key(circle[0])
    steps = listed([str(own) for own in (*circle, circle[0])], between=" needs ")
    remedy = "share from another entry, or give a number or a start"
    return Problem(key, f"{dotted(key)} makes a circle of shares ({steps}); {remedy}")


def _is_shared(entry: Entry, hyperparameter: str) -> bool:
    return isinstance(entry.hyperparameters[hyperparameter], Shared)


def _of_key(own: SearchId) -> Key:
    return ("optimizers", own.entry, *own.hyperparameter.split("."), "of")
