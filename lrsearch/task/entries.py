"""The ``optimizers`` of a task file -> entries, with each number's ladder, limits and range checked."""

import re
from collections.abc import Iterator
from typing import Any

from lrsearch.ladder import LADDERS, LadderName
from lrsearch.task.document import Document, Key, Problem, did_you_mean, dotted, shown
from lrsearch.task.model import Entry, Hyperparameter, Searched, Shared
from lrsearch.task.schema import EntryBlock, SearchBlock, ShareBlock, TaskBlock
from lrsearch.trial import SearchId

DEFAULT_LIMITS: dict[LadderName, tuple[float, float]] = {
    "lr": (1e-8, 1e3),
    "c": (1.0, 3.0**9),
    "beta": (0.0, 0.999999),
}
_LADDER_OF: dict[str, LadderName] = {"cprop.c": "c", "cprop.beta": "beta", "momentum": "beta"}
_RANGES: dict[LadderName, tuple[float, float, str]] = {
    # Far beyond any use, and near enough for exact decimals.
    "lr": (1e-30, 1e30, "a value above 0"),
    "c": (1.0, 1e30, "a value of at least 1"),
    "beta": (0.0, 1 - 1e-12, "a value of at least 0 and below 1"),
}
_OWN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def is_learning_rate(name: str) -> bool:
    """Whether a hyperparameter is a learning rate by its name: ``lr``, ``final_lr``."""
    return name == "lr" or name.endswith("_lr")


class EntryReader:
    """Makes entries from the blocks of the format; ``problems`` collects what is wrong."""

    def __init__(self, document: Document, task: TaskBlock) -> None:
        self._document = document
        self._task = task
        self.problems: list[Problem] = []

    def entries(self) -> dict[str, Entry]:
        """Give all entries in the order written; they are good only if ``problems`` is empty."""
        entries = {name: self._entry(name, block) for name, block in self._task.optimizers.items()}
        self._check_limits({name for entry in entries.values() for name in entry.hyperparameters})
        return entries

    def _entry(self, name: str, block: EntryBlock) -> Entry:
        key = ("optimizers", name)
        if "base" not in block.model_fields_set and not _OWN_NAME.fullmatch(name):
            self._refuse(
                key,
                f"has no base, and {shown(name)} is no torch.optim class in lower case; "
                "add base: CLASS, such as base: adam",
            )
        hyperparameters: dict[str, Hyperparameter] = {}
        options: dict[str, Any] = {}
        for argument, value, where in self._arguments(name, block):
            self._check_argument(argument, value, where)
            match value:
                case bool() | str() | list():
                    options[argument] = value
                case float():
                    hyperparameters[argument] = value
                case SearchBlock():
                    if searched := self._searched(argument, value, where):
                        hyperparameters[argument] = searched
                case ShareBlock(of=of, times=times):
                    # Which of its hyperparameters is settled when all entries are known.
                    hyperparameters[argument] = Shared(SearchId(of, argument), times)
        return Entry(
            name=name,
            optimizer=block.base if "base" in block.model_fields_set else name,
            hyperparameters=hyperparameters,
            options=options,
            arguments=block.arguments,
            wrapped_in_cprop="cprop" in block.model_fields_set,
        )

    def _arguments(self, name: str, block: EntryBlock) -> Iterator[tuple[str, Any, Key]]:
        """Constructor arguments, CProp's dotted, in the order written: searches run in that order."""
        key = ("optimizers", name)
        for argument, written in self._document.data["optimizers"][name].items():
            if argument == "cprop":
                for inner in written:
                    yield f"cprop.{inner}", getattr(block.cprop, inner), (*key, "cprop", inner)
            elif argument not in EntryBlock.model_fields:
                yield argument, block.__pydantic_extra__[argument], (*key, argument)

    def _check_argument(self, argument: str, value: Any, key: Key) -> None:
        if not argument.removeprefix("cprop.").isidentifier():
            self._refuse(key, "cannot be an argument of an optimizer; " + _renamed(argument))
        elif isinstance(value, bool | str | list) and (is_learning_rate(argument) or _is_quoted_number(value)):
            self._refuse(key, f"is {shown(value)}; give a number, {{start: NUMBER}} or {{of: ENTRY}}")
        elif isinstance(value, float):
            self._check_fixed(argument, value, key)

    def _check_fixed(self, argument: str, value: float, key: Key) -> None:
        remedy = ""
        if (is_learning_rate(argument) or argument == "cprop.c") and value <= 0:
            remedy = "a value above 0"
        elif argument == "cprop.beta" and not 0 <= value < 1:
            remedy = "a value of at least 0 and below 1"
        elif argument == "cprop.eps" and value < 0:
            remedy = "a value of at least 0"
        if remedy:
            self._refuse(key, f"is {shown(value)}; give {remedy}")

    def _searched(self, argument: str, block: SearchBlock, key: Key) -> Searched | None:
        if "ladder" in block.model_fields_set:
            ladder_name = block.ladder
        elif is_learning_rate(argument):
            ladder_name = "lr"
        elif argument in _LADDER_OF:
            ladder_name = _LADDER_OF[argument]
        else:
            self._refuse(key, "is searched, but on which ladder? add ladder: lr, ladder: c or ladder: beta")
            return None
        limits = self._limits(argument, ladder_name)
        self._check_start(block.start, ladder_name, limits, argument, (*key, "start"))
        return Searched(block.start, ladder_name, limits)

    def _limits(self, argument: str, ladder_name: LadderName) -> tuple[float, float]:
        limits = self._task.search.limits.get(argument)
        if limits is None:
            return DEFAULT_LIMITS[ladder_name]
        key = ("search", "limits", argument)
        lowest, highest, remedy = _RANGES[ladder_name]
        if not all(lowest <= limit <= highest for limit in limits):
            self._refuse_once(key, f"is {_pair(limits)}; give limits on the {ladder_name} ladder, each {remedy}")
        elif limits[0] >= limits[1]:
            self._refuse_once(key, f"is {_pair(limits)}; give the lower limit first, then a higher one")
        elif not _has_two_rungs(ladder_name, limits):
            self._refuse_once(key, f"is {_pair(limits)}, with fewer than two values of the ladder between; widen it")
        return limits

    def _check_start(
        self, start: float, ladder_name: LadderName, limits: tuple[float, float], argument: str, key: Key
    ) -> None:
        lowest, highest, remedy = _RANGES[ladder_name]
        if not lowest <= start <= highest:
            self._refuse(key, f"is {shown(start)}; give {remedy}")
            return
        try:
            LADDERS[ladder_name].rung(start)
        except ValueError as error:
            self.problems.append(Problem(key, f"{dotted(key)}: {error}; give one of them"))
            return
        if not limits[0] <= start <= limits[1] and limits[0] < limits[1]:
            self._refuse(
                key,
                f"is {shown(start)}, outside the limits {_pair(limits)}; "
                f"start within them, or widen search.limits.{argument}",
            )

    def _check_limits(self, used: set[str]) -> None:
        known = used | {"lr", "cprop.c", "cprop.beta"}
        for argument in self._task.search.limits:
            if argument not in known:
                remedy = (
                    f"did you mean cprop.{argument}?"
                    if f"cprop.{argument}" in known
                    else did_you_mean(argument, sorted(known), f"the names are {', '.join(sorted(known))}")
                )
                self._refuse(("search", "limits", argument), f"is about no hyperparameter of any entry; {remedy}")

    def _refuse(self, key: Key, problem: str) -> None:
        self.problems.append(Problem(key, f"{dotted(key)} {problem}"))

    def _refuse_once(self, key: Key, problem: str) -> None:
        """Limits are shared by entries: one mistake in them is one problem."""
        if all(known.key != key for known in self.problems):
            self._refuse(key, problem)


def _has_two_rungs(ladder_name: LadderName, limits: tuple[float, float]) -> bool:
    try:
        first, last = LADDERS[ladder_name].rungs_within(*limits)
    except ValueError:
        return False
    return last > first


def _renamed(argument: str) -> str:
    if argument.startswith("cprop."):
        inner = argument.removeprefix("cprop.")
        return f"write it as a block, cprop: {{{inner}: ...}}"
    return "give the argument's name as Python has it"


def _is_quoted_number(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _pair(limits: tuple[float, float]) -> str:
    return f"[{shown(limits[0])}, {shown(limits[1])}]"
