"""chosen.yaml: the chosen values, ready for the optimizers' constructors, with the evidence in short."""

import math
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

import lrsearch
from lrsearch.errors import UnfinishedError
from lrsearch.report.findings import iterations_saved
from lrsearch.report.metrics import other_metrics
from lrsearch.report.numbers import count_text
from lrsearch.report.remaining import trainings_left
from lrsearch.report.starts import off_by
from lrsearch.searches import (
    PendingError,
    SearchState,
    chosen_values,
    needed_by,
    nothing_to_wait_for,
    skips_of,
    value_of,
)
from lrsearch.task.model import CPROP_PREFIX, Entry, Task
from lrsearch.task.recipe import written
from lrsearch.task.starts import RangeTest, ScaledStart
from lrsearch.trial import SearchId, Stopped
from lrsearch.verdict import Row, Verdict

NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|0x[\da-fA-F]+")
"""What YAML 1.2 takes for a number; PyYAML, of YAML 1.1, would leave ``12e5`` without quotes."""


def chosen(
    task: Task,
    states: Iterable[SearchState],
    made_with: Mapping[str, str],
    fingerprint: str,
    *,
    partial: bool = False,
) -> dict[str, Any]:
    """Give the content of chosen.yaml.

    Each entry has its constructor's arguments, options included and CProp's own nested under ``cprop``. A
    value that is not known (its search found nothing or has not ended) is None, so that no optimizer is built
    with some default in its place. ``arguments`` are the workload's, if there are any. Entries whose searches are not
    among ``states`` (``--only``) are left out.

    The evidence of a search of which two seeds trained exactly alike names them as ``seeds_alike``. That of one that
    has ended holds its ``candidates``, lowest value first: by value the ``mean`` and
    ``std`` of the metric over ``seeds``, or the ``outcome`` of one that could not be chosen: ``diverged`` (on
    ``seeds_diverged`` of its seeds), ``did_not_learn``, ``stopped`` (a seed was ended early) or ``unfinished`` (a
    seed did not run to the end). ``skipped`` says by value which seeds were not trained to the end, and why, and
    ``iterations_saved`` what they would have cost. ``regret_at_most`` is a fraction of the metric's value, unless
    ``regret_of`` names another: ``learned``, what was learned, or ``error``, 1 (or 100) less an accuracy. ``metrics``
    are the others of the chosen candidate at its end, by name, as ``mean`` and ``std`` (null where one is not finite).
    ``start`` says where the search began and why, where the task gave no number; with a rule, whether it ``held``, and
    by how many rungs the choice is ``off_by``. A ``recipe`` other than the usual stands at the top.

    Args:
        task: the task.
        states: where its searches stand.
        made_with: versions, device and date.
        fingerprint: of all in the task that changes results.
        partial: give what there is of searches that have not ended, instead of refusing.

    Raises:
        UnfinishedError: a search has not ended and ``partial`` is False; the message says what is left.
    """
    by_search = {state.search: state for state in states}
    if not partial:
        _refuse_unfinished(task, by_search)
    covered = {name for name in task.entries if by_search.keys() >= {*needed_by(task, [name])}}
    recipe = written(task.recipe)
    return {
        "lrsearch": lrsearch.__version__,
        "task": task.name,
        "fingerprint": fingerprint,
        "metric": metric_of(task),
        **({"recipe": recipe} if recipe else {}),
        "chosen": {
            name: _entry(task, entry, by_search) for name, entry in task.entries.items() if name in covered
        },
        "made_with": dict(made_with),
    }


def to_yaml(content: Mapping[str, Any]) -> str:
    """Write plain data so that readers of YAML 1.1 and of 1.2 find the same numbers and strings in it."""
    return yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110
    )


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data as YAML; whoever looks finds the old file or the whole new one, after a crash too."""
    write_atomically(path, to_yaml(content).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())  # mkstemp makes files that nobody else may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or the new name could be lost with the power
    finally:
        os.close(folder)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def metric_of(task: Task) -> dict[str, Any]:
    """Give what decides; its mode where that is to be high, its examples where these are not all."""
    metric = task.metric
    return {
        "name": metric.name,
        **({"mode": metric.mode} if metric.mode != "min" else {}),
        **({"kind": task.settings.kind} if task.settings.kind is not None else {}),
        "iteration": task.budget.iterations,
        "window": metric.window,
        **({"take": metric.take} if metric.take != "last" else {}),
        **({"examples": metric.examples} if metric.examples is not None else {}),
    }


def _refuse_unfinished(task: Task, states: Mapping[SearchId, SearchState]) -> None:
    left = []
    for state in states.values():
        if state.verdict is not None or nothing_to_wait_for(state, states):
            continue
        to_go = trainings_left(task, state)
        # Of the fewest that the whole search takes, those that were redone or wandered included.
        whole = to_go + sum(trial.ended for trial in state.trials) - len(state.failures)
        failed = f" ({len(state.failures)} failed)" if state.failures else ""
        left.append(f"{state.search}: at least {to_go} of {count_text(whole, 'training')} to go{failed}")
    if left:
        raise UnfinishedError(
            f"{task.name} has not ended: {'; '.join(left)}; go on with: lrsearch resume {task.name}, "
            "or export what there is with --partial"
        )


def _entry(task: Task, entry: Entry, states: Mapping[SearchId, SearchState]) -> dict[str, Any]:
    values = chosen_values(states.values())
    found = {name: _value(task, SearchId(entry.name, name), values) for name in entry.hyperparameters}
    arguments = entry_arguments(entry, found)
    content: dict[str, Any] = {"optimizer": entry.optimizer, "hyperparameters": arguments}
    searches = {search.hyperparameter: _search(task, states[search]) for search, _ in entry.searches()}
    made_with = task.arguments_of(entry.name)
    return (
        content
        | ({"arguments": made_with} if made_with else {})
        | ({"searches": searches} if searches else {})
    )


def entry_arguments(entry: Entry, values: Mapping[str, float | None]) -> dict[str, Any]:
    """Give the arguments of an entry's constructor, options included and CProp's own nested, by its numbers."""
    arguments: dict[str, Any] = {CPROP_PREFIX: {}} if entry.wrapped_in_cprop else {}
    for name, value in {**values, **entry.options}.items():
        _put(arguments, name, value)
    if CPROP_PREFIX in arguments:
        arguments["cprop"] = arguments.pop(CPROP_PREFIX)  # last, as it reads best
    return arguments


def _put(arguments: dict[str, Any], name: str, value: Any) -> None:
    if name.startswith(CPROP_PREFIX):
        arguments.setdefault(CPROP_PREFIX, {})[name.removeprefix(CPROP_PREFIX)] = value
    else:
        arguments[name] = value


def _value(task: Task, name: SearchId, values: Mapping[SearchId, float]) -> float | None:
    try:
        return value_of(task, name, values)
    except PendingError:
        return None


def _search(task: Task, state: SearchState) -> dict[str, Any]:
    if state.verdict is not None:
        return _evidence(task, state, state.verdict) | _start(state)
    if state.waiting_for:
        return {
            "verdict": "not_searched",
            "resolved": False,
            "waits_for": [str(s) for s in state.waiting_for],
        }
    return {"verdict": "unfinished", "resolved": False} | _start(state)


def _start(state: SearchState) -> dict[str, Any]:
    """Where the search began, if that was proposed; and, where a rule did, whether it held."""
    searched = state.searched
    match searched.proposed:
        case RangeTest() as test:
            start = {"auto": searched.start, "suggested": test.suggested}
            return {"start": start | {"seeds": len(test.losses), "iterations": test.iterations}}
        case ScaledStart(scaling=scaling) as scaled:
            off = off_by(state)
            return {
                "start": {
                    "from": scaling.source,
                    "entry": scaled.entry,
                    "rule": scaling.rule,
                    **({"by": scaling.by} if scaling.by is not None else {}),
                    **({"ratio": _rounded(scaled.ratio, 6)} if scaled.ratio is not None else {}),
                    "value": _rounded(scaled.value, 6),
                    "rung": searched.start,
                    "held": None if off is None else off == 0,
                    "off_by": off,
                }
            }
    return {}


def _evidence(task: Task, state: SearchState, verdict: Verdict) -> dict[str, Any]:
    row = verdict.chosen_row
    metrics = {
        name: {"mean": _rounded(end.mean, 6), "std": _rounded(end.std, 6)}
        for name, end in other_metrics(task, row, state.evidence).items()
    }
    skips = {
        state.searched.ladder.value(skip.rung): {"seeds": list(skip.seeds), "reason": skip.reason}
        for skip in skips_of(task, state)
    }
    stopped = {trial.spec.rung for trial in state.evidence if isinstance(trial.outcome, Stopped)}
    return {
        "verdict": verdict.name,
        "resolved": verdict.resolved,
        "regret_at_most": _rounded(verdict.regret_at_most, 4),
        **(
            {"regret_of": verdict.regret_of}
            if verdict.regret_at_most is not None and verdict.regret_of != "value"
            else {}
        ),
        **({"seeds_alike": list(state.seeds_alike)} if state.seeds_alike else {}),
        "mean": _rounded(row.mean, 6) if row else None,
        "std": _rounded(row.std, 6) if row else None,
        "seeds": row.seeds if row else max((row.seeds for row in verdict.rows), default=0),
        **({"metrics": metrics} if metrics else {}),
        "bracket": list(verdict.bracket) if row else [],
        "ties": list(verdict.ties),
        "iterations": verdict.iterations,
        "iterations_saved": iterations_saved(task, state),
        "candidates": {row.value: _candidate(row, row.rung in stopped) for row in verdict.rows},
    } | ({"skipped": skips} if skips else {})


def _candidate(row: Row, stopped: bool) -> dict[str, Any]:
    """What is known of a candidate; flat, so that it stays one line."""
    if row.diverged:
        return {"outcome": "diverged", "seeds": row.seeds, "seeds_diverged": len(row.diverged)}
    if row.mean is None:
        return {"outcome": "stopped" if stopped else "unfinished", "seeds": row.seeds}
    numbers = {"mean": _rounded(row.mean, 6), "std": _rounded(row.std, 6), "seeds": row.seeds}
    return numbers if row.learned else {"outcome": "did_not_learn", **numbers}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe writer, with strings quoted where a reader of YAML 1.2 would see a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True  # the same list twice is written twice, not as an anchor


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_string)
