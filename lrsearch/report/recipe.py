"""How each training went beside its optimizer, in a sentence."""

from typing import Any

from lrsearch.report.numbers import and_text, count_text
from lrsearch.task.model import Recipe, Task
from lrsearch.task.recipe import written
from lrsearch.trial import SearchId


def recipe_text(task: Task) -> str:
    """Name a recipe that is not the usual one, what is searched as its peak first; nothing for the usual one."""
    recipe = task.recipe
    parts = [*_rate(recipe, task.budget.iterations), *_update(recipe)]
    return f"Recipe: {'; '.join(parts)}." if parts else ""


def is_peak(task: Task, search: SearchId) -> bool:
    """Whether what is searched is the peak of a rate that changes while it trains."""
    return search.hyperparameter == "lr" and task.recipe.changes_lr


def _rate(recipe: Recipe, iterations: int) -> list[str]:
    if not recipe.changes_lr:
        return []
    warmup = recipe.warmup_iterations(iterations)
    stages = [f"a warm-up of {count_text(warmup, 'iteration')}"] if warmup else []
    if recipe.schedule is not None:
        named = written(recipe)["schedule"]
        arguments = {k: v for k, v in named.items() if k != "name"} if isinstance(named, dict) else {}
        shown = ", ".join(f"{name} {_value(value)}" for name, value in arguments.items())
        stages.append(f"{recipe.schedule.name}{f' ({shown})' if shown else ''}")
    return [f"lr is the peak of {and_text(stages)}"]


def _update(recipe: Recipe) -> list[str]:
    groups = [
        f"{group.match} at {_numbers({'lr_times': group.lr_times} if group.lr_times != 1 else {}, group.arguments)}"
        for group in recipe.groups
    ]
    return [
        *([f"{recipe.accumulate} batches an iteration"] if recipe.accumulate > 1 else []),
        *(
            [f"gradients clipped to norm {recipe.gradient_clip:g}"]
            if recipe.gradient_clip is not None
            else []
        ),
        *([recipe.precision] if recipe.precision != Recipe().precision else []),
        *(["compiled"] if recipe.compile else []),
        *groups,
    ]


def _numbers(*of: Any) -> str:
    return (
        ", ".join(f"{name} {value:g}" for numbers in of for name, value in numbers.items())
        or "the same numbers"
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['times']:g} of the peak"
    return f"{value:g}" if isinstance(value, float) else str(value)
