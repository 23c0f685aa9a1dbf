"""From chosen.yaml back to optimizers, in the training that the values were chosen for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
import yamlcore
from torch import nn
from torch.optim import Optimizer

import lrsearch
from lrsearch.errors import UsageError
from lrsearch.task.model import CPROP_PREFIX, Budget, Entry, Mode, Recipe
from lrsearch.task.recipe import read_recipe
from lrsearch.training.optimizers import make_optimizer
from lrsearch.training.schedule_checks import check_rates
from lrsearch.training.schedules import RecipeSchedule, make_schedule

_WRITES_ONE = "lrsearch export STUDY -o FILE writes one"


@dataclass(frozen=True, slots=True)
class Chosen:
    """One entry of a chosen.yaml.

    Attributes:
        entry: its name.
        optimizer: its class, as the task file has it.
        hyperparameters: the arguments of the class, CProp's nested under ``cprop``.
        recipe: how the trainings went that the values were chosen in.
        iterations: how many updates they had; None where the file does not say.
        mode: whether the metric that decided is to be low or high.
    """

    entry: str
    optimizer: str
    hyperparameters: Mapping[str, Any]
    recipe: Recipe = field(default_factory=Recipe)
    iterations: int | None = None
    mode: Mode = "min"

    def build(self, model_or_params: nn.Module | Iterable[Any]) -> Optimizer:
        """Make the optimizer with the chosen values and the recipe's groups, wrapped in CProp where the entry says so.

        Args:
            model_or_params: the model, or its ``named_parameters()``; or, where the recipe has no groups, what to
                optimize as ``torch.optim`` takes it.

        Raises:
            UsageError: a value was not found by its search, there is no such optimizer here or it refuses a value,
                or the recipe's groups do not fit the model.
        """
        wrapper = self.hyperparameters.get("cprop")
        flat = {name: value for name, value in self.hyperparameters.items() if name != "cprop"}
        flat |= {f"{CPROP_PREFIX}{name}": value for name, value in (wrapper or {}).items()}
        if missing := [name for name, value in flat.items() if value is None]:
            raise UsageError(f"{self.entry} has no {missing[0]}: its search chose nothing; search it again")
        entry = Entry(self.entry, self.optimizer, {}, options=flat, wrapped_in_cprop=wrapper is not None)
        try:
            return make_optimizer(entry, model_or_params, {}, self.recipe.groups)
        except (LookupError, TypeError, ValueError) as error:
            raise UsageError(f"{self.entry}: {error.args[0] if error.args else error}") from error

    def build_with_schedule(
        self, model_or_params: nn.Module | Iterable[Any], iterations: int | None = None
    ) -> tuple[Optimizer, RecipeSchedule | None]:
        """Make the optimizer and the recipe's warm-up and schedule, whose peak is the chosen ``lr``.

        Args:
            model_or_params: as for ``build``.
            iterations: how many updates the training will have; as many as those that the values were chosen in
                unless given.

        Returns:
            The optimizer, and what to ``step()`` after each of its steps; None where the rate stays as it is. A
            ``ReduceLROnPlateau`` wants ``evaluated(value)`` too.

        Raises:
            UsageError: as ``build``, or the schedule does not fit so many iterations.
        """
        optimizer = self.build(model_or_params)
        if not self.recipe.changes_lr:
            return optimizer, None
        iterations = self.iterations if iterations is None else iterations
        if iterations is None:
            raise UsageError(
                f"{self.entry}: the file does not say for how many iterations; give iterations=N"
            )
        warmup = self.recipe.warmup_iterations(iterations)
        if warmup >= iterations:
            raise UsageError(
                f"{self.entry}: recipe.warmup takes {warmup} iterations, and there are {iterations}; give more"
            )
        try:
            check_rates(self.recipe, Budget(iterations, 1), optimizer)
            return optimizer, make_schedule(optimizer, self.recipe, iterations, self.mode)
        except ValueError as error:
            raise UsageError(f"{self.entry}, {iterations} iterations: {error}") from error


class ChosenValues(dict[str, Chosen]):
    """The entries of a chosen.yaml by name; one that is not there is a clear error."""

    def __init__(self, path: str | Path, entries: Mapping[str, Chosen]) -> None:
        super().__init__(entries)
        self._path = path

    def __missing__(self, entry: object) -> Chosen:
        near = get_close_matches(str(entry), self, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(self) or 'none'}"
        raise UsageError(f"{self._path} has no entry {entry}; {hint}")


def load_chosen(path: str | Path) -> ChosenValues:
    """Read a chosen.yaml: ``load_chosen("studies/digits_mlp/chosen.yaml")["sgd"].build(model)``.

    Raises:
        UsageError: the file is missing, is no chosen.yaml, or was written by a version that knows more. So does an
            entry that the file does not have.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yamlcore.CoreLoader)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); {_WRITES_ONE}") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise UsageError(f"{path} is no YAML; {_WRITES_ONE}") from error
    try:
        version, chosen = content["lrsearch"], content["chosen"]
        made = {
            name: Chosen(name, str(entry["optimizer"]), dict(entry["hyperparameters"]))
            for name, entry in chosen.items()
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UsageError(f"{path} is no chosen.yaml; {_WRITES_ONE}") from error
    try:
        recipe = read_recipe(content.get("recipe", {}))
        metric = content.get("metric", {})
        iterations, mode = metric.get("iteration"), metric.get("mode", "min")
        if not isinstance(iterations, int | None) or mode not in ("min", "max"):
            raise ValueError("no metric")
    except (ValueError, AttributeError) as error:
        raise UsageError(_not_understood(path, str(version))) from error
    return ChosenValues(
        path,
        {
            name: replace(entry, recipe=recipe, iterations=iterations, mode=mode)
            for name, entry in made.items()
        },
    )


def _not_understood(path: str | Path, version: str) -> str:
    if version == lrsearch.__version__:
        return f"{path} says of its trainings what none can be; write it anew with: lrsearch export STUDY -o FILE"
    return (
        f"{path} was written by lrsearch {version}, and {lrsearch.__version__} cannot read its recipe or metric; "
        f"use lrsearch {version}"
    )
