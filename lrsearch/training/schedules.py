"""Learning-rate schedules by name: a linear warm-up, then a class of ``torch.optim.lr_scheduler``."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lrsearch.task.model import Mode, Recipe, Schedule

_WHOLE_BUDGET = ("T_max", "total_iters", "total_steps")
"""Arguments that say how long a schedule is."""
PEAK = "max_lr"
_SET_HERE = {"optimizer": "the entry's", "last_epoch": "the replica's own", PEAK: "the entry's lr"}


class ScheduleError(ValueError):
    """A schedule that cannot be.

    Args:
        problem: what is wrong with ``argument`` of the schedule, or with the schedule.
        argument: which it is, if it is one.
        place: the key of ``recipe`` to mend, dotted; that of the argument unless given.
    """

    def __init__(self, problem: str, argument: str = "", place: str = "") -> None:
        key = f"schedule.{argument}" if argument else "schedule"
        super().__init__(f"recipe.{key} {problem}")
        self.place = place or key


class RecipeSchedule(LRScheduler):
    """A recipe's warm-up and schedule, over a number of iterations.

    The peak is the ``lr`` that the optimizer was made with. At iteration t (from 0) of a warm-up of N the rate is
    ``(t + 1) / N`` of it; after that it is what the schedule gives, whose own iterations begin there. Groups of another
    rate keep their ratio to it throughout. ``step`` is called after each update, as with all of torch's; a
    ``ReduceLROnPlateau`` learns of evaluations from ``evaluated``.

    Args:
        optimizer: whose learning rates (and momentum, where the schedule cycles it) are set.
        recipe: with a schedule or a warm-up.
        iterations: of the whole training.
        mode: of the metric that ``evaluated`` is told.

    Raises:
        ScheduleError: there is no such schedule, it does not take its arguments, or the optimizer has no ``lr``.
    """

    optimizer: Optimizer

    def __init__(self, optimizer: Optimizer, recipe: Recipe, iterations: int, mode: Mode = "min") -> None:
        if "lr" not in optimizer.defaults or any("lr" not in group for group in optimizer.param_groups):
            raise ScheduleError(f"changes lr, which {type(optimizer).__name__} does not keep; leave it out")
        self._warmup = recipe.warmup_iterations(iterations)
        self._peak = float(optimizer.defaults["lr"])
        self._stand_in = StandIn(optimizer.defaults)
        self._inner = (
            None
            if recipe.schedule is None
            else _made(recipe.schedule, self._stand_in, self._peak, iterations - self._warmup, mode)
        )
        self._stand_in.step()  # once is enough for schedules, which want to see an update before their own step
        super().__init__(optimizer)

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next iteration's rate; ``epoch`` is there for torch's sake and not heeded."""
        by_iteration = self._inner is not None and not isinstance(self._inner, ReduceLROnPlateau)
        if by_iteration and self.last_epoch >= self._warmup:
            self._inner.step()  # type: ignore[union-attr]
        super().step()
        if self.changes_momentum:
            self._pass_on_momentum()

    @property
    def changes_momentum(self) -> bool:
        """Whether it cycles the momentum too."""
        return bool(getattr(self._inner, "cycle_momentum", False))

    def evaluated(self, value: float) -> None:
        """Tell what an evaluation gave; those before the first iteration and during the warm-up do not count.

        Args:
            value: of the metric that decides.
        """
        if isinstance(self._inner, ReduceLROnPlateau) and self.last_epoch >= max(1, self._warmup):
            self._inner.step(value)
            for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
                group["lr"] = rate
            self._last_lr = self.get_lr()

    def get_lr(self) -> list[float | torch.Tensor]:
        """Give the rate of each group at this iteration."""
        rate = float(self._stand_in.param_groups[0]["lr"])
        if self.last_epoch < self._warmup:
            rate = self._peak * (self.last_epoch + 1) / self._warmup
        # Without a detour for what has the peak itself: to the bit what torch's schedule gives alone.
        return [rate if base == self._peak else base * (rate / self._peak) for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Give plain data to go on from."""
        own = {name: value for name, value in super().state_dict().items() if name not in _PARTS}
        inner = self._inner.state_dict() if self._inner is not None else {}
        return {"own": own, "inner": inner, "stand_in": self._stand_in.values()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave; the optimizer loads its own, after the schedule was made."""
        super().load_state_dict(dict(state_dict["own"]))
        if self._inner is not None:
            self._inner.load_state_dict(state_dict["inner"])
        self._stand_in.param_groups[0].update(state_dict["stand_in"])

    def _pass_on_momentum(self) -> None:
        given = self._stand_in.param_groups[0]
        for group in self.optimizer.param_groups:
            if "betas" in given:
                group["betas"] = (given["betas"][0], *group["betas"][1:])
            else:
                group["momentum"] = given["momentum"]


_PARTS = ("_inner", "_stand_in")


class StandIn(Optimizer):
    """What a schedule of torch is given in place of the optimizer: one group at the peak, that trains nothing.

    Schedules take absolute rates (``eta_min``), which would be the same for each group, whatever its ratio.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        kept = {name: defaults[name] for name in ("momentum", "betas") if name in defaults}
        super().__init__([torch.zeros(1)], dict(kept, lr=float(defaults["lr"])))

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Nothing to train."""

    def values(self) -> dict[str, Any]:
        """Give the group's numbers."""
        return {name: value for name, value in self.param_groups[0].items() if name != "params"}


def make_schedule(
    optimizer: Optimizer, recipe: Recipe, iterations: int, mode: Mode = "min"
) -> RecipeSchedule | None:
    """Make a recipe's schedule; None where its learning rate stays as it is.

    Raises:
        ScheduleError: as ``RecipeSchedule``.
    """
    return RecipeSchedule(optimizer, recipe, iterations, mode) if recipe.changes_lr else None


def schedule_class(name: str) -> type[Any]:
    """Find a schedule by the name of its class in ``torch.optim.lr_scheduler``.

    Raises:
        ScheduleError: there is none, or it takes what no task file can hold.
    """
    classes = {
        n: value
        for n, value in vars(lr_scheduler).items()
        if inspect.isclass(value) and issubclass(value, LRScheduler) and not n.endswith("LRScheduler")
    }
    if name not in classes:
        by_lower = {n.lower(): n for n in classes if not _asks_for(classes[n])}
        near = get_close_matches(name.lower(), by_lower, n=1) or [n for n in by_lower if name.lower() in n]
        hint = f"did you mean {by_lower[near[0]]}?" if near else f"give one of {', '.join(by_lower.values())}"
        raise ScheduleError(f"is {name}, which torch.optim.lr_scheduler does not have; {hint}")
    match _asks_for(classes[name]):
        case "function":
            raise ScheduleError(
                f"{name} takes a function, which no task file can hold; name one that takes numbers, such as "
                "CosineAnnealingLR"
            )
        case "schedules":
            raise ScheduleError(f"{name} takes other schedules; name one alone, with warmup: N before it")
    return classes[name]


def is_rate(argument: str) -> bool:
    """Whether an argument of a schedule is a learning rate by its name."""
    return argument == "eta_min" or argument.endswith("_lr")


def _asks_for(kind: type[Any]) -> str:
    """What a class cannot be made without, and no file can hold: ``function`` or ``schedules``."""
    required = [
        str(p.annotation)
        for p in inspect.signature(kind).parameters.values()
        if p.default is inspect.Parameter.empty and p.name != "optimizer"
    ]
    if any("Callable" in annotation for annotation in required):
        return "function"
    return "schedules" if any("LRScheduler" in annotation for annotation in required) else ""


def _made(schedule: Schedule, stand_in: StandIn, peak: float, iterations: int, mode: Mode) -> LRScheduler:
    """Make the class of torch, over the iterations after the warm-up."""
    kind = schedule_class(schedule.name)
    accepted = inspect.signature(kind).parameters
    arguments = {
        n: _plain(n, v, peak, accepted)
        for n, v in schedule.arguments.items()
        if _allowed(n, schedule, accepted)
    }
    if not {"epochs", "steps_per_epoch"} & arguments.keys():
        arguments = {name: iterations for name in _WHOLE_BUDGET if name in accepted} | arguments
    if "step_size_up" in accepted:
        arguments = {"step_size_up": max(1, iterations // 2)} | arguments
    if PEAK in accepted:
        arguments[PEAK] = peak
    if kind is ReduceLROnPlateau:
        arguments["mode"] = mode
    for name, parameter in accepted.items():
        if parameter.default is inspect.Parameter.empty and name not in (*arguments, "optimizer"):
            raise ScheduleError(f"{schedule.name} needs {name}; give {{name: {schedule.name}, {name}: ...}}")
    try:
        made: LRScheduler = kind(stand_in, **arguments)
    except Exception as error:  # whatever a class raises: no two of them check alike
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ScheduleError(f"{schedule.name} cannot be made: {reason}; mend its arguments") from error
    return made


def _allowed(name: str, schedule: Schedule, accepted: Mapping[str, inspect.Parameter]) -> bool:
    kind = schedule.name
    if name not in accepted:
        takes = [n for n in accepted if n not in _SET_HERE]
        near = get_close_matches(name, takes, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(takes)}"
        raise ScheduleError(f"is no argument of {kind}; {hint}", name)
    if name in _SET_HERE:
        raise ScheduleError(f"is {_SET_HERE[name]}; leave it out", name)
    if name == "mode" and kind == ReduceLROnPlateau.__name__:
        raise ScheduleError("is metric.mode; leave it out", name)
    if "Callable" in str(accepted[name].annotation):
        raise ScheduleError("takes a function, which no task file can hold; leave it out", name)
    return True


def _plain(name: str, value: Any, peak: float, accepted: Mapping[str, inspect.Parameter]) -> Any:
    """A value as the class wants it: a share of the peak as a rate, a whole number as one."""
    if isinstance(value, Mapping):
        if not is_rate(name):
            raise ScheduleError("is no learning rate, so it cannot be times the peak; give a number", name)
        return float(value["times"]) * peak
    if is_rate(name) and isinstance(value, list):
        raise ScheduleError("is a list; give one number, to which groups keep their ratio", name)
    if "int" in str(accepted[name].annotation).replace("'", " ").replace("[", " ").replace("]", " ").split():
        return [_whole(item) for item in value] if isinstance(value, list) else _whole(value)
    return [_whole(item) for item in value] if name == "milestones" and isinstance(value, list) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
