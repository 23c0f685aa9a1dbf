"""Shared hyperparameters: what each refers to, and that no value waits for itself."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from lrsearch.task.document import Document, Key, Problem, did_you_mean, dotted, shown
from lrsearch.task.entries import is_learning_rate
from lrsearch.task.model import Entry, Searched, Shared
from lrsearch.trial import SearchId


def resolve_shares(document: Document, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Give the entries with every share referring to a hyperparameter that is there.

    Raises:
        TaskError: an entry or its hyperparameter is unknown, or shares form a circle.
    """
    problems: list[Problem] = []
    resolved: dict[str, Entry] = {}
    for entry in entries.values():
        hyperparameters = dict(entry.hyperparameters)
        for name, shared in entry.hyperparameters.items():
            if isinstance(shared, Shared):
                outcome = _target(SearchId(entry.name, name), shared.of.entry, entries)
                if isinstance(outcome, Problem):
                    problems.append(outcome)
                else:
                    hyperparameters[name] = replace(shared, of=outcome)
        resolved[entry.name] = replace(entry, hyperparameters=hyperparameters)
    document.refuse(problems)
    document.refuse(_circle(document, resolved))
    return resolved


def needs(entries: Mapping[str, Entry]) -> dict[SearchId, tuple[SearchId, ...]]:
    """Give, for every hyperparameter, the hyperparameters whose values must be known before its own can be.

    A shared one needs the one that it takes. A searched one needs what its trainings are made with: the shared
    hyperparameters of its entry, and those that the entry searches before it.
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
        remedy = did_you_mean(of, entries, f"the entries are {', '.join(entries)}")
        return Problem(key, f"{dotted(key)} is {shown(of)}, which is no entry; {remedy}")
    there = entries[of].hyperparameters
    # AdaBound's final_lr is SGD's lr: a learning rate of another name is taken from what has but one.
    for name in (own.hyperparameter, "lr") if is_learning_rate(own.hyperparameter) else (own.hyperparameter,):
        if name in there and of != own.entry:
            return SearchId(of, name)
    if of == own.entry:
        return Problem(key, f"{dotted(key)} is {shown(of)}, its own entry: a circle ({own} needs {own}); {_REMEDY}")
    return Problem(
        key,
        f"{dotted(key)} is {shown(of)}, which has no {own.hyperparameter}; "
        f"give {of} that hyperparameter, or share from another entry",
    )


_REMEDY = "share from another entry, or give a number or a start"


def _circle(document: Document, entries: Mapping[str, Entry]) -> Iterable[Problem]:
    try:
        TopologicalSorter(needs(entries)).prepare()
    except CycleError as error:
        # graphlib lists each before the one that needs it, the first again at the end.
        circle: list[SearchId] = error.args[1][:0:-1]
    else:
        return
    shares = [own for own in circle if isinstance(entries[own.entry].hyperparameters[own.hyperparameter], Shared)]
    first = min(shares, key=lambda own: document.line_and_column(_of_key(own)))
    start = circle.index(first)
    turned = [*circle[start:], *circle[:start], first]
    steps = " needs ".join(str(own) for own in turned)
    yield Problem(_of_key(first), f"{dotted(_of_key(first))} closes a circle of shares ({steps}); {_REMEDY}")


def _of_key(own: SearchId) -> Key:
    return ("optimizers", own.entry, *own.hyperparameter.split("."), "of")
