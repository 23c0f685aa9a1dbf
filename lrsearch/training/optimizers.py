"""Optimizers by name: from an entry of the task and its numbers to a ``torch.optim.Optimizer``."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cprop import CProp
from lrsearch.searches import hyperparameters_of
from lrsearch.task.document import shown
from lrsearch.task.model import CPROP_PREFIX, Entry, ParameterGroup, Task
from lrsearch.training.groups import parameter_groups
from lrsearch.training.schedule_checks import check_schedule


def make_optimizer(
    entry: Entry,
    model_or_params: nn.Module | Iterable[Any],
    hyperparameters: Mapping[str, float],
    groups: Sequence[ParameterGroup] = (),
) -> torch.optim.Optimizer:
    """Make an entry's optimizer, wrapped in CProp where the entry says so.

    Args:
        entry: names the class and its options.
        model_or_params: the model; or its ``named_parameters()``; or, without ``groups``, whatever the class takes.
        hyperparameters: every number of the entry, CProp's as ``cprop.c`` and so on.
        groups: parameters that get other numbers, by name; the first that matches wins.

    Raises:
        LookupError: there is no such optimizer class.
        GroupError: a group matches no parameter, or there are no names to match.
        TypeError, ValueError: the class or CProp refuses an argument.
    """
    kind = optimizer_class(entry.optimizer)
    given = {
        name: tuple(v) if isinstance(v, list) else v
        for name, v in {**entry.options, **hyperparameters}.items()
    }
    inner = {name: value for name, value in given.items() if not name.startswith(CPROP_PREFIX)}
    inner = _as_declared(kind, inner)
    parameters = model_or_params.parameters() if isinstance(model_or_params, nn.Module) else model_or_params
    if groups:
        parameters = parameter_groups(model_or_params, groups, _lr_of(kind, inner))
        for group in parameters:
            group |= _as_declared(kind, {k: v for k, v in group.items() if k != "params"})
    optimizer = kind(parameters, **inner)
    if not entry.wrapped_in_cprop:
        return optimizer
    wrapper: dict[str, Any] = {
        name.removeprefix(CPROP_PREFIX): v for name, v in given.items() if name.startswith(CPROP_PREFIX)
    }
    return CProp(optimizer, **wrapper)


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """Find an optimizer: a class of ``torch.optim`` by its name in lower case, or ``package.module:Class``.

    Raises:
        LookupError: there is none; the message says what is near.
    """
    if ":" in name:
        module, attribute = name.rsplit(":", 1)
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ImportError as error:
            raise LookupError(
                f"the optimizer {name} cannot be imported ({error}); install its package"
            ) from error
        except AttributeError as error:
            raise LookupError(f"{module} has no {attribute}; mend the name") from error
        except Exception as error:
            raise LookupError(
                f"importing {module} raised {type(error).__name__}: {error}; mend it"
            ) from error
    else:
        classes = torch_optimizers()
        if name not in classes:
            near = get_close_matches(name, classes, n=1)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else f"give one of {', '.join(classes)}, or package.module:Class"
            )
            raise LookupError(f"torch.optim has no optimizer {name}; {hint}")
        found = classes[name]
    if not (inspect.isclass(found) and issubclass(found, torch.optim.Optimizer)):
        raise LookupError(f"{name} is no torch.optim.Optimizer; name a class that is one")
    return found


def torch_optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """Give the optimizers of ``torch.optim`` by their names in lower case."""
    return {
        name.lower(): value
        for name, value in vars(torch.optim).items()
        if inspect.isclass(value)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
    }


def check_optimizers(task: Task, installed_only: bool = False) -> list[str]:
    """Construct every entry's optimizer once, on a tiny parameter, so that a mistake shows before any training.

    Args:
        task: whose entries they are.
        installed_only: leave out classes whose code lies beside the task: it may be a stranger's, and would run.

    Returns:
        The classes that were left out.

    Raises:
        TaskError: a class does not exist or refuses an argument.
    """
    left_out: list[str] = []
    for entry in task.entries.values():
        here = ("optimizers", entry.name)
        if installed_only and _lies_beside(task, entry.optimizer):
            left_out.append(entry.optimizer)
            continue
        try:
            kind = optimizer_class(entry.optimizer)
        except LookupError as error:
            problem = str(error.args[0])
            if (*here, "base") not in task.positions:
                problem += f"{'' if problem.endswith('?') else '.'} An entry of another name says what it is with base:"
            raise task.error(problem, *here, "base") from error
        accepted = dict(
            list(inspect.signature(kind).parameters.items())[1:]
        )  # without the parameters themselves
        _check_options(task, entry, accepted)
        for name in (*entry.hyperparameters, *entry.options):
            takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
            if name not in accepted and not takes_any and not name.startswith(CPROP_PREFIX):
                near = get_close_matches(name, accepted, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(accepted)}"
                raise task.error(
                    f"{'.'.join((*here, name))} is no argument of {kind.__name__}; {hint}", *here, name
                )
        try:
            # A matrix alone: there are optimizers that take nothing else.
            made = make_optimizer(entry, [nn.Parameter(torch.zeros(2, 2))], stand_ins(task, entry))
        except Exception as error:  # whatever a class raises, torch's own RuntimeErrors among it
            reason = " ".join(str(error).split()) or type(error).__name__
            raise task.error(
                f"{'.'.join(here)} cannot be made: {reason}; mend its arguments", *here
            ) from error
        _check_groups(task, entry, kind)
        check_schedule(task, entry.name, made)
    return left_out


def check_names(task: Task) -> None:
    """Refuse entries whose optimizer is surely a misspelt one of torch, where nothing else needs it to exist: a loop's.

    Raises:
        TaskError: there is one, at its place.
    """
    classes = torch_optimizers()
    for entry in task.entries.values():
        if ":" in entry.optimizer or entry.optimizer in classes:
            continue
        if near := get_close_matches(entry.optimizer, classes, n=1, cutoff=0.8):
            given = ("optimizers", entry.name, "base") in task.positions
            own = "" if given else f", or, if the entry is only called so, add base: {near[0]}"
            raise task.error(
                f"torch.optim has no optimizer {entry.optimizer}; did you mean {near[0]}?{own}",
                "optimizers",
                entry.name,
                "base",
            )


def _check_options(task: Task, entry: Entry, accepted: Mapping[str, inspect.Parameter]) -> None:
    """Refuse text where the class has a number or a flag: ``amsgrad: no`` is text in YAML, and text counts as true."""
    for name, value in entry.options.items():
        default = accepted[name].default if name in accepted else None
        words = ""
        match default:
            case bool() if not isinstance(value, bool):
                words = "true or false"
            case int() | float() if not isinstance(default, bool) and isinstance(value, str | list):
                words = "a number"
            case tuple() if not isinstance(value, list) or len(value) != len(default):
                words = f"a list of {len(default)} numbers"
            case None if isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
                words = "true or false"
        if words:
            key = ("optimizers", entry.name, *name.split("."))
            raise task.error(f"{'.'.join(key)} is {shown(value)}; give {words}", *key)
    for name, number in entry.hyperparameters.items():
        if name in accepted and isinstance(accepted[name].default, tuple):
            key = ("optimizers", entry.name, name)
            given = f"{number:g}" if isinstance(number, int | float) else "one number"
            raise task.error(
                f"{'.'.join(key)} is {given}; give a list of {len(accepted[name].default)} numbers", *key
            )


def _lies_beside(task: Task, optimizer: str) -> bool:
    """Whether an optimizer's package is in the task's folder, or in this one, and not installed there."""
    module, named, _ = optimizer.rpartition(":")
    if not named:
        return False
    try:
        # That of the package alone: to look for a module within it would import it.
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return False
    places = (
        [*(spec.submodule_search_locations or []), *([spec.origin] if spec.origin else [])] if spec else []
    )
    own, installed = (task.folder.resolve(), Path.cwd()), Path(sys.prefix).resolve()
    found = [Path(place).resolve() for place in places]
    return any(p.is_relative_to(f) for p in found for f in own) and not any(
        p.is_relative_to(installed) for p in found
    )


def _check_groups(task: Task, entry: Entry, kind: type[torch.optim.Optimizer]) -> None:
    """Check what groups give the optimizer, as if it were for all parameters."""
    accepted = inspect.signature(kind).parameters
    for index, group in enumerate(task.recipe.groups):
        try:
            # Torch checks what is given for all parameters, and not what is given for a group.
            numbers = {**stand_ins(task, entry), **group.arguments}
            made = make_optimizer(entry, [nn.Parameter(torch.zeros(2, 2))], numbers)
        except Exception as error:
            wrong = next((name for name in group.arguments if name not in accepted), "")
            takes = [name for name, p in accepted.items() if isinstance(p.default, int | float)]
            near = get_close_matches(wrong, takes, n=1)
            hint = f"did you mean {near[0]}?" if near else f"of numbers it takes {', '.join(takes)}"
            reason = f"is no argument of {kind.__name__} (optimizers.{entry.name}); {hint}"
            if not wrong:
                reason = f"{' '.join(str(error).split())}; mend its arguments"
            here = ("recipe", "groups", index)
            raise task.error(
                f"recipe.groups[{index}]{f'.{wrong}' if wrong else ''} {reason}",
                *here,
                *filter(None, [wrong]),
            ) from error
        _check_kept(task, entry, index, made)


def _check_kept(task: Task, entry: Entry, index: int, made: torch.optim.Optimizer) -> None:
    """What an optimizer keeps no number of for each group would be the same for all."""
    for name in ("lr", *task.recipe.groups[index].arguments):
        if name not in made.param_groups[0]:
            raise task.error(
                f"recipe.groups[{index}] gives {name}, which optimizers.{entry.name} has for all parameters alike; "
                "leave it out",
                "recipe", "groups", index, name,
            )  # fmt: skip


def stand_ins(task: Task, entry: Entry) -> dict[str, float]:
    """Give an entry's numbers before anything is chosen: starts in place of what is searched."""
    starts = {search: searched.guess for search, searched in task.searches().items()}
    return hyperparameters_of(task, entry.name, starts)


def _lr_of(kind: type, arguments: Mapping[str, Any]) -> float:
    """The learning rate that groups' are ratios of: the one given, or the class's default."""
    if "lr" in arguments:
        return float(arguments["lr"])
    default = getattr(inspect.signature(kind).parameters.get("lr"), "default", None)
    if isinstance(default, int | float):
        return float(default)
    raise TypeError(f"{kind.__name__} was given no lr, which recipe.groups need")


def _as_declared(kind: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """Numbers reach here as floats; where the class declares a whole number it gets one."""
    declared = inspect.signature(kind).parameters
    return {
        name: int(value)
        if isinstance(value, float)
        and value.is_integer()
        and name in declared
        and type(declared[name].default) is int
        and name != "lr"
        else value
        for name, value in arguments.items()
    }
