"""What a task file may hold: the format as pydantic models, and its JSON schema.

The models say what is wrong in their own words (``wanted``), so that no phrase of pydantic reaches a user.
``lrsearch.task.file`` turns them into the frozen dataclasses that the project works with.
"""

import difflib
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from lrsearch.ladder import LadderName
from lrsearch.task.fields import Block as _Block
from lrsearch.task.fields import (
    Count,
    CountOrNone,
    Examples,
    Finite,
    Gpus,
    Name,
    Pack,
    Positive,
    Seconds,
    Seeds,
    Text,
    choice,
)
from lrsearch.task.fields import absent as _absent
from lrsearch.task.fields import wanted as _wanted
from lrsearch.task.recipe_schema import RECIPE_TAGS, RecipeBlock
from lrsearch.task.starts import POWERS, Rule

_START = "a number, or auto, or {from: CHOSEN.yaml, rule: RULE}"
_NUMBER = "a number, {start: NUMBER} to search it or {of: ENTRY} to share it"

Arguments = dict[str, Any]

_IDENTIFIERS = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"


class ScalingBlock(_Block):
    """Begin where another study's result points by a rule."""

    source: Text = Field(
        alias="from",
        description="The other study's chosen.yaml, relative to this file's folder.",
        examples=["../other/chosen.yaml"],
    )
    rule: Annotated[Rule, choice(*POWERS)] = Field(
        description="linear: times the ratio (SGD and batch size). sqrt: times its square root (Adam and batch "
        "size). inverse: over the ratio (Adam and width). same: as it is."
    )
    by: Text = Field(
        default_factory=_absent,
        description="The workload's argument whose ratio, here to there, is meant; batch_size unless given.",
    )
    times: Positive = Field(default_factory=_absent, description="The ratio itself, in place of by.")
    entry: Name = Field(
        default_factory=_absent,
        description="The entry there; unless given the one of the same name, or the only one that fits.",
    )


Start = Annotated[
    Annotated[Literal["auto"] | Annotated[float, Field(allow_inf_nan=False)], _wanted(_START), Tag("<given>")]
    | Annotated[ScalingBlock, Tag("<scaling>")],
    Discriminator(lambda value: "<scaling>" if isinstance(value, dict) else "<given>"),
]


class SearchBlock(_Block):
    """Search this hyperparameter, from ``start`` outward along a ladder of values."""

    start: Start = Field(
        description="The first guess, tried with its upper neighbour: a value of the ladder (0.01, 0.03). auto: "
        "what a range test proposes; a mapping: where another study's result points; for learning rates."
    )
    ladder: Annotated[LadderName, _wanted("lr, c or beta")] = Field(
        default_factory=lambda: "lr",
        description="The values that the search visits. lr: 1-3-10 grid. c: powers of 3. beta: 1-3-10 grid "
        "on 1 - value. Learning rates, cprop.c, cprop.beta and momentum have theirs; others must name one.",
    )


class ShareBlock(_Block):
    """Take the value that another entry has for this hyperparameter."""

    of: Text = Field(
        description="The entry whose value is taken: its hyperparameter of the same name; for a learning "
        "rate of another name, its lr."
    )
    times: Positive = Field(default=1.0, description="A factor on the shared value.")


class SeedsBlock(_Block):
    """Fewer seeds while the bracket walks."""

    screen: Seeds = Field(description="Seeds of each candidate that the bracket comes to.")
    confirm: Seeds = Field(description="Seeds of the best candidate and its neighbours in the end.")


def _kind(value: Any) -> str | None:
    """Which form a hyperparameter's value has; None for a mapping that is like none of them."""
    match value:
        case bool() | str() | list():
            return "<option>"
        case int() | float():
            return "<number>"
        case dict():
            for tag, keys in (("<search>", ("start", "ladder")), ("<share>", ("of", "times"))):
                if any(difflib.get_close_matches(str(key), keys) for key in value):
                    return tag
    return None


def _number_kind(value: Any) -> str | None:
    kind = _kind(value)
    return None if kind == "<option>" else kind


TAGS: dict[str | int, type[BaseModel] | None] = {
    "<search>": SearchBlock,
    "<share>": ShareBlock,
    "<number>": None,
    "<option>": None,
    "<seeds>": SeedsBlock,
    "<given>": None,
    "<scaling>": ScalingBlock,
    **RECIPE_TAGS,
}
"""What ``_kind`` gives; pydantic puts it into the place of an error, where it is no key of the file."""

_Option = Annotated[
    Any,
    PlainValidator(lambda value: value),
    WithJsonSchema({"type": ["boolean", "string", "array"]}),
]
Number = Annotated[
    Annotated[Finite, Tag("<number>")]
    | Annotated[SearchBlock, Tag("<search>")]
    | Annotated[ShareBlock, Tag("<share>")],
    Discriminator(_number_kind, "kind", _NUMBER),
]
Argument = Annotated[
    Annotated[Finite, Tag("<number>")]
    | Annotated[SearchBlock, Tag("<search>")]
    | Annotated[ShareBlock, Tag("<share>")]
    | Annotated[_Option, Tag("<option>")],
    Discriminator(_kind, "kind", _NUMBER),
    Field(
        description="An argument of the optimizer's constructor. A number is fixed, {start: NUMBER} "
        "searched, {of: ENTRY} taken from another entry; anything else is passed on as it is."
    ),
]


class CPropBlock(_Block):
    """Wrap the optimizer in CProp (arXiv:1912.11493)."""

    c: Number = Field(default_factory=_absent, description="Overconfidence, above 0; 1 unless given.")
    beta: Number = Field(
        default_factory=_absent,
        description="Horizon of the gradients' statistics, at least 0 and below 1; 0.999 unless given.",
    )
    eps: Number = Field(
        default_factory=_absent, description="Added to the standard error, at least 0; 1e-8 unless given."
    )
    eps_placement: Annotated[Literal["outside", "inside"], _wanted("outside or inside")] = Field(
        default_factory=_absent,
        description="Whether eps stands outside the square root, as in the authors' code and unless given, "
        "or inside, as the paper prints it.",
    )
    measure: Annotated[
        Literal["normal", "logistic", "relative_rate", "moment_rate"],
        _wanted("normal, logistic, relative_rate or moment_rate"),
    ] = Field(default_factory=_absent, description="How conformity is measured; normal unless given.")


class EntryBlock(BaseModel):
    """One optimizer. Every key but base, arguments and cprop is an argument of its constructor."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, Argument] = Field(init=False)

    base: Annotated[
        str,
        StringConstraints(pattern=rf"^([a-z_][a-z0-9_]*|{_IDENTIFIERS}:{_IDENTIFIERS})$"),
        _wanted("a class of torch.optim in lower case, such as adam, or package.module:Class"),
    ] = Field(
        default_factory=_absent,
        description="The optimizer: a class of torch.optim by its name in lower case, or "
        "package.module:Class. The entry's own name unless given.",
    )
    arguments: Arguments = Field(
        default_factory=dict, description="Arguments of the workload for this entry alone, over the task's."
    )
    cprop: CPropBlock = Field(
        default_factory=_absent, description="Wrap the optimizer in CProp; {} for CProp's own defaults."
    )


class BudgetBlock(_Block):
    """How long each training is."""

    iterations: Count = Field(description="Updates of the weights in one training.")
    evaluate_every: Count = Field(description="Iterations between evaluations; at most iterations.")


class MetricBlock(_Block):
    """What decides between candidates."""

    name: Text = Field(default="train_loss", description="A metric of the workload.")
    mode: Annotated[Literal["min", "max"], _wanted("min or max")] = Field(
        default="min", description="Whether the lowest or the highest value is the best."
    )
    kind: Annotated[Literal["accuracy"], _wanted("accuracy, or leave it out")] = Field(
        default_factory=_absent,
        description="accuracy: a share of right answers, of 1 or in per cent, so that its error is compared. Unless "
        "given, a metric with mode max is one whose evaluations all lie in [0, 1].",
    )
    examples: Examples = Field(
        default="all", description="Examples that the deciding evaluations use: all, or how many."
    )
    curve_examples: Examples = Field(
        default="all", description="Examples that the evaluations before those use: all, or how many."
    )
    lower_bound: Annotated[float, Field(allow_inf_nan=False), _wanted("a number")] = Field(
        default_factory=_absent,
        description="A value that the metric is never below, 0 for most losses: seeds that can no longer make "
        "a candidate the best are then not trained.",
    )
    window: Count = Field(
        default=1, description="How many last evaluations are averaged to decide; 1 is the paper's rule."
    )
    take: Annotated[Literal["last", "best"], _wanted("last or best")] = Field(
        default="last",
        description="Which evaluation of a training decides: its last, or its best, as early stopping keeps it.",
    )


class SearchesBlock(_Block):
    """Settings of all searches."""

    limits: dict[
        str,
        Annotated[
            tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]],
            Field(strict=False),
            _wanted("two numbers, [LOWEST, HIGHEST]"),
        ],
    ] = Field(
        default_factory=dict,
        description="How far a search may go, by hyperparameter; CProp's are cprop.c and cprop.beta.",
        examples=[{"lr": [1e-8, 1e3]}],
    )
    tolerance: Annotated[float, Field(gt=0, le=1), _wanted("a fraction above 0 and at most 1")] = Field(
        default=0.05,
        description="A choice is resolved when it loses at most this fraction to the best candidate.",
    )
    prefer: Annotated[Literal["lowest", "largest", "smallest"], _wanted("lowest, largest or smallest")] = (
        Field(
            default="lowest",
            description="Which of the candidates that may still be the best is chosen: the one with the best mean "
            "(lowest), the one of the largest value, or that of the smallest.",
        )
    )
    resolve: Annotated[bool, _wanted("true or false")] = Field(
        default=False,
        description="Whether seeds are added, for the best candidate and its ties, until the choice is resolved.",
    )
    max_seeds: Seeds = Field(default=10, description="How many seeds a candidate gets at most with resolve.")
    patience: Count = Field(
        default=1,
        description="How many rungs that are worse close a side of the best; a rung that diverged or died closes the "
        "upper side at once.",
    )
    race: Annotated[bool, _wanted("true or false")] = Field(
        default=False,
        description="Whether a training is ended early that lags another, and will in the end by its curve so far. "
        "A heuristic: no bound on regret covers what it ended.",
    )


class ResourcesBlock(_Block):
    """CPUs and GPUs of a worker, and when it is given up."""

    cpus: Count = Field(default=1, description="CPU cores of a worker, and its number of threads.")
    gpus: Gpus = Field(default=0.0, description="GPUs of a worker: 0, a fraction of one, or a whole number.")
    timeout: Seconds = Field(
        default_factory=_absent,
        description="Seconds without an evaluation after which a training counts as hung: it is ended and tried again. "
        "It waits for ever unless given.",
    )
    max_failures: CountOrNone = Field(
        default=3,
        description="How often a training is tried again whose worker died or hung, or that had no room or no memory.",
    )
    pack: Pack = Field(
        default="auto",
        description="How many replicas a worker trains side by side: auto finds what is best (1 on CPUs), 1 is off.",
    )


Callable_ = Annotated[
    str,
    StringConstraints(pattern=rf"^(.+\.py|{_IDENTIFIERS}):{_IDENTIFIERS}$"),
    _wanted("FILE.py:callable, beside this file, or package.module:callable"),
]


class TaskBlock(_Block):
    """A task of lrsearch: a workload or a loop, a budget, a metric and the optimizers whose numbers are searched."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["workload"]}, {"required": ["loop"]}]}
    )

    name: Name = Field(description="What the study and its folder are called.", examples=["fashion_mnist_fc"])
    workload: Callable_ = Field(
        default_factory=_absent,
        description="The callable that makes model, data and loss: FILE.py:callable, relative to this "
        "file, or package.module:callable. Either this or loop.",
        examples=["fashion_mnist.py:fully_connected"],
    )
    loop: Callable_ = Field(
        default_factory=_absent,
        description="A training loop of one's own in place of a workload: a callable, named in the same way, that "
        "gets a trial, trains, and reports to it.",
        examples=["my_training.py:train"],
    )
    arguments: Arguments = Field(
        default_factory=dict, description="What the callable is called with; a loop finds it in its trial."
    )
    watch: list[Text] = Field(
        default_factory=list,
        description="Files whose content counts for a training, such as initial weights or data: paths relative to "
        "this file, or patterns (*, ** for all folders below); of a folder, all in it.",
        examples=[["weights.pt", "data/*.csv"]],
    )
    budget: BudgetBlock = Field(description="How long a training is and how often it is evaluated.")
    seeds: Annotated[
        Annotated[Seeds, Tag("<number>")] | Annotated[SeedsBlock, Tag("<seeds>")],
        Discriminator(lambda value: "<seeds>" if isinstance(value, dict) else "<number>"),
    ] = Field(default=3, description="Trainings of each candidate, each with a seed of its own.")
    metric: MetricBlock = Field(
        default_factory=MetricBlock, description="What decides; train_loss unless given."
    )
    optimizers: dict[Name, EntryBlock] = Field(
        description="The optimizer entries by name, in the order of their searches.", min_length=1
    )
    search: SearchesBlock = Field(default_factory=SearchesBlock, description="What holds for all searches.")
    recipe: RecipeBlock = Field(default_factory=RecipeBlock, description="How each training goes.")
    resources: ResourcesBlock = Field(default_factory=ResourcesBlock, description="What one worker takes.")


def task_schema() -> dict[str, Any]:
    """Give the JSON schema (draft 2020-12) of a task file, for editors and other programs."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TaskBlock.model_json_schema()}
    return {**schema, "title": "lrsearch task"}
