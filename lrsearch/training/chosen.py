"""From chosen.yaml back to optimizers, in the training that the values were chosen for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
import yamlcore

from lrsearch.errors import UsageError
from lrsearch.task.model import CPROP_PREFIX, Entry
from lrsearch.training.optimizers import make_optimizer


@dataclass(frozen=True, slots=True)
class Chosen:
    """One entry of a chosen.yaml: an optimizer and its arguments, CProp's nested under ``cprop``."""

    entry: str
    optimizer: str
    hyperparameters: Mapping[str, Any]

    def build(self, parameters: Iterable[torch.Tensor] | Iterable[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make the optimizer with the chosen values, wrapped in CProp where the entry says so.

        Args:
            parameters: what to optimize, as ``torch.optim`` takes it.

        Raises:
            UsageError: a value was not found by its search, or there is no such optimizer here.
        """
        wrapper = self.hyperparameters.get("cprop")
        flat = {name: value for name, value in self.hyperparameters.items() if name != "cprop"}
        flat |= {f"{CPROP_PREFIX}{name}": value for name, value in (wrapper or {}).items()}
        if missing := [name for name, value in flat.items() if value is None]:
            raise UsageError(f"{self.entry} has no {missing[0]}: its search chose nothing; search it again")
        entry = Entry(self.entry, self.optimizer, {}, options=flat, wrapped_in_cprop=wrapper is not None)
        try:
            return make_optimizer(entry, parameters, {})
        except LookupError as error:
            raise UsageError(f"{self.entry}: {error.args[0]}") from error


def load_chosen(path: str | Path) -> dict[str, Chosen]:
    """Read a chosen.yaml: ``load_chosen("studies/digits_mlp/chosen.yaml")["sgd"].build(model.parameters())``.

    Raises:
        UsageError: the file is missing, or is no chosen.yaml.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yamlcore.CoreLoader)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); lrsearch export STUDY -o FILE writes one"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no YAML; lrsearch export STUDY -o FILE writes a chosen.yaml") from error
    try:
        return {
            name: Chosen(name, str(entry["optimizer"]), dict(entry["hyperparameters"]))
            for name, entry in content["chosen"].items()
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UsageError(f"{path} is no chosen.yaml; lrsearch export STUDY -o FILE writes one") from error
