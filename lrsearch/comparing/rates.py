"""The learning rates of a comparison: what the searches of its task chose."""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from lrsearch import studies
from lrsearch.errors import StudyNotFoundError, TaskError
from lrsearch.report.stored import StoredEntry, is_newer, read_stored
from lrsearch.searches import PendingError, chosen_values, value_of
from lrsearch.studies import Place
from lrsearch.task import Task
from lrsearch.task.document import Document
from lrsearch.trial import SearchId


class MissingRateError(Exception):
    """A value is not there; the message goes on after its name."""


class Rates:
    """Gives the numbers of a task's entries, from a chosen.yaml or the task's own study; read when first needed.

    Args:
        task: whose entries they are.
        document: the comparison, whose key ``rates`` names a chosen.yaml, or nothing.
        place: where the task's own study lies.
    """

    def __init__(self, task: Task, document: Document, place: Place) -> None:
        self._task = task
        self._document = document
        self._place = place

    def value(self, name: SearchId) -> float:
        """Give a hyperparameter's value: fixed, chosen, or shared.

        Raises:
            MissingRateError: its search has chosen nothing.
            TaskError: ``rates`` names what is no chosen.yaml.
        """
        try:
            return value_of(self._task, name, self._chosen)
        except PendingError as pending:
            run = shlex.join(["lrsearch", "run", self._task.shown_as])
            raise MissingRateError(
                f"is searched in {self._task.shown_as}, and {self._source} no value of {pending.search}; "
                f"search it with: {run}, or give rates: CHOSEN.yaml, or a number"
            ) from None

    @property
    def _named(self) -> str | None:
        rates = self._document.data.get("rates")
        return rates if isinstance(rates, str) else None

    @property
    def _source(self) -> str:
        if self._named:
            return f"{self._named} has"
        if self._place.exists():
            return f"its study in {self._place.folder} has"
        return f"without a study in {self._place.folder} there is"

    @cached_property
    def _chosen(self) -> Mapping[SearchId, float]:
        if self._named:
            return self._of_file(self._named)
        try:
            return chosen_values(studies.read(self._place).states.values())
        except StudyNotFoundError:
            return {}

    def _of_file(self, named: str) -> dict[SearchId, float]:
        try:
            stored = read_stored(self._folder / named)
        except FileNotFoundError:
            raise self._refused("does not exist; check the path, which is relative to this file") from None
        except ValueError as error:
            raise self._refused(f"{error}; give what lrsearch export STUDY -o FILE writes") from error
        if is_newer(stored.lrsearch):
            raise self._refused(f"is of lrsearch {stored.lrsearch}, newer than this one; update this one")
        found: dict[SearchId, float] = {}
        for search in self._task.searches():
            with suppress(ValueError):
                found[search] = stored.chosen.get(search.entry, _NONE).value(search.hyperparameter)
        return found

    @property
    def _folder(self) -> Path:
        return Path(self._document.path).parent

    def _refused(self, problem: str) -> TaskError:
        line, column = self._document.position(("rates",))
        return TaskError(f"{self._document.path}:{line}:{column}", f"rates is {self._named}, which {problem}")


_NONE = StoredEntry(hyperparameters={})
