"""The entries of a comparison -> those of a task file: what they take over from others, and numbers for all."""

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lrsearch.comparing.rates import MissingRateError, Rates
from lrsearch.task import Task
from lrsearch.task.document import Document, Key, Problem, did_you_mean, dotted, listed, shown
from lrsearch.task.entries import is_learning_rate
from lrsearch.task.recipe_schema import RecipeBlock
from lrsearch.trial import SearchId

_OWN = ("like", "schedule", "against")
"""Keys of an entry that a comparison alone has."""
_MERGED = ("cprop", "arguments")

Body = dict[str, Any]


class EntryWriter:
    """Lowers each entry to the keys of a task file; ``problems`` collects what is wrong.

    Args:
        document: the comparison.
        base: the task that it is of.
        written: that task's entries as its file has them.
        rates: what its searches chose.
    """

    def __init__(
        self, document: Document, base: Task, written: Mapping[str, Mapping[str, Any]], rates: Rates
    ) -> None:
        self._entries: Mapping[str, Any] = document.data["optimizers"]
        self._base = base
        self._written = written
        self._rates = rates
        self.problems: list[Problem] = []

    def entries(self) -> dict[str, Any]:
        """Give every entry with the keys of a task file; one that is no mapping is left to be refused as there."""
        return {
            name: self._task_keys(self._body(name, ())) if isinstance(given, dict) else given
            for name, given in self._entries.items()
        }

    def schedules(self) -> dict[str, Any]:
        """Give the entries' own schedules, as a recipe has them."""
        found = {}
        for name, given in self._entries.items():
            if isinstance(given, dict) and "schedule" in (body := self._body(name, ())):
                found[name] = body["schedule"]
        return found

    def against(self) -> dict[str, str]:
        """Give the entries that name what they are compared with."""
        found = {}
        for name, given in self._entries.items():
            if not isinstance(given, dict) or "against" not in given:
                continue
            base, key = given["against"], ("optimizers", name, "against")
            if not isinstance(base, str) or base == name or base not in self._entries:
                others = [other for other in self._entries if other != name]
                remedy = did_you_mean(f"{base}", others, f"the others are {listed(others)}")
                self._refuse(key, f"is {shown(base)}, which is no other entry here; {remedy}")
            else:
                found[name] = base
        return found

    def _task_keys(self, body: Body) -> Body:
        return {key: value for key, value in body.items() if key not in _OWN}

    def _body(self, name: str, seen: tuple[str, ...]) -> Body:
        """An entry with what it takes over; numbers in place of what the task searches."""
        given = self._entries[name]
        key = ("optimizers", name)
        body = self._taken_over(name, given, (*seen, name))
        for argument, value in given.items():
            if argument in ("like", "against"):
                continue
            if argument == "schedule":
                self._check_schedule((*key, argument), value)
                body[argument] = value
            elif argument in _MERGED and isinstance(value, dict):
                known = body.get(argument) or {}
                body[argument] = known | {
                    inner: self._number(SearchId(name, f"{argument}.{inner}"), v, (*key, argument, inner))
                    for inner, v in value.items()
                }
            else:
                body[argument] = self._number(SearchId(name, argument), value, (*key, argument))
        body.setdefault("base", name)
        return body

    def _taken_over(self, name: str, given: Mapping[str, Any], seen: tuple[str, ...]) -> Body:
        """What an entry begins with: the entry that it is like, else the task's own of its name, else nothing."""
        key = ("optimizers", name, "like")
        if "like" not in given:
            return self._of_task(name, name) if "base" not in given and name in self._written else {}
        like = given["like"]
        if "base" in given:
            self._refuse(key, "stands beside base, and both say what it is; remove one")
        elif like in seen and like != name:
            self._refuse(key, f"makes a circle ({' is like '.join([*seen, like])}); write one of them out")
        elif isinstance(like, str) and like != name and isinstance(self._entries.get(like), dict):
            return copy.deepcopy(self._body(like, seen))
        elif isinstance(like, str) and like in self._written:
            return self._of_task(like, name)
        else:
            known = [*self._entries, *self._written]
            remedy = did_you_mean(f"{like}", known, f"the entries are {listed(list(dict.fromkeys(known)))}")
            self._refuse(key, f"is {shown(like)}, which is no entry here or in the task; {remedy}")
        return {"base": "sgd"}

    def _of_task(self, entry: str, asked_by: str) -> Body:
        """The task's own entry; what its searches chose stands in place of their starts."""
        body: Body = {"base": self._base.entries[entry].optimizer}
        for argument, value in self._written[entry].items():
            if argument == "cprop":
                names = {inner: f"cprop.{inner}" for inner in value}
                body[argument] = {i: self._chosen(entry, names[i], v, asked_by) for i, v in value.items()}
            elif argument != "base":
                body[argument] = self._chosen(entry, argument, value, asked_by)
        return body

    def _chosen(self, entry: str, argument: str, value: Any, asked_by: str) -> Any:
        if not isinstance(value, dict) or argument == "arguments":
            return copy.deepcopy(value)
        if "of" in value and value["of"] in self._entries:
            return dict(value)
        given = self._entries[asked_by]
        inner = argument.removeprefix("cprop.")
        if inner in (given if inner == argument else given.get("cprop") or {}):
            return 1.0  # the entry itself says otherwise
        return self._value(SearchId(entry, argument), ("optimizers", asked_by, *argument.split(".")))

    def _number(self, own: SearchId, value: Any, key: Key) -> Any:
        """A value as the comparison gives it: a share from an entry of the task alone becomes its number."""
        if not isinstance(value, dict) or own.hyperparameter == "arguments":
            return value
        if "start" in value:
            self._refuse(
                key, "is to be searched, and a comparison searches nothing; give a number or {of: ENTRY}"
            )
            return 1.0
        of, times = value.get("of"), value.get("times", 1.0)
        if not isinstance(of, str) or of in self._entries or of not in self._base.entries:
            return value
        there = self._base.entries[of].hyperparameters
        names = (own.hyperparameter, *(["lr"] if is_learning_rate(own.hyperparameter) else []))
        if (name := next((name for name in names if name in there), None)) is None:
            self._refuse(
                key, f"is of {of}, which has no {own.hyperparameter} in {self._base.shown_as}; give a number"
            )
            return 1.0
        shared = self._value(SearchId(of, name), key)
        return float(f"{shared * times:.12g}") if isinstance(times, int | float) else value

    def _value(self, name: SearchId, key: Key) -> float:
        try:
            return self._rates.value(name)
        except MissingRateError as missing:
            self._refuse(key, f"{missing}")
            return 1.0

    def _check_schedule(self, key: Key, value: Any) -> None:
        try:
            RecipeBlock.model_validate({"schedule": value})
        except ValidationError as error:
            words = error.errors()[0].get("ctx", {}).get("words")
            wanted = words or "a class of torch.optim.lr_scheduler, or {name: CLASS, ...}"
            self._refuse(key, f"is {shown(value)}; give {wanted}")

    def _refuse(self, key: Key, problem: str) -> None:
        said = Problem(key, f"{dotted(key)} {problem}")
        if said not in self.problems:
            self.problems.append(said)
