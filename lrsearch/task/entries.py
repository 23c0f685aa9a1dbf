"""The ``optimizers`` of a task file -> entries, with each number's ladder, limits and range checked."""

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lrsearch.ladder import LADDERS, LadderName
from lrsearch.task.document import (
    Document,
    Key,
    Problem,
    did_you_mean,
    dotted,
    is_quoted_number,
    listed,
    shown,
)
from lrsearch.task.model import CPROP_PREFIX, Entry, Hyperparameter, Searched, Shared
from lrsearch.task.schema import EntryBlock, ScalingBlock, SearchBlock, ShareBlock, TaskBlock
from lrsearch.task.starts import Scaling
from lrsearch.trial import SearchId

DEFAULT_LIMITS: dict[LadderName, tuple[float, float]] = {
    "lr": (1e-8, 1e3),
    "c": (1.0, 3.0**9),
    "beta": (0.0, 0.999999),
}
_LADDER_OF: dict[str, LadderName] = {"cprop.c": "c", "cprop.beta": "beta", "momentum": "beta"}
# The ends are far beyond any use, and near enough for floats to tell rungs apart.
_RANGES: dict[LadderName, tuple[float, str, float, str]] = {
    "lr": (1e-30, "a value above 0", 1e30, "a value of at most 1e30"),
    "c": (1.0, "a value of at least 1", 1e30, "a value of at most 1e30"),
    "beta": (0.0, "a value of at least 0 and below 1", 1 - 1e-12, "a value of at least 0 and below 1"),
}
_OWN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
TORCH_OPTIMIZERS = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "asgd", "muon", "nadam", "radam", "rmsprop",
    "rprop", "sgd", "sparseadam",
)  # fmt: skip
"""Names to suggest, written down here: to ask torch would load it."""


def is_learning_rate(name: str) -> bool:
    """Whether a hyperparameter is a learning rate by its name: ``lr``, ``final_lr``, ``optimizer.learning_rate``."""
    last = name.rpartition(".")[2]
    return last in ("lr", "learning_rate") or last.endswith(("_lr", "_learning_rate"))


def is_bolder_upward(name: str, ladder: LadderName) -> bool:
    """Whether a larger value makes bolder updates, so that one that kills the training says "too high".

    So it is of learning rates and of CProp's ``c``, and not of ``beta`` or of a warm-up.
    """
    return ladder == "c" or (ladder == "lr" and is_learning_rate(name))


def positive_number(value: object) -> float | None:
    """Give a value of a file as a number that can be scaled, or by; None for one that is no finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < math.inf else None


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
        misspelt = difflib.get_close_matches("base", block.__pydantic_extra__, n=1, cutoff=0.8)
        if "base" not in block.model_fields_set and not misspelt and not _OWN_NAME.fullmatch(name):
            near = difflib.get_close_matches(name.lower(), TORCH_OPTIMIZERS, n=1, cutoff=0.8)
            remedy = (
                f"call it {near[0]}, or add base: {near[0]}"
                if near
                else "add base: CLASS, such as base: adam"
            )
            self._refuse(
                key, f"has no base, and {shown(name)} is no torch.optim class in lower case; {remedy}"
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
                    arguments = self._task.arguments | block.arguments
                    hyperparameters[argument] = self._searched(argument, value, where, arguments)
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
                    yield f"{CPROP_PREFIX}{inner}", getattr(block.cprop, inner), (*key, "cprop", inner)
            elif argument not in EntryBlock.model_fields:
                self._check_name(argument, (*key, argument))
                yield argument, block.__pydantic_extra__[argument], (*key, argument)

    def _check_name(self, argument: str, key: Key) -> None:
        """Refuse what no constructor takes, and what is surely a misspelt key of ours."""
        if argument.startswith(CPROP_PREFIX):
            inner = argument.removeprefix(CPROP_PREFIX)
            self._refuse(key, f"is not a key here; write a block, cprop: {{{inner}: ...}}")
        elif not argument.isidentifier():
            self._refuse(key, "cannot be an argument of an optimizer; write its name as Python has it")
        elif near := difflib.get_close_matches(argument, EntryBlock.model_fields, n=1, cutoff=0.8):
            self._refuse(key, f"is no argument of an optimizer; did you mean {near[0]}?")

    def _check_argument(self, argument: str, value: Any, key: Key) -> None:
        if isinstance(value, float):
            self._check_fixed(argument, value, key)
        elif is_quoted_number(value):
            self._refuse(key, f"is {shown(value)}; give a number without quotes")
        elif isinstance(value, bool | str | list) and is_learning_rate(argument):
            self._refuse(key, f"is {shown(value)}; give a number, {{start: NUMBER}} or {{of: ENTRY}}")

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

    def _searched(
        self, argument: str, block: SearchBlock, key: Key, arguments: Mapping[str, Any]
    ) -> Searched:
        if "ladder" in block.model_fields_set:
            ladder_name = block.ladder
        elif is_learning_rate(argument):
            ladder_name = "lr"
        elif argument in _LADDER_OF:
            ladder_name = _LADDER_OF[argument]
        else:
            self._refuse(key, "is searched, but on which ladder? add ladder: lr, ladder: c or ladder: beta")
            return Searched(None, "lr", DEFAULT_LIMITS["lr"])
        limits = self._limits(argument, ladder_name)
        where = (*key, "start")
        if isinstance(block.start, float):
            self._check_start(block.start, ladder_name, limits, argument, where)
            return Searched(block.start, ladder_name, limits)
        if ladder_name != "lr" or not is_learning_rate(argument):
            kind = "auto" if block.start == "auto" else "a mapping"
            self._refuse(where, f"is {kind}, which is for learning rates alone; give a number")
        scaling = (
            self._scaling(block.start, where, arguments) if isinstance(block.start, ScalingBlock) else None
        )
        return Searched(None, ladder_name, limits, scaling=scaling)

    def _scaling(self, block: ScalingBlock, key: Key, arguments: Mapping[str, Any]) -> Scaling:
        """Read what a start scales by: the other side of the ratio stands in a file that is not looked at here."""
        given = block.model_fields_set
        if {"by", "times"} <= given:
            self._refuse((*key, "times"), "stands beside by, and both give the ratio; remove one")
        by = block.by if "by" in given else None if block.rule == "same" else "batch_size"
        if by is None or "times" in given:
            return Scaling(block.source, block.rule, times=block.times, entry=block.entry)
        value = arguments.get(by)
        if by not in arguments:
            unless = "" if "by" in given else " unless given"
            remedy = did_you_mean(by, arguments, "name one that is, or give times: RATIO")
            self._refuse(
                (*key, "by"), f"is {by}{unless}, which is no argument of this entry's workload; {remedy}"
            )
        elif (here := positive_number(value)) is None:
            self._refuse((*key, "by"), f"is {by}, which is {shown(value)} here; scale by a number above 0")
        else:
            return Scaling(block.source, block.rule, by, here, entry=block.entry)
        return Scaling(block.source, block.rule, by, entry=block.entry)

    def _limits(self, argument: str, ladder_name: LadderName) -> tuple[float, float]:
        limits = self._task.search.limits.get(argument)
        if limits is None:
            return DEFAULT_LIMITS[ladder_name]
        key = ("search", "limits", argument)
        if remedy := _range_remedy(ladder_name, limits[0]) or _range_remedy(ladder_name, limits[1]):
            self._refuse_once(key, f"is {_pair(limits)}; give each limit {remedy}")
        elif limits[0] < limits[1] and not _has_two_rungs(ladder_name, limits):
            self._refuse_once(key, f"is {_pair(limits)}, which hold fewer than two rungs; widen them")
        return limits

    def _check_start(
        self, start: float, ladder_name: LadderName, limits: tuple[float, float], argument: str, key: Key
    ) -> None:
        if remedy := _range_remedy(ladder_name, start):
            self._refuse(key, f"is {shown(start)}; give {remedy}")
            return
        ladder = LADDERS[ladder_name]
        below = ladder.rungs_within(_RANGES[ladder_name][0], start)[1]
        if ladder.value(below) != start:
            beside = f"{shown(ladder.value(below))} or {shown(ladder.value(below + 1))}"
            self._refuse(key, f"is {shown(start)}, on no rung of the {ladder_name} ladder; give {beside}")
        elif not limits[0] <= start <= limits[1] and limits[0] < limits[1]:
            self._refuse(
                key,
                f"is {shown(start)}, outside the limits {_pair(limits)}; "
                f"start within them, or widen search.limits.{argument}",
            )

    def _check_limits(self, used: set[str]) -> None:
        known = used | {"lr", "cprop.c", "cprop.beta"}
        for argument, limits in self._task.search.limits.items():
            key = ("search", "limits", argument)
            if limits[0] >= limits[1]:
                self._refuse_once(key, f"is {_pair(limits)}; give the lower limit first, then a higher one")
            if argument not in known:
                remedy = (
                    f"did you mean cprop.{argument}?"
                    if f"cprop.{argument}" in known
                    else did_you_mean(argument, sorted(known), f"the names are {listed(sorted(known))}")
                )
                self._refuse_once(key, f"is no hyperparameter of any entry; {remedy}")

    def _refuse(self, key: Key, problem: str) -> None:
        self.problems.append(Problem(key, f"{dotted(key)} {problem}"))

    def _refuse_once(self, key: Key, problem: str) -> None:
        """Refuse limits, which several entries may use: one mistake in them is one problem."""
        if all(known.key != key for known in self.problems):
            self._refuse(key, problem)


def _has_two_rungs(ladder_name: LadderName, limits: tuple[float, float]) -> bool:
    try:
        first, last = LADDERS[ladder_name].rungs_within(*limits)
    except ValueError:
        return False
    return last > first


def _range_remedy(ladder_name: LadderName, value: float) -> str | None:
    """What to give instead of a value that is outside a ladder; None if it is inside."""
    lowest, too_low, highest, too_high = _RANGES[ladder_name]
    if value < lowest:
        return f"a value of at least {lowest:g}" if value > 0 else too_low
    return too_high if value > highest else None


def _pair(limits: tuple[float, float]) -> str:
    return f"[{shown(limits[0])}, {shown(limits[1])}]"
