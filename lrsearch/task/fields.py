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


NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}$"
"""What can be the name of a task or an entry, and so of a folder."""

_NAME = "a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'"

Count = Annotated[int, Field(ge=1), WrapValidator(whole), wanted("a whole number of at least 1")]
CountOrNone = Annotated[int, Field(ge=0), WrapValidator(whole), wanted("a whole number of at least 0")]
Examples = Annotated[
    Literal["all"] | Annotated[int, Field(ge=1), WrapValidator(whole)],
    wanted("all, or a whole number of at least 1"),
]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN), wanted(_NAME)]
Text = Annotated[str, Field(min_length=1), wanted("text")]
Finite = Annotated[float, Field(allow_inf_nan=False), wanted("a number")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), wanted("a value above 0")]


class Block(BaseModel):
    """A mapping of the task file, whose keys are its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
