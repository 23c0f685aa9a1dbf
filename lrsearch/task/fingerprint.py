"""What of a task changes the result of a training, as flat fields that can be compared and named."""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cprop.results
from lrsearch.task.live_code import source_of
from lrsearch.task.model import NOT_IN_A_FILE, Searched, Shared, Task
from lrsearch.task.recipe import written

Identity = dict[str, Any]
"""Dotted field names to plain values that JSON keeps."""
RESULTS_VERSION = 1
"""Of what lrsearch itself does in a training: raised by hand when the same task gives other results than before."""
_VERSION = "results_version"
_CODE = "'s code"
_ENTRY = "optimizers."
_DATA = "data."


def identity_of(task: Task) -> Identity:
    """Give all fields of a task that change what a training gives.

    What only widens a search is left out: seeds, limits, starts, tolerance and which entries there are. So are
    searched and shared values, which every trial has on record itself. The workload's code counts by its syntax:
    a comment or a blank line changes nothing.
    """
    metric, budget = task.metric, task.budget
    identity: Identity = {
        task.trained_by: task.workload,
        f"{task.trained_by}{_CODE}": _code_of(task),
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
        **{f"recipe.{name}": value for name, value in written(task.recipe).items()},
        "resources.cpus": task.resources.cpus,
        "resources.gpus": "some" if task.resources.gpus else "none",
        **_version("lrsearch", RESULTS_VERSION),
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


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Give the fields that differ, each with what it was and what it is."""
    changed = {}
    for name in sorted(before.keys() | now.keys()):
        was, is_now = before.get(name), now.get(name)
        if was != is_now or (name in before) != (name in now):
            named = (
                f"{name} has changed"
                if name.endswith(_CODE)
                else f"{name} was {_shown(name, before)}, is {_shown(name, now)}"
            )
            changed[name] = named
    return changed


def _version(of: str, version: int) -> Identity:
    """The field of a version; none for the first, which studies do not name that were made before there were others."""
    return {f"{of}.{_VERSION}": version} if version != 1 else {}


def _shown(name: str, fields: Mapping[str, Any]) -> str:
    if name.endswith(f".{_VERSION}"):
        return str(fields.get(name, 1))
    return json.dumps(fields[name]) if name in fields else "not given"


def _code_of(task: Task) -> str | None:
    """The digest of the callable's source and of the files beside it that it imports; None where there is none."""
    if task.provided is not None and task.workload.startswith(NOT_IN_A_FILE):
        return digest_of(source_of(task.provided, lambda path: "".join(_sources(path, set()))))
    place = task.workload.rsplit(":", 1)[0]
    path = task.folder / place if place.endswith(".py") else _module_file(place)
    sources = list(_sources(path, set())) if path else []
    return digest_of("".join(sources)) if sources else None


def digest_of(source: str) -> str:
    """Give a source in 16 hexadecimal digits."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _sources(path: Path, seen: set[Path]) -> Iterator[str]:
    """A file's source without comments, then that of each file beside it that it imports, and so on."""
    seen.add(path)
    try:
        tree = ast.parse(source := path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return
    except SyntaxError:
        yield source  # reported with its line when the workload is made
        return
    yield ast.unparse(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module)):
                modules = [module]
            case _:
                continue
        for module in modules:
            beside = path.parent / f"{module.partition('.')[0]}.py"
            if beside.is_file() and beside not in seen:
                yield from _sources(beside, seen)


def _module_file(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (Exception, SystemExit):  # importing its package raised: reported when the workload is made
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
