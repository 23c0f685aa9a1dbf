"""The CProp paper's choices (arXiv:1912.11493) beside those of the stored studies.

:func:`read_studies` reads what there is, :func:`compare` is a pure function from it to rows, which
:mod:`lrsearch.report.paper_table` draws.
"""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
import yamlcore

import lrsearch
from lrsearch.report.numbers import count_text
from lrsearch.report.stored import StoredCandidate, StoredEntry, StoredEvidence, StoredStudy, read_stored


class Agreement(StrEnum):
    """How a choice of the paper and one made here go together."""

    SAME = "same"
    TIES = "ties"
    DIFFERS = "differs"
    NOT_PUBLISHED = "not_published"
    NOTHING_LEARNED = "nothing_learned"
    NOT_ENDED = "not_ended"
    UNREADABLE = "unreadable"
    NOT_RUN = "not_run"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Cell:
    """One choice that the paper published, or left open, and the search here that repeats it.

    ``figure`` and ``title`` say where it stands in the paper, ``label`` what it is called there.
    """

    figure: int
    title: str
    label: str
    task: str
    entry: str
    hyperparameter: str
    published: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A published choice beside ours. What is not known is None.

    Attributes:
        cell: what the paper published, and where it is repeated.
        agreement: how the two go together.
        chosen: the value chosen here.
        mean: the mean metric there over seeds.
        published_mean: the mean metric here at the published value.
        published_outcome: how that ended here: ``learned``, ``diverged``, ``did_not_learn``, ``unfinished``,
            ``not_tried``, or ``not_recorded`` in a file from before candidates were kept.
        metric: what decided.
        iteration: after how many iterations of a training.
        iterations: trained for the search, over all its candidates and seeds.
        resolved: whether the search is sure of its choice.
        notes: what else to know of it: a subset of the data, fewer seeds, another version, a limit.
    """

    cell: Cell
    agreement: Agreement
    chosen: float | None = None
    mean: float | None = None
    published_mean: float | None = None
    published_outcome: str | None = None
    metric: str | None = None
    iteration: int | None = None
    iterations: int | None = None
    resolved: bool | None = None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        own = {name: getattr(self, name) for name in self.__slots__ if name != "cell"}
        return {name: getattr(self.cell, name) for name in self.cell.__slots__} | own


@dataclass(frozen=True, slots=True)
class Studies:
    """The stored studies that repeat a search of the paper.

    ``lacking`` are those with a folder and nothing to read in it; ``problems`` are lines for people.
    """

    read: tuple[StoredStudy, ...] = ()
    lacking: Mapping[str, Agreement] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def load_published() -> dict[str, Any]:
    """Give the content of ``published.yaml``, which says where each number stands in the paper."""
    text = (files("lrsearch.report") / "published.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.load(text, Loader=yamlcore.CoreLoader)
    return content


def cells_of(published: Mapping[str, Any]) -> Iterator[Cell]:
    """Give every search of the paper, open ones included, in the order of ``published.yaml``."""
    tables = {**published["learning_rates"], "tuned_c": published["tuned_c"]}
    for name, values in tables.items():
        place = published["figures"][name]
        for key, value in values.items():
            by_size = isinstance(key, int)
            yield Cell(
                figure=place["figure"],
                title=place["title"],
                label=f"batch size {key}" if by_size else LABELS.get(key, key.replace("_", " ")),
                task=place.get("task", name),
                entry=f"adam_{key}" if by_size else key,
                hyperparameter="cprop.c" if name == "tuned_c" else "lr",
                published=None if value is None else float(value),
            )


LABELS = {"sgd": "SGD", "adam": "Adam", "rmsprop": "RMSProp"}


def read_studies(root: Path, names: Iterable[str]) -> Studies:
    """Read the ``chosen.yaml`` of the studies of these names, as far as there are any; nothing is raised."""
    if not os.path.isdir(root):
        line = (
            f"{root} is no folder of studies; lrsearch run TASK.yaml makes one, --studies DIR names another"
        )
        return Studies(problems=(line,))
    read: list[StoredStudy] = []
    lacking: dict[str, Agreement] = {}
    problems: list[str] = []
    for name in dict.fromkeys(names):
        folder = root / name
        if not os.path.isdir(folder):
            continue
        resume = f"go on with: {shlex.join(['lrsearch', 'resume', str(folder)])}"
        path = folder / "chosen.yaml"
        again = f"write it anew: {shlex.join(['lrsearch', 'export', str(folder), '-o', str(path)])}"
        try:
            study = read_stored(path)
            if study.task != name:
                raise ValueError(f"is of the task {study.task}")
        except FileNotFoundError:
            lacking[name] = Agreement.NOT_ENDED
            problems.append(f"{folder} has no chosen.yaml: its searches have not all ended; {resume}")
        except ValueError as error:
            lacking[name] = Agreement.UNREADABLE
            problems.append(f"{path} {error}; {again}")
        else:
            read.append(study)
            if study.lrsearch != lrsearch.__version__:
                problems.append(
                    f"{path} is by lrsearch {study.lrsearch}, not {lrsearch.__version__}; {again}"
                )
            if left := [
                f"{e}/{s}" for e, of in study.chosen.items() for s, v in of.searches.items() if not v.ended
            ]:
                problems.append(f"{path} is partial: without {', '.join(left)}; {resume}")
    return Studies(tuple(read), lacking, tuple(problems))


def compare(
    published: Mapping[str, Any],
    studies: Iterable[StoredStudy],
    lacking: Mapping[str, Agreement] | None = None,
    version: str = lrsearch.__version__,
) -> list[Row]:
    """Put every choice of the paper beside what was chosen here.

    What the paper left open is there only where we have something to say of it.

    Args:
        published: the content of ``published.yaml``.
        studies: what the stored studies hold; of two with one task the last counts.
        lacking: why studies that have a folder are not among them, by the task's name.
        version: of lrsearch; files by another are noted.
    """
    by_task = {study.task: study for study in studies}
    rows = []
    for cell in cells_of(published):
        absent = Row(cell, (lacking or {}).get(cell.task, Agreement.NOT_RUN))
        study = by_task.get(cell.task)
        entry = study.chosen.get(cell.entry) if study else None
        evidence = entry.searches.get(cell.hyperparameter) if entry else None
        if study and entry and evidence:
            rows.append(_row(cell, study, entry, evidence, published["search"], version))
        elif cell.published is not None:
            rows.append(absent)
    return rows


def _row(
    cell: Cell,
    study: StoredStudy,
    entry: StoredEntry,
    evidence: StoredEvidence,
    search: Mapping[str, int],
    version: str,
) -> Row:
    notes = tuple(_notes(cell, study, evidence, search, version))
    if not evidence.ended:
        return Row(cell, Agreement.NOT_ENDED, notes=notes)
    learned = evidence.verdict != "none_learned"
    chosen = entry.value(cell.hyperparameter) if learned else None
    at_published = _at(cell.published, chosen, evidence)
    return Row(
        cell,
        _agreement(cell.published, chosen, evidence.ties),
        chosen=chosen,
        mean=evidence.mean,
        published_mean=at_published.mean if at_published else None,
        published_outcome=at_published.outcome if at_published else None,
        metric=study.metric.name,
        iteration=study.metric.iteration,
        iterations=evidence.iterations,
        resolved=evidence.resolved,
        notes=notes,
    )


def _agreement(published: float | None, chosen: float | None, ties: Sequence[float]) -> Agreement:
    if chosen is None:
        return Agreement.NOTHING_LEARNED
    if published is None:
        return Agreement.NOT_PUBLISHED
    if published == chosen:
        return Agreement.SAME
    return Agreement.TIES if published in ties else Agreement.DIFFERS


def _at(published: float | None, chosen: float | None, evidence: StoredEvidence) -> StoredCandidate | None:
    """How the published value fared here."""
    if published is None:
        return None
    if published == chosen:
        return StoredCandidate(mean=evidence.mean)
    if evidence.candidates is None:
        return StoredCandidate(outcome="not_recorded")
    return evidence.candidates.get(published, StoredCandidate(outcome="not_tried"))


def _notes(
    cell: Cell, study: StoredStudy, evidence: StoredEvidence, search: Mapping[str, int], version: str
) -> Iterator[str]:
    """Where a search here was not the paper's, or is less than it seems."""
    if data := study.made_with.get("data"):
        yield str(data)
    # The paper does not say how long the trainings were by which it tuned c.
    if cell.hyperparameter == "lr" and study.metric.iteration != search["iterations"]:
        yield f"{study.metric.iteration:,} iterations a training, where the paper has {search['iterations']:,}"
    if evidence.ended and evidence.seeds < search["seeds"]:
        yield f"{count_text(evidence.seeds, 'seed')}, where the paper has {search['seeds']}"
    if evidence.verdict == "at_limit":
        yield "ended at a limit of the search (search.limits), beyond which it may be better"
    if study.lrsearch != version:
        yield f"by lrsearch {study.lrsearch}"
