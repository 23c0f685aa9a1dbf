"""A document against the format: what pydantic finds wrong, in sentences that name the key and the remedy."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from lrsearch.task.document import (
    Document,
    Key,
    Problem,
    did_you_mean,
    dotted,
    is_digits_with_marks,
    is_quoted_number,
    listed,
    shown,
)
from lrsearch.task.schema import TAGS, CPropBlock, EntryBlock, TaskBlock

EXAMPLES = {
    "name": "name: my_task",
    "arguments": "arguments: {batch_size: 32}",
    "workload": "workload: my_task.py:workload",
    "loop": "loop: my_task.py:train",
    "budget": "budget: {iterations: 5000, evaluate_every: 250}",
    "iterations": "iterations: 5000",
    "evaluate_every": "evaluate_every: 250",
    "metric": "metric: {name: train_loss}",
    "optimizers": "optimizers: {sgd: {lr: {start: 0.1}}}",
    "search": "search: {limits: {lr: [1e-6, 10]}}",
    "limits": "limits: {lr: [1e-6, 10]}",
    "recipe": "recipe: {gradient_clip: 0.25}",
    "recipe.schedule.name": "name: CosineAnnealingLR",
    "groups": 'groups: [{match: "*.bias", weight_decay: 0}]',
    "match": 'match: "*.bias"',
    "times": "times: 0.1",
    "resources": "resources: {cpus: 1}",
    "screen": "screen: 1",
    "confirm": "confirm: 3",
    "cprop": "cprop: {c: 1}",
    "start": "start: 0.1",
    "from": "from: OTHER/chosen.yaml",
    "rule": "rule: linear",
    "of": "of: ENTRY",
}
"""What to write where a required key is missing, or a mapping is wanted."""


_STAND_INS = {"name": "stand_in", "workload": "stand_in.py:workload", "loop": "stand_in.py:train"}
"""For what is required, and nothing but its format is checked."""
_CALLABLES = ("workload", "loop")
_ALONE = {*_STAND_INS, "arguments", "recipe", "resources"}
"""Keys whose values no other value is checked against."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A document of the format, once what is not of it (``problems``) has been left out."""

    document: Document
    block: TaskBlock
    problems: tuple[Problem, ...] = ()


def check_format(document: Document) -> Checked:
    """Give the document as a model. What is wrong but leaves the rest to be checked is left out of it.

    Raises:
        TaskError: it is not of the format, and what is wrong bears on how the rest is meant.
    """
    block, problems = _validated(document)
    if block is not None:
        return Checked(document, block)
    keys = {_separable(problem.key) for problem in problems}
    if None not in keys:
        rest = document.without(key for key in keys if key)
        stand_ins = {name: value for name, value in _STAND_INS.items() if (name,) in keys}
        rest = replace(rest, data=rest.data | stand_ins)
        block, _ = _validated(rest)
        if block is not None:
            return Checked(rest, block, problems)
    document.refuse(problems)
    raise AssertionError("pydantic found an error that was not put in words")


def _validated(document: Document) -> tuple[TaskBlock | None, tuple[Problem, ...]]:
    missing = tuple(_no_callable(document))
    try:
        block = TaskBlock.model_validate(document.data)
        return (None, missing) if missing else (block, ())
    except ValidationError as error:
        # Our own words are all that is taken from pydantic's errors, besides places and kinds.
        details = error.errors(include_url=False, include_context=True, include_input=True)
    return None, (*_problems(details), *missing)


def _no_callable(document: Document) -> Iterator[Problem]:
    """One of two keys is required, which the model cannot say."""
    given = document.data if isinstance(document.data, dict) else dict.fromkeys(_CALLABLES)
    misspelt = [key for key in given if key not in TaskBlock.model_fields]
    if not given.keys() & {*_CALLABLES} and not any(did_you_mean(str(k), _CALLABLES, "") for k in misspelt):
        remedy = " or ".join(EXAMPLES[name] for name in _CALLABLES)
        yield Problem(("workload",), f"workload is missing; add {remedy}")


def _separable(key: Key) -> Key | None:
    """The least that can be left out with a key, so that the rest means what it meant; None if there is no such."""
    match key:
        case ("optimizers", _, "cprop", _, *_):
            return key[:4]
        case ("optimizers", _, *_) if len(key) > 2:
            return key[:3]
        case (name, *_) if name in _ALONE or name not in TaskBlock.model_fields:
            return key[:1]
    return None


def _problems(details: Iterable[Any]) -> Iterator[Problem]:
    """One problem a mistake: a misspelt key is not also the missing one that it stands for."""
    details = list(details)
    problems = {_key(detail["loc"]): _sentence(detail) for detail in details}
    unknown = {(_key(d["loc"])[:-1], str(d["loc"][-1])) for d in details if d["type"] == "extra_forbidden"}
    for detail in details:
        key = _key(detail["loc"])
        if detail["type"] == "missing" and any(
            parent == key[:-1] and did_you_mean(name, [str(key[-1])], "") for parent, name in unknown
        ):
            del problems[key]
    return (Problem(key, sentence) for key, sentence in problems.items())


def _key(location: tuple[str | int, ...]) -> Key:
    return tuple(part for part in location if part not in TAGS and part != "[key]")


def _sentence(detail: Any) -> str:
    location, value = detail["loc"], detail["input"]
    key = _key(location)
    path = dotted(key) or "the file"
    match detail["type"]:
        case "missing":
            return f"{path} is missing; add {_example(key)}"
        case "extra_forbidden":
            model = _model_at(location[:-1])
            fields = [field.alias or name for name, field in model.model_fields.items()]
            return f"{path} is not a key here; " + did_you_mean(
                str(key[-1]), fields, f"the keys are {listed(fields)}"
            )
        case "kind" if isinstance(value, dict):
            return f"{path} is a mapping without start or of; " + did_you_mean(
                str(key[-1]), EntryBlock.model_fields, f"give {detail['msg']}"
            )
        case "choice":
            remedy = did_you_mean(str(value), detail["ctx"]["known"], f"give {detail['msg']}")
            return f"{path} is {shown(value)}; {remedy}"
        case "kind" | "wanted":
            if location[-1] == "[key]":
                return f"{path} is no name for an entry; give {detail['msg']}"
            return f"{path} is {shown(value)}; give {_minding_quotes(detail['msg'], value)}"
        case "too_short":
            return f"{path} has no entries; add one, such as sgd: {{lr: {{start: 0.1}}}}"
    if key[:1] == ("optimizers",) and len(key) == 2:
        return f"{path} is {shown(value)}; give a mapping, such as {key[-1]}: {{lr: {{start: 0.1}}}}"
    if key:
        return f"{path} is {shown(value)}; give a mapping, such as {_example(key)}"
    return f"the file holds {shown(value)}; write a task as lines of KEY: VALUE, or begin with: lrsearch init"


def _example(key: Key) -> str:
    """What to write for a key: by its whole path where its name alone has another meaning."""
    names = [part for part in key if isinstance(part, str)]
    return EXAMPLES.get(".".join(names)) or EXAMPLES[names[-1]]


def _minding_quotes(words: str, value: Any) -> str:
    """A number in place of text looks right to its writer, and so does one in quotes: say what quotes do."""
    wants_text = words == "text" or words.startswith("a name")
    if isinstance(value, int | float) and not isinstance(value, bool) and wants_text:
        return f'text, in quotes: "{shown(value)}"'
    if wants_text:
        return words
    if is_digits_with_marks(value):
        return f"{words}, its digits with nothing between them"
    return f"{words}, without quotes" if is_quoted_number(value) else words


def _model_at(location: tuple[str | int, ...]) -> type[BaseModel]:
    """The block of the format whose keys stand at a location of pydantic's."""
    match location:
        case ():
            return TaskBlock
        case (*_, tag) if (block := TAGS.get(tag)) is not None:
            return block
        case (*_, "cprop"):
            return CPropBlock
        case (str(name),):
            annotation = TaskBlock.model_fields[name].annotation
            assert isinstance(annotation, type)
            assert issubclass(annotation, BaseModel)
            return annotation
    raise AssertionError(f"no block of the format forbids keys at {location}")
