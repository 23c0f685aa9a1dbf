"""The ``recipe`` of a task: from the format to frozen data, and back to what a file says of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from lrsearch.task.document import Problem
from lrsearch.task.model import ParameterGroup, Recipe, Schedule
from lrsearch.task.recipe_schema import RecipeBlock
from lrsearch.task.schema import TaskBlock


def recipe_of(block: RecipeBlock) -> Recipe:
    """Make the recipe that a block of the format says."""
    return Recipe(
        gradient_clip=block.gradient_clip,
        precision=block.precision,
        schedule=_schedule_of(block),
        warmup=_whole_where_it_is(block.warmup or 0),
        accumulate=block.accumulate,
        compile=block.compile,
        groups=tuple(
            ParameterGroup(group.match, group.lr_times, dict(group.__pydantic_extra__))
            for group in block.groups
        ),
    )


def read_recipe(written: Mapping[str, Any]) -> Recipe:
    """Make a recipe from what ``written`` gives.

    Raises:
        ValueError: it is none.
    """
    return recipe_of(RecipeBlock.model_validate(written))


def written(recipe: Recipe) -> dict[str, Any]:
    """Give a recipe as a task file says it, in plain data, without what is as usual."""
    usual = Recipe()
    fields: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("gradient_clip", "precision", "schedule", "warmup", "accumulate", "compile", "groups")
        if getattr(recipe, name) != getattr(usual, name)
    }
    if recipe.schedule is not None:
        arguments = dict(recipe.schedule.arguments)
        fields["schedule"] = (
            {"name": recipe.schedule.name, **arguments} if arguments else recipe.schedule.name
        )
    if recipe.groups:
        fields["groups"] = [
            {
                "match": group.match,
                **({"lr_times": group.lr_times} if group.lr_times != 1 else {}),
                **group.arguments,
            }
            for group in recipe.groups
        ]
    return fields


def recipe_problems(block: TaskBlock) -> Iterator[Problem]:
    """Give what is wrong with a recipe beside the rest of its task."""
    recipe, iterations = recipe_of(block.recipe), block.budget.iterations
    warmup = recipe.warmup_iterations(iterations)
    if warmup >= iterations:
        yield Problem(
            ("recipe", "warmup"),
            f"recipe.warmup takes {warmup} iterations, and budget.iterations is {iterations}; give fewer",
        )
    for index, group in enumerate(recipe.groups):
        if "lr" in group.arguments:  # it would stand in place of what is searched
            yield Problem(
                ("recipe", "groups", index, "lr"),
                f"recipe.groups[{index}].lr would be the same at every candidate; give lr_times, a ratio to the "
                "entry's lr",
            )
    yield from _plateau_problems(block, recipe)
    if block.search.race and recipe.changes_lr:
        bends = "schedule" if recipe.schedule else "warmup"
        yield Problem(
            ("search", "race"),
            f"search.race compares curves that recipe.{bends} bends, one more than another; leave race out",
        )


def _plateau_problems(block: TaskBlock, recipe: Recipe) -> Iterator[Problem]:
    """A schedule that compares evaluations needs all of them over the same examples; the last one it does not use."""
    metric, budget = block.metric, block.budget
    between = -(-budget.iterations // budget.evaluate_every) > metric.window
    if recipe.schedule is None or recipe.schedule.name != "ReduceLROnPlateau":
        return
    if metric.window > 1 and between and metric.curve_examples != metric.examples:
        yield Problem(
            ("metric", "curve_examples"),
            f"metric.curve_examples is {metric.curve_examples} and metric.examples {metric.examples}, and "
            f"ReduceLROnPlateau compares evaluations over both where metric.window is {metric.window}; give one "
            "number for both, or window: 1",
        )


def _schedule_of(block: RecipeBlock) -> Schedule | None:
    schedule = block.schedule
    if schedule is None or isinstance(schedule, str):
        return None if schedule is None else Schedule(schedule)
    arguments = {
        name: {"times": value.times} if hasattr(value, "times") else value
        for name, value in schedule.__pydantic_extra__.items()
    }
    return Schedule(schedule.name, arguments)


def _whole_where_it_is(value: float) -> float:
    return int(value) if float(value).is_integer() else value
