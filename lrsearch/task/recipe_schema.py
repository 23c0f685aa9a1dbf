"""The format of a task file's ``recipe``: schedule, warm-up, groups and what else goes beside the optimizer."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from lrsearch.task.fields import Batches, Block, Finite, Positive, Text, absent, wanted

_SCHEDULE = "a class of torch.optim.lr_scheduler, such as CosineAnnealingLR, or {name: CLASS, ...}"
_WARMUP = "a whole number of iterations of at least 1, or a fraction of them below 1"
_GROUPS = 'a list of groups, such as [{match: "*.bias", weight_decay: 0}]'


class TimesBlock(Block):
    """A learning rate as so many times the peak, which is the entry's ``lr``."""

    times: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), wanted("a factor of 0 to 1")] = Field(
        description="The factor on the peak."
    )


def _schedule_kind(value: Any) -> str | None:
    return "<schedule>" if isinstance(value, dict) else "<name>" if isinstance(value, str) else None


def _schedule_argument_kind(value: Any) -> str | None:
    return "<times>" if isinstance(value, dict) else "<option>" if value is not None else None


_ScheduleArgument = Annotated[
    Annotated[TimesBlock, Tag("<times>")]
    | Annotated[
        Any,
        PlainValidator(lambda value: value),
        WithJsonSchema({"type": ["number", "boolean", "string", "array"]}),
        Tag("<option>"),
    ],
    Discriminator(
        _schedule_argument_kind, "kind", "a value, or {times: FACTOR} of the peak for a learning rate"
    ),
    Field(description="An argument of the schedule. A learning rate may be {times: FACTOR}: of the peak."),
]


class ScheduleBlock(BaseModel):
    """A learning-rate schedule. Every key but name is an argument of its constructor."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, _ScheduleArgument] = Field(init=False)

    name: Annotated[str, Field(min_length=1), wanted(_SCHEDULE)] = Field(
        description="A class of torch.optim.lr_scheduler."
    )


class GroupBlock(BaseModel):
    """Parameters that train with other numbers. Other keys are arguments of the optimizer, as numbers."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, Finite] = Field(init=False)

    match: Text = Field(
        description="A pattern of parameters' names, such as *.bias; the first that matches wins."
    )
    lr_times: Positive = Field(default=1.0, description="Their learning rate, as a ratio to the entry's lr.")


def _list_of_groups(value: Any) -> Any:
    if not isinstance(value, list):
        raise PydanticCustomError("wanted", "{words}", {"words": _GROUPS})
    return value


def _warmup(value: float) -> float:
    if value > 1 and not float(value).is_integer():
        raise PydanticCustomError("wanted", "{words}", {"words": _WARMUP})
    return value


class RecipeBlock(Block):
    """How each training goes, beside its optimizer."""

    schedule: Annotated[
        Annotated[str, Field(min_length=1), Tag("<name>")] | Annotated[ScheduleBlock, Tag("<schedule>")],
        Discriminator(_schedule_kind, "wanted", "{words}", {"words": _SCHEDULE}),
    ] = Field(
        default_factory=absent,
        description="How the learning rate goes after the warm-up: a class of torch.optim.lr_scheduler, alone or "
        "with its arguments as {name: CLASS, ...}. It is stepped once an iteration; what is searched is the peak.",
        examples=["CosineAnnealingLR", {"name": "CosineAnnealingLR", "eta_min": {"times": 0.1}}],
    )
    warmup: Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_warmup), wanted(_WARMUP)] = (
        Field(
            default_factory=absent,
            description="Iterations over which the learning rate rises linearly to its peak, or a fraction of "
            "budget.iterations below 1. None unless given.",
        )
    )
    accumulate: Batches = Field(
        default=1, description="Batches of each iteration: the update is by the mean of their gradients."
    )
    compile: Annotated[bool, wanted("true or false")] = Field(
        default=False, description="Whether the model goes through torch.compile."
    )
    groups: Annotated[list[GroupBlock], BeforeValidator(_list_of_groups)] = Field(
        default_factory=list,
        description="Parameters that train with other numbers, by their names; the first that matches wins.",
        examples=[[{"match": "*.bias", "weight_decay": 0}]],
    )

    gradient_clip: Annotated[float, Field(gt=0, allow_inf_nan=False), wanted("a norm above 0")] = Field(
        default_factory=absent,
        description="The largest 2-norm of the gradient of all parameters together: a larger one is scaled "
        "down to it. Not clipped unless given.",
    )
    precision: Annotated[Literal["float32", "tf32", "bf16"], wanted("float32, tf32 or bf16")] = Field(
        default="float32",
        description="float32: IEEE single precision everywhere. tf32: matrix products and convolutions in "
        "TF32 where the GPU has it. bf16: autocast to bfloat16, weights and optimizer in float32.",
    )


RECIPE_TAGS: dict[str | int, type[BaseModel] | None] = {
    "<times>": TimesBlock,
    "<name>": None,
    "<schedule>": None,
}
"""What discriminators put into the place of an error, where it is no key of the file."""
