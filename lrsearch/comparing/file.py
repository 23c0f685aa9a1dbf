"""A comparison file -> the task that it compares: entries with numbers, pairs and controls.

It is lowered to the content of a task file and checked as one, with the places of the comparison's own file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
import yamlcore

from lrsearch.comparing.entries import EntryWriter
from lrsearch.comparing.rates import Rates
from lrsearch.errors import UsageError
from lrsearch.searches import hyperparameters_of
from lrsearch.studies import Place
from lrsearch.task import Task, load_task
from lrsearch.task.compared import parse_stored, stored_text
from lrsearch.task.document import Document, Problem, did_you_mean, listed, read_document, shown
from lrsearch.task.file import is_comparison, task_of, text_of
from lrsearch.task.model import CPROP_PREFIX, Entry

OWN = ("task", "rates", "control", "histogram")
"""Keys that a comparison alone has."""
_IN_PLACE = ("name", "seeds", "optimizers")
_OVER = ("budget", "metric", "resources")
"""Keys of a task: those that stand in place of the task's own, and those whose own keys go over it."""
_SPACINGS = ("even", "logarithmic")
_MOST_BINS = 100
CONTROL = "_control"
"""What the name of an entry ends with that trains a base at the rate that CProp used."""


def load_comparison(path: Path, root: Path, storage: str | None = None, scale: float = 1.0) -> Task:
    """Read and check a comparison file, with its task and the rates that were chosen for it.

    Args:
        path: the file.
        root: the folder of all studies, among them that of the task.
        storage: an Optuna storage URL, if studies lie in one.
        scale: how much of the file's length is trained, above 0 to 1, with as many evaluations. Below 1 it is another
            comparison, with a name and a study of its own: ``NAME_at_0.1``.

    Raises:
        TaskError: it or its task cannot be used, or a rate is missing.
        UsageError: the scale is none.
    """
    if not 0 < scale <= 1:
        raise UsageError(
            f"--scale {shown(scale)} is no part of the file's length; give a number above 0, at most 1"
        )
    document = read_document(text_of(path), str(path))
    document.refuse(_own_problems(document))
    data = document.data
    base_path = path.parent / data["task"]
    if not base_path.is_file():
        document.refuse([Problem(("task",), f"task is {data['task']}, which is no file; {_BESIDE}")])
    base = load_task(base_path)
    if base.trained_by == "loop":
        problem = f"task is {data['task']}, which trains by a loop; compare entries of a workload"
        document.refuse([Problem(("task",), problem)])
    if data["name"] == base.name:
        problem = f"name is {base.name}, which the study of the task has; give another"
        document.refuse([Problem(("name",), problem)])
    written: dict[str, Any] = yaml.load(base.text, Loader=yamlcore.CoreLoader)
    writer = EntryWriter(
        document, base, written["optimizers"], Rates(base, document, Place(base.name, root, storage))
    )
    entries, schedules, against = writer.entries(), writer.schedules(), writer.against()
    document.refuse(writer.problems)
    lowered = {key: value for key, value in written.items() if key not in ("search", "seeds")}
    lowered |= {"seeds": base.seeds} | {key: data[key] for key in _IN_PLACE if key in data}
    lowered |= {key: _over(written.get(key), data[key]) for key in _OVER if key in data}
    lowered["optimizers"] = entries
    if scale < 1:
        lowered = _shortened(lowered, scale)
    task = task_of(replace(document, data=lowered), "", base_path)
    document.refuse(_problems_beside(document, task))
    given = {
        name: replace(e, hyperparameters=hyperparameters_of(task, name, {}))
        for name, e in task.entries.items()
    }
    found = dict(_found_pairs(given, schedules)) | against
    pairs = {name: found[name] for name in given if name in found}
    controls = _controls(document, given, pairs)
    for variant, control in controls.items():
        given[control] = replace(given[pairs[variant]], name=control)
        if pairs[variant] in schedules:
            schedules[control] = schedules[pairs[variant]]
    lowered["optimizers"] = {name: _written(entry) for name, entry in given.items()}
    comparison = {"pairs": pairs, "controls": controls, "schedules": schedules, **_histogram(data)}
    if scale < 1:
        comparison["scale"] = scale
    made = parse_stored(stored_text(lowered, comparison), base_path, str(path))
    return replace(made, positions=document.positions)


def load_either(path: Path, root: Path, storage: str | None = None) -> Task:
    """Read and check a task file or a comparison file, whichever it is.

    Raises:
        TaskError: it cannot be used.
    """
    document = read_document(text_of(path), str(path))
    return load_comparison(path, root, storage) if is_comparison(document.data) else load_task(path)


_BESIDE = "give a task file, relative to this file's folder"


def _own_problems(document: Document) -> Iterator[Problem]:
    data = document.data
    if not isinstance(data, dict):
        yield Problem((), f"the file holds {shown(data)}; write a comparison as lines of KEY: VALUE")
        return
    known = ("name", *OWN, *_IN_PLACE[1:], *_OVER)
    for key in data:
        if key not in known:
            remedy = did_you_mean(key, known, f"the keys of a comparison are {listed(known)}")
            yield Problem((key,), f"{key} is not a key here; {remedy}")
    examples = {"name": "my_comparison", "task": "TASK.yaml", "optimizers": "{sgd: {}, cprop_sgd: {}}"}
    for key, example in examples.items():
        if key not in data:
            yield Problem((key,), f"{key} is missing; add {key}: {example}")
    for key in ("task", "rates"):
        if key in data and not (isinstance(data[key], str) and data[key]):
            yield Problem((key,), f"{key} is {shown(data[key])}; give the path of a file")
    if not isinstance(data.get("optimizers", {}), dict) or not data.get("optimizers", True):
        yield Problem(
            ("optimizers",), f"optimizers is {shown(data['optimizers'])}; give entries, such as sgd: {{}}"
        )
    for key in ("budget", "metric", "resources"):
        if key in data and not isinstance(data[key], dict):
            yield Problem((key,), f"{key} is {shown(data[key])}; give a mapping, as in a task file")
    if isinstance(data.get("seeds"), dict):
        yield Problem(("seeds",), "seeds is a mapping, and nothing is screened here; give one number")
    yield from _control_problems(data)
    yield from _histogram_problems(data)


def _control_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    control = data.get("control", True)
    if isinstance(control, bool):
        return
    if not isinstance(control, list) or not all(isinstance(name, str) for name in control):
        yield Problem(
            ("control",), f"control is {shown(control)}; give true, false or a list of entries in CProp"
        )


def _histogram_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    histogram = data.get("histogram", {})
    if not isinstance(histogram, dict):
        yield Problem(
            ("histogram",), f"histogram is {shown(histogram)}; give {{bins: 20, spacing: logarithmic}}"
        )
        return
    for key in histogram.keys() - {"bins", "spacing"}:
        remedy = did_you_mean(key, ("bins", "spacing"), "the keys are bins and spacing")
        yield Problem(("histogram", key), f"histogram.{key} is not a key here; {remedy}")
    bins, spacing = histogram.get("bins", 20), histogram.get("spacing", "even")
    if isinstance(bins, bool) or not isinstance(bins, int) or not 1 <= bins <= _MOST_BINS:
        yield Problem(
            ("histogram", "bins"),
            f"histogram.bins is {shown(bins)}; give a whole number from 1 to {_MOST_BINS}",
        )
    if spacing not in _SPACINGS:
        yield Problem(
            ("histogram", "spacing"), f"histogram.spacing is {shown(spacing)}; give even or logarithmic"
        )


def _problems_beside(document: Document, task: Task) -> Iterator[Problem]:
    metric, budget = task.metric, task.budget
    if metric.examples != metric.curve_examples and budget.evaluate_every < budget.iterations:
        of, between = (n or "all" for n in (metric.examples, metric.curve_examples))
        yield Problem(
            ("metric",),
            f"metric.examples is {of} and metric.curve_examples {between}, so when a training is first as good as "
            f"another's end cannot be told; give one number for both: metric: {{examples: N, curve_examples: N}}",
        )
    for name, entry in task.entries.items():
        if "lr" not in entry.hyperparameters:
            yield Problem(
                ("optimizers", name), f"optimizers.{name} has no lr; give a number or {{of: ENTRY}}"
            )


def _shortened(lowered: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """Shorten a task's content; what is not a number stays, and is refused with the rest."""
    budget = {
        key: max(1, round(value * scale)) if isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in lowered.get("budget", {}).items()
    }
    return {**lowered, "name": f"{lowered['name']}_at_{scale:g}", "budget": budget}


def _over(own: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    return {**(own or {}), **given}


def _histogram(data: Mapping[str, Any]) -> dict[str, Any]:
    histogram = data.get("histogram", {})
    return {"bins": histogram.get("bins", 20), "spacing": histogram.get("spacing", "even")}


def _found_pairs(entries: Mapping[str, Entry], schedules: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each entry in CProp with the bare one that is the same but for CProp, if there is one."""

    def bare(entry: Entry) -> tuple[Any, ...]:
        own: Sequence[dict[str, Any]] = [dict(entry.hyperparameters), dict(entry.options)]
        kept = [{n: v for n, v in values.items() if not n.startswith(CPROP_PREFIX)} for values in own]
        return entry.optimizer, kept, entry.arguments, schedules.get(entry.name)

    for name, entry in entries.items():
        alike = [n for n, e in entries.items() if not e.wrapped_in_cprop and bare(e) == bare(entry)]
        if entry.wrapped_in_cprop and alike:
            yield name, alike[0]


def _controls(document: Document, entries: Mapping[str, Entry], pairs: Mapping[str, str]) -> dict[str, str]:
    """Name the controls that are wanted, by the entry in CProp whose rate they take."""
    asked = document.data.get("control", True)
    possible = [
        variant
        for variant, base in pairs.items()
        if entries[variant].wrapped_in_cprop and not entries[base].wrapped_in_cprop
    ]
    wanted = possible if asked is True else asked or []
    problems = [
        Problem(
            ("control",),
            f"control names {shown(name)}, which is no entry in CProp that is compared with a bare one; "
            + did_you_mean(name, possible, f"those are {listed(possible)}" if possible else "there is none"),
        )
        for name in wanted
        if name not in possible
    ]
    problems += [
        Problem(
            ("optimizers", f"{name}{CONTROL}"),
            f"optimizers.{name}{CONTROL} has the name of the control of {name}; call it otherwise",
        )
        for name in wanted
        if f"{name}{CONTROL}" in entries
    ]
    document.refuse(problems)
    return {name: f"{name}{CONTROL}" for name in wanted}


def _written(entry: Entry) -> dict[str, Any]:
    """An entry whose hyperparameters are numbers, as a task file has it."""
    flat = {**entry.options, **entry.hyperparameters}
    wrapper = {n.removeprefix(CPROP_PREFIX): v for n, v in flat.items() if n.startswith(CPROP_PREFIX)}
    return {
        "base": entry.optimizer,
        **({"arguments": dict(entry.arguments)} if entry.arguments else {}),
        **{name: value for name, value in flat.items() if not name.startswith(CPROP_PREFIX)},
        **({"cprop": wrapper} if entry.wrapped_in_cprop else {}),
    }
