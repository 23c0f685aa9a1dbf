"""What of a task changes the result of a training, as flat fields that can be compared and named."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cprop.results
from lrsearch.task.live_code import live_code
from lrsearch.task.model import NOT_IN_A_FILE, Compared, Entry, Identity, Recipe, Searched, Shared, Task
from lrsearch.task.recipe import written
from lrsearch.task.sources import Code, Source, sources_of_file, sources_of_module, sources_of_own_module
from lrsearch.task.watch import WATCHED, watched

RESULTS_VERSION = 1
"""Of what lrsearch itself does in a training: raised by hand when the same task gives other results than before."""
_VERSION = "results_version"
_CODE = "'s code"
_LIVE_DATA = "'s data "
_ENTRY = "optimizers."
_JUDGED = ".weights to evaluate by"
_AT_FIRST = "'s evaluation at iteration 0"
_GENERATORS = "'s generators"
_SHOWN = (_JUDGED, _AT_FIRST, _GENERATORS)
_DATA = "data."


def prepared(task: Task) -> Task:
    """Return the task with its code and what identifies its trainings, read now unless it has them already.

    A run does it once, before all else: what it loads, in every process, is what was read here, and that is on record,
    whatever becomes of the files.

    Raises:
        TaskError: a file that it watches does not exist or cannot be read.
    """
    if task.identity is not None:
        return task
    code = code_of(task)
    return replace(task, code=code, identity=_identity(task, code))


def identity_of(task: Task) -> Identity:
    """Return all fields of a task that change what a training gives: what was taken, of one that is prepared.

    What only widens a search is left out: seeds, limits, starts, tolerance, the metric's kind and which entries there
    are. So are searched and shared values, which every trial has on record itself. The workload's code counts by its
    syntax: a comment or a blank line changes nothing.

    Raises:
        TaskError: a file that it watches does not exist or cannot be read.
    """
    return _identity(task, code_of(task)) if task.identity is None else task.identity


def _identity(task: Task, code: Code) -> Identity:
    metric, budget = task.metric, task.budget
    identity: Identity = {
        task.trained_by: task.workload,
        f"{task.trained_by}{_CODE}": code.digest,
        **{f"{task.trained_by}{_LIVE_DATA}{name}": digest for name, digest in code.data.items()},
        **{f"{WATCHED}{pattern}": digest for pattern, digest in watched(task).items()},
        **{f"arguments.{name}": value for name, value in task.arguments.items()},
        "budget.iterations": budget.iterations,
        "budget.evaluate_every": budget.evaluate_every,
        "metric.name": metric.name,
        "metric.mode": metric.mode,
        "metric.examples": metric.examples,
        "metric.curve_examples": metric.curve_examples,
        "metric.window": metric.window,
        "recipe.gradient_clip": task.recipe.gradient_clip,
        "recipe.precision": task.recipe.precision,
        # Added since there are studies, so only where they are not as usual.
        **({"metric.take": metric.take} if metric.take != "last" else {}),
        **{f"recipe.{name}": value for name, value in written(task.recipe).items()},
        "resources.cpus": task.resources.cpus,
        "resources.gpus": "some" if task.resources.gpus else "none",
        **_version("lrsearch", RESULTS_VERSION),
        **(
            {"histogram.bins": task.comparison.bins, "histogram.spacing": task.comparison.spacing}
            if task.comparison is not None
            else {}
        ),
    }
    for entry in task.entries.values():
        here = f"{_ENTRY}{entry.name}."
        identity |= {
            f"{here}base": entry.optimizer,
            f"{here}cprop": entry.wrapped_in_cprop,
            **{f"{here}arguments.{name}": value for name, value in entry.arguments.items()},
            **{f"{here}{name}": value for name, value in entry.options.items()},
            **{
                f"{here}{name}": value
                for name, value in entry.hyperparameters.items()
                if not isinstance(value, Searched | Shared)
            },
            **_compared(here, entry),
            **({f"{here}optimizer{_CODE}": code.optimizers[entry.name]} if entry.name in code.optimizers else {}),
            **(_version(f"{here}cprop", cprop.results.RESULTS_VERSION) if entry.wrapped_in_cprop else {}),
        }
    plain: Identity = json.loads(json.dumps(identity, default=str))
    return plain


def with_data(identity: Identity, read: Iterable[tuple[str, str, str]]) -> Identity:
    """Add the data sets that the workload reads to an identity, each as its name, a summary and a checksum.

    The summary begins with the name: ``cifar100: 15,000 of 50,000 ...``.
    """
    return identity | {f"{_DATA}{name}": f"{summary} [{checksum[:16]}]" for name, summary, checksum in read}


def data_of(identity: Identity) -> dict[str, str]:
    """Give the fields of an identity that say what data was read."""
    return {field: value for field, value in identity.items() if field.startswith(_DATA)}


def judged_by_own_weights(entries: Iterable[str]) -> Identity:
    """Return the fields of entries whose optimizer says by which weights to evaluate: they were not always heeded."""
    return {f"{_ENTRY}{entry}{_JUDGED}": "by those that the optimizer has for it" for entry in entries}


def drawing_at_first(task: Task) -> Identity:
    """Return the field of a loop whose evaluation at iteration 0 draws random numbers: it once moved all later ones."""
    return {f"{task.trained_by}{_AT_FIRST}": "leaves the random state as it was"}


def seeding_generators(task: Task) -> Identity:
    """Return the field of code that keeps random generators of its own: once they went on from training to training."""
    return {f"{task.trained_by}{_GENERATORS}": "are seeded for each training"}


def shown_when_tried(identity: Identity) -> Identity:
    """Return the fields that only show when a task is tried out: its data, and what its code does."""
    return data_of(identity) | {field: value for field, value in identity.items() if field.endswith(_SHOWN)}


def data_summaries(identity: Identity) -> list[str]:
    """Give what an identity says of its data, in phrases."""
    return [value.rpartition(" [")[0] for value in data_of(identity).values()]


def fingerprint(identity: Identity) -> str:
    """Give an identity in 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def of_entry(identity: Identity, entry: str) -> Identity:
    """Give the fields that concern one entry: the task's own and the entry's."""
    # Entries' names may hold dots: a field belongs to the longest name that it begins with.
    entries = [
        name.removesuffix(".cprop")
        for name in identity
        if name.startswith(_ENTRY) and name.endswith(".cprop")
    ]

    def owner(field: str) -> str:
        return max((name for name in entries if field.startswith(f"{name}.")), key=len, default="")

    return {
        name: value
        for name, value in identity.items()
        if not name.startswith(_ENTRY) or owner(name) == f"{_ENTRY}{entry}"
    }


def lacking(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Return what is on record now and was not: of watched files and optimizers' code, which may have been anything."""
    return {
        name: name.removeprefix(WATCHED)
        for name in now
        if name not in before
        and (name.startswith(WATCHED) or (name.startswith(_ENTRY) and name.endswith(f".optimizer{_CODE}")))
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that differ, each with what it was and what it is; not those that are ``lacking``."""
    changed = {}
    for name in sorted((before.keys() | now.keys()) - lacking(before, now).keys()):
        was, is_now = before.get(name), now.get(name)
        if was != is_now or (name in before) != (name in now):
            named = (
                f"{name.removeprefix(WATCHED)} has changed"
                if name.endswith(_CODE)
                or (name.startswith(WATCHED) and name in now)
                or (_LIVE_DATA in name and name in before and name in now)
                else f"{name} was {_shown(name, before)}, is {_shown(name, now)}"
            )
            changed[name] = named
    return changed


def _compared(here: str, entry: Entry) -> Identity:
    """What only a comparison has: rates that are given and not searched, and a schedule of the entry's own."""
    identity: Identity = {}
    for name, value in entry.hyperparameters.items():
        if isinstance(value, Compared):
            identity[f"{here}{name}"] = value.start
            identity |= {f"{here}{name}.scaled_by": value.scaled_by} if value.scaled_by else {}
    if entry.schedule is not None:
        identity[f"{here}schedule"] = written(Recipe(schedule=entry.schedule))["schedule"]
    return identity


def _version(of: str, version: int) -> Identity:
    """The field of a version; none for the first, which studies do not name that were made before there were others."""
    return {f"{of}.{_VERSION}": version} if version != 1 else {}


def _shown(name: str, fields: Mapping[str, Any]) -> str:
    if name.endswith(f".{_VERSION}"):
        return str(fields.get(name, 1))
    return json.dumps(fields[name]) if name in fields else "not given"


def code_of(task: Task) -> Code:
    """Read the code that a task's trainings run: its file and what that imports from beside it, or live code."""
    optimizers: dict[str, str] = {}
    files: dict[Path, bytes] = {}
    for entry in task.entries.values():
        module, _, name = entry.optimizer.rpartition(":")
        if name and (sources := list(sources_of_own_module(module, task.folder))):
            optimizers[entry.name] = _digest(sources)
            files |= {source.path: source.content for source in sources}
    place = task.workload.rsplit(":", 1)[0]
    if task.provided is not None and task.workload.startswith(NOT_IN_A_FILE):
        live = live_code(task.provided)
        return Code(digest_of(live.text), {**files, **live.files}, optimizers, live.data, live.unseen)
    found = sources_of_file(task.folder / place) if place.endswith(".py") else sources_of_module(place)
    sources = list(found)
    files |= {source.path: source.content for source in sources}
    return Code(_digest(sources) if sources else None, files, optimizers)


def _digest(sources: Iterable[Source]) -> str:
    return digest_of("".join(source.text for source in sources))


def digest_of(source: str) -> str:
    """Give a source in 16 hexadecimal digits."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]
