"""comparison.yaml: where each entry of a comparison ended, and what sets those of each pair apart, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import lrsearch
from lrsearch.averages import mean_of
from lrsearch.errors import UnfinishedError
from lrsearch.report.export import entry_arguments, metric_of
from lrsearch.report.numbers import count_text
from lrsearch.report.remaining import trainings_left
from lrsearch.report.versus import versus_text
from lrsearch.searches import SearchState, nothing_to_wait_for
from lrsearch.task.comparison import MEAN_SCALE, is_of_scales
from lrsearch.task.model import Task
from lrsearch.task.recipe import written
from lrsearch.task.training_recipe import Recipe
from lrsearch.trial import Diverged, Finished, SearchId, Trial
from lrsearch.verdict import Interval, SpeedUp, interval, mean_scale, paired, speed_up


def comparison(
    task: Task,
    states: Sequence[SearchState],
    made_with: Mapping[str, str],
    fingerprint: str,
    *,
    partial: bool = False,
) -> dict[str, Any]:
    """Give the content of comparison.yaml.

    ``scale`` is the part of the file's length that was trained, where that is not all of it.

    ``entries`` holds for each its constructor's arguments as chosen.yaml does, ``ends`` (each metric at the end by
    seed), ``means`` (each metric's ``mean`` with the 95 % interval over seeds, ``low`` to ``high``), ``mean_scale``
    over the whole training and ``diverged`` (iteration by seed). A control whose rate is not known, because the entry
    that it takes its scale from recorded none, has a null ``lr`` and nothing else.

    ``pairs`` holds for each entry the one it was set ``against``, the ``differences`` of each metric, own less other,
    paired by seed, with intervals; ``speed_up``, how soon it is where the other ends; the same ``control`` where
    there is one; and the ``verdict`` in words. A null end of an interval is one that two seeds would give.

    Args:
        task: the comparison.
        states: where its entries stand.
        made_with: versions, device and date.
        fingerprint: of all that changes results.
        partial: give what there is, where not all have ended.

    Raises:
        UnfinishedError: not all have ended, and ``partial`` is False.
    """
    assert task.comparison is not None, "a comparison says what it compares"
    by_entry = {state.search.entry: state for state in states}
    if not partial:
        _refuse_unfinished(task, {state.search: state for state in states})
    pairs = {variant: _pair(task, by_entry, variant, base) for variant, base in task.comparison.pairs.items()}
    recipe = written(task.recipe)
    return {
        "lrsearch": lrsearch.__version__,
        "comparison": task.name,
        "fingerprint": fingerprint,
        "metric": metric_of(task),
        "seeds": task.seeds,
        **({"scale": task.comparison.scale} if task.comparison.scale != 1 else {}),
        **({"recipe": recipe} if recipe else {}),
        "entries": {name: _entry(task, by_entry[name]) for name in task.entries},
        "pairs": {variant: pair for variant, pair in pairs.items() if pair},
        "made_with": dict(made_with),
    }


def _refuse_unfinished(task: Task, states: Mapping[SearchId, SearchState]) -> None:
    left = [
        f"{state.search.entry}: {count_text(trainings_left(task, state), 'training')} to go"
        for state in states.values()
        if state.verdict is None and not nothing_to_wait_for(state, states)
    ]
    if left:
        raise UnfinishedError(
            f"{task.name} has not ended: {'; '.join(left)}; go on with: lrsearch resume {task.name}, "
            "or export what there is with --partial"
        )


def _entry(task: Task, state: SearchState) -> dict[str, Any]:
    entry = task.entries[state.search.entry]
    values = None if state.others is None else {**state.others, "lr": state.searched.guess}
    ends = _ends(task, state.trials)
    diverged = {t.spec.seed: t.outcome.iteration for t in state.trials if isinstance(t.outcome, Diverged)}
    scale = mean_scale(state.trials)
    schedule = written(Recipe(schedule=entry.schedule)).get("schedule")
    return {
        "optimizer": entry.optimizer,
        "hyperparameters": entry_arguments(entry, values or {"lr": None}),
        **({"arguments": made} if (made := task.arguments_of(entry.name)) else {}),
        **({"schedule": schedule} if schedule else {}),
        **({"ends": {name: _rounded_all(values) for name, values in ends.items()}} if ends else {}),
        **(
            {"means": {name: _interval(interval([*of.values()])) for name, of in ends.items()}}
            if ends
            else {}
        ),
        **({MEAN_SCALE: _rounded(scale)} if scale is not None else {}),
        **({"diverged": diverged} if diverged else {}),
    }


def _pair(task: Task, states: Mapping[str, SearchState], variant: str, base: str) -> dict[str, Any]:
    assert task.comparison is not None, "a comparison says what it compares"
    own, other = states[variant], states[base]
    content = {"against": base, **_set_against(task, own.trials, other.trials)}
    control = task.comparison.controls.get(variant)
    if control is not None and states[control].trials:
        against = _set_against(task, own.trials, states[control].trials)
        content["control"] = {"entry": control, "lr": states[control].searched.guess, **against}
    return content | {"verdict": versus_text(task, variant, content)}


def _set_against(task: Task, own: Sequence[Trial], other: Sequence[Trial]) -> dict[str, Any]:
    ends, others = _ends(task, own), _ends(task, other)
    names = [name for name in ends if name in others]
    found = {name: _interval(paired(ends[name], others[name])) for name in names}
    sooner = speed_up(other, own, task.metric.mode)
    return {
        "differences": {name: difference for name, difference in found.items() if difference},
        **({"speed_up": _speed_up(sooner)} if sooner else {}),
    }


def _ends(task: Task, trials: Sequence[Trial]) -> dict[str, dict[int, float]]:
    """Each of the workload's metrics at the end, the deciding one first, by the seeds that finished."""
    finished = sorted(
        (trial for trial in trials if isinstance(trial.outcome, Finished)), key=lambda t: t.spec.seed
    )
    names = [name for name in (finished[0].curve[-1].metrics if finished else ()) if not is_of_scales(name)]
    first = [task.metric.name] if task.metric.name in names else []
    return {
        name: {
            trial.spec.seed: mean_of([e.metrics[name] for e in task.metric.deciding(trial.curve)])
            for trial in finished
        }
        for name in [*first, *(name for name in names if name not in first)]
    }


def _interval(found: Interval | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "mean": _rounded(found.mean),
        "low": _rounded(found.low),
        "high": _rounded(found.high),
        "seeds": found.seeds,
    }


def _speed_up(found: SpeedUp) -> dict[str, Any]:
    return {
        "base_iterations": _rounded(found.base),
        "iterations": _rounded(found.iterations),
        "reached": found.reached,
        "seeds": found.seeds,
        "factor": _interval(found.factor),
    }


def _rounded_all(values: Mapping[int, float]) -> dict[int, float | None]:
    return {seed: _rounded(value) for seed, value in values.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
