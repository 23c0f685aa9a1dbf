"""Whether a schedule fits its training, found by going through it before anything is trained."""

import json
import math
from collections.abc import Sequence
from functools import lru_cache

from torch.optim import Optimizer

from lrsearch.task.model import Budget, Compared, Recipe, Searched, Shared, Task
from lrsearch.task.recipe import read_recipe, written
from lrsearch.training.schedules import PEAK, RecipeSchedule, ScheduleError, StandIn, is_rate
from lrsearch.trial import SearchId

_MOMENTUM = {"momentum": 0.9, "betas": (0.9, 0.999)}
_ROUNDING = 1e-6
_NEAR_THE_PEAK = 0.99
_WHEN = (
    "milestones",
    "step_size",
    "patience",
    "T_0",
    "total_iters",
    "step_size_up",
    "T_max",
    "gamma",
    "factor",
)
"""Arguments that say when or how much a schedule changes the rate."""


def check_schedule(task: Task, entry: str, optimizer: Optimizer) -> None:
    """Check that the task's schedule fits its budget and one of its entries.

    Args:
        task: the task.
        entry: whose optimizer it is.
        optimizer: made with the entry's numbers, of any parameters.

    Raises:
        TaskError: it does not, at the place of what is wrong.
    """
    recipe = task.recipe_of(entry)
    if not recipe.changes_lr:
        return
    _check_absolute_rates(task, entry)
    _check_momentum(task, entry)
    try:
        check_rates(recipe, task.budget, optimizer)
    except ScheduleError as error:
        raise task.error(str(error), *_schedule_key(task, entry, *error.place.split("."))) from error


def check_rates(recipe: Recipe, budget: Budget, optimizer: Optimizer) -> None:
    """Check that a schedule's rates rise to the peak and no further, and that it does something.

    Raises:
        ScheduleError: they do not.
    """
    momentum = tuple(name for name in _MOMENTUM if name in optimizer.defaults)
    if "lr" not in optimizer.defaults:
        RecipeSchedule(optimizer, recipe, budget.iterations)  # says what is missing
    peak = float(optimizer.defaults["lr"])
    rates = simulated_rates(
        json.dumps(written(recipe)), budget.iterations, budget.evaluate_every, peak, momentum
    )
    schedule, warmup = recipe.schedule, recipe.warmup_iterations(budget.iterations)
    if schedule is None:
        return
    after = rates[warmup:]
    highest = max(after)
    when = after.index(highest) + warmup
    if not all(math.isfinite(rate) and rate >= 0 for rate in after):
        raise ScheduleError(
            f"{schedule.name} gives a learning rate that is below 0 or no number; mend its arguments"
        )
    if highest > peak * (1 + _ROUNDING):
        raise ScheduleError(
            f"{schedule.name} raises the rate to {highest / peak:.3g} times lr by iteration {when}, and lr is the "
            "peak; mend its arguments"
        )
    if warmup and after[0] < peak * _NEAR_THE_PEAK:
        raise ScheduleError(
            f"{schedule.name} begins at {after[0] / peak:.3g} of the peak, and recipe.warmup before it ends at the "
            "peak; leave the warmup out",
            place="warmup",
        )
    if all(rate == after[0] for rate in after):
        given = [name for name in _WHEN if name in schedule.arguments]
        raise ScheduleError(
            f"{schedule.name} never changes the rate within the {len(after)} iterations that it has"
            f"{f'; mend {given[0]}' if given else '; mend its arguments'}",
            place=f"schedule.{given[0]}" if given else "",
        )
    if highest < peak * _NEAR_THE_PEAK:
        raise ScheduleError(
            f"{schedule.name} comes to {highest / peak:.3g} of lr at most within the {len(after)} iterations that it "
            "has, and lr is to be the peak; mend its arguments"
        )


@lru_cache(maxsize=64)
def simulated_rates(
    recipe: str, iterations: int, evaluate_every: int, peak: float, momentum: Sequence[str] = ()
) -> list[float]:
    """Give the learning rate of each iteration, with a metric that never improves.

    Args:
        recipe: as JSON of what ``written`` gives.
        iterations: of the training.
        evaluate_every: iterations between evaluations.
        peak: the learning rate.
        momentum: which of ``momentum`` and ``betas`` the optimizer has.

    Raises:
        ScheduleError: the schedule ends before the training.
    """
    optimizer = StandIn({"lr": peak, **{name: _MOMENTUM[name] for name in momentum}})
    schedule = RecipeSchedule(optimizer, read_recipe(json.loads(recipe)), iterations)
    optimizer.step()
    rates = []
    for iteration in range(1, iterations + 1):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        try:
            schedule.step()
            if iteration % evaluate_every == 0:
                schedule.evaluated(1.0)
        except Exception as error:  # whatever a class raises
            raise ScheduleError(
                f"goes no further than iteration {iteration - 1} of {iterations} "
                f"({' '.join(str(error).split())}); mend its arguments"
            ) from error
    return rates


def _check_absolute_rates(task: Task, entry: str) -> None:
    """A rate that is a number may be above some of the peaks that the search visits."""
    lowest = _lowest(task, SearchId(entry, "lr"))
    schedule = task.recipe_of(entry).schedule
    for name, value in schedule.arguments.items() if schedule else ():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_rate(name) and name != PEAK and number and lowest is not None and value > lowest:
            raise task.error(
                f"recipe.schedule.{name} is {value:g}, and the lr of {entry} may be as low as {lowest:g}; give "
                f"{{times: FACTOR}} of the peak, or a higher lower limit in search.limits.lr",
                *_schedule_key(task, entry, "schedule", name),
            )


def _check_momentum(task: Task, entry: str) -> None:
    """A momentum that is searched, or a group's own, would be in vain while the schedule sets another."""
    schedule = task.recipe_of(entry).schedule
    cycles = schedule is not None and schedule.name in ("OneCycleLR", "CyclicLR")
    if not cycles or schedule is None or schedule.arguments.get("cycle_momentum") is False:
        return
    for index, group in enumerate(task.recipe.groups):
        for name in _MOMENTUM.keys() & group.arguments.keys():
            raise task.error(
                f"recipe.groups[{index}].{name} is given, and {schedule.name} sets the momentum of all parameters; "
                "leave it out, or give the schedule cycle_momentum: false",
                "recipe", "groups", index, name,
            )  # fmt: skip
    if isinstance(task.entries[entry].hyperparameters.get("momentum"), Searched):
        raise task.error(
            f"optimizers.{entry}.momentum is searched, and {schedule.name} sets the momentum itself; "
            "give the schedule cycle_momentum: false",
            "optimizers",
            entry,
            "momentum",
        )


def _schedule_key(task: Task, entry: str, *key: str) -> tuple[str, ...]:
    """Where a key of an entry's recipe stands: in the entry, if the schedule is its own."""
    own = task.entries[entry].schedule is not None and key[:1] == ("schedule",)
    return ("optimizers", entry, *key) if own else ("recipe", *key)


def _lowest(task: Task, search: SearchId) -> float | None:
    """The lowest value that a hyperparameter may have; None where the optimizer's class has its own."""
    match task.entries[search.entry].hyperparameters.get(search.hyperparameter):
        case Compared(start=start):
            return start
        case Searched(limits=(lowest, _)):
            return lowest
        case Shared(of=of, times=times):
            shared = _lowest(task, of)
            return None if shared is None else times * shared
        case int() | float() as fixed:
            return float(fixed)
    return None
