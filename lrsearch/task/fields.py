"""What the format's models are made of: its plain values, each with the words for what is wanted in its place."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError


def wanted(words: str) -> WrapValidator:
    """Whatever is wrong with a value, say what is wanted in its place."""

    def check(value: Any, inner: Callable[[Any], Any]) -> Any:
        try:
            return inner(value)
        except ValidationError:
            raise PydanticCustomError("wanted", "{words}", {"words": words}) from None

    return WrapValidator(check)


def choice(*words: str) -> WrapValidator:
    """Whatever is wrong with a value, say which words there are."""
    error = PydanticCustomError(
        "choice", "{words}", {"words": f"{', '.join(words[:-1])} or {words[-1]}", "known": words}
    )

    def check(value: Any, inner: Callable[[Any], Any]) -> Any:
        try:
            return inner(value)
        except ValidationError:
            raise error from None

    return WrapValidator(check)


def absent() -> Any:
    """The default of keys whose absence means something of its own: see ``model_fields_set``."""
    return None


def whole(value: Any, inner: Callable[[Any], Any]) -> Any:
    # 5e3 is how many write 5000, and a whole number to JSON schema too.
    return inner(int(value) if isinstance(value, float) and value.is_integer() else value)


def whole_gpus(value: Any, inner: Callable[[Any], Any]) -> float:
    gpus = float(inner(value))
    if gpus > 1 and not gpus.is_integer():
        raise PydanticCustomError("wanted", "{words}", {"words": _GPUS})
    return gpus


def counted(least: int, most: int) -> WrapValidator:
    """Whatever is wrong with a count, say what is wanted: a number that is too large is told the largest."""

    def check(value: Any, inner: Callable[[Any], Any]) -> Any:
        try:
            return inner(value)
        except ValidationError:
            too_large = isinstance(value, int | float) and not isinstance(value, bool) and value > most
            bound = f"at most {most}" if too_large else f"at least {least}"
            raise PydanticCustomError("wanted", "{words}", {"words": f"a whole number of {bound}"}) from None

    return WrapValidator(check)


NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}$"
"""What can be the name of a task or an entry, and so of a folder."""

_GPUS = "0, a fraction of one GPU such as 0.25, or a whole number"
_NAME = "a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'"

# Far more than anyone trains, so that a slip of the finger is told and does not run for years or fill the memory.
MOST = 100_000_000
MOST_SEEDS = 1000
MOST_BATCHES = 10_000
MOST_SECONDS = 1e9
MOST_IN_A_PACK = 1000

Count = Annotated[int, Field(ge=1, le=MOST), WrapValidator(whole), counted(1, MOST)]
CountOrNone = Annotated[int, Field(ge=0, le=MOST), WrapValidator(whole), counted(0, MOST)]
Seeds = Annotated[int, Field(ge=1, le=MOST_SEEDS), WrapValidator(whole), counted(1, MOST_SEEDS)]
Pack = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1, le=MOST_IN_A_PACK), WrapValidator(whole)],
    wanted(f"auto, or a whole number from 1 to {MOST_IN_A_PACK}"),
]
Examples = Annotated[
    Literal["all"] | Annotated[int, Field(ge=1), WrapValidator(whole)],
    wanted("all, or a whole number of at least 1"),
]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN), wanted(_NAME)]
Text = Annotated[str, Field(min_length=1), wanted("text")]
Finite = Annotated[float, Field(allow_inf_nan=False), wanted("a number")]
Batches = Annotated[int, Field(ge=1, le=MOST_BATCHES), WrapValidator(whole), counted(1, MOST_BATCHES)]
Seconds = Annotated[
    float,
    Field(gt=0, le=MOST_SECONDS),
    wanted("a number of seconds above 0, such as 600, and at most 1e9"),
]
Gpus = Annotated[float, Field(ge=0, allow_inf_nan=False), WrapValidator(whole_gpus), wanted(_GPUS)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), wanted("a value above 0")]


class Block(BaseModel):
    """A mapping of the task file, whose keys are its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
