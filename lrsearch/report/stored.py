"""chosen.yaml read back with its evidence: the models that say what such a file holds."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
import yamlcore
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

import lrsearch

Name = Annotated[str, StringConstraints(pattern=r"^[\w.+-]+$")]
"""What names and versions are made of, so that they fit in a line."""


class _Stored(BaseModel):
    """Part of a chosen.yaml; keys that are not read here are left alone."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class StoredCandidate(_Stored):
    """One candidate of a search; ``outcome`` is there for those that could not be chosen."""

    outcome: str = "learned"
    mean: float | None = None

    @model_validator(mode="after")
    def _has_a_mean(self) -> "StoredCandidate":
        if self.outcome == "learned" and self.mean is None:
            raise ValueError("a candidate that learned has a mean")
        return self


class StoredEvidence(_Stored):
    """What a search found. Files from before candidates were kept have None for them."""

    verdict: Literal["bracketed", "at_limit", "none_learned", "unfinished", "not_searched"]
    resolved: bool
    mean: float | None = None
    seeds: int = 0
    ties: list[float] = []
    iterations: int = 0
    candidates: dict[float, StoredCandidate] | None = None

    @property
    def ended(self) -> bool:
        """Whether the search came to an end."""
        return self.verdict not in ("unfinished", "not_searched")


class StoredEntry(_Stored):
    """One optimizer with its values, CProp's own nested under ``cprop``; ``arguments`` are the workload's.

    Files from before the arguments were kept have none.
    """

    optimizer: str = ""
    hyperparameters: dict[str, Any]
    arguments: dict[str, Any] = {}
    searches: dict[Name, StoredEvidence] = {}

    def value(self, hyperparameter: str) -> float:
        """Give a value by its dotted name (``cprop.c``).

        Raises:
            ValueError: there is no number of that name.
        """
        value: Any = self.hyperparameters
        for name in hyperparameter.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"{hyperparameter} has no number")
        return float(value)

    @model_validator(mode="after")
    def _has_what_it_chose(self) -> "StoredEntry":
        for name, evidence in self.searches.items():
            if evidence.verdict in ("bracketed", "at_limit"):
                self.value(name)
                if evidence.mean is None:
                    raise ValueError(f"the search of {name} chose, and has no mean")
        return self


class StoredMetric(_Stored):
    """What decided, and after how many iterations."""

    name: str
    iteration: int


class StoredStudy(_Stored):
    """What a chosen.yaml holds, as :func:`lrsearch.report.export.chosen` writes it."""

    lrsearch: Name
    task: Name
    metric: StoredMetric
    chosen: dict[Name, StoredEntry]
    made_with: dict[str, Any] = {}


def read_stored(path: Path) -> StoredStudy:
    """Read a chosen.yaml.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it cannot be used; the message goes on after the path.
    """
    content = None
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yamlcore.CoreLoader)
        return StoredStudy.model_validate(content)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except ValidationError as error:
        written_by = content.get("lrsearch") if isinstance(content, Mapping) else None
        if isinstance(written_by, str) and is_newer(written_by):
            raise ValueError(f"is of lrsearch {written_by}, newer than this one") from error
        raise ValueError(f"is no chosen.yaml: {_place(error)}") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError("is no YAML") from error


def is_newer(written_by: str) -> bool:
    """Whether a version is newer than this lrsearch's; what is no version is not."""
    try:
        return Version(written_by) > Version(lrsearch.__version__)
    except InvalidVersion:
        return False


def _place(error: ValidationError) -> str:
    """Say what is wrong first, and under which key; no phrase of pydantic reaches a user."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    own = first.get("ctx", {}).get("error")
    if isinstance(own, ValueError):
        return f"{key}: {own}"
    return f"{key} is missing or is not what lrsearch writes there" if key else "it is no mapping"
