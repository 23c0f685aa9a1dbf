"""What a run leaves behind: pictures and chosen.yaml, or comparison.yaml; what they say of their making."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from lrsearch.guards import writable
from lrsearch.report.comparison import comparison
from lrsearch.report.export import chosen, write_yaml
from lrsearch.report.numbers import value_text
from lrsearch.report.stored import read_stored
from lrsearch.searches import SearchState
from lrsearch.studies import Place, Study
from lrsearch.task import Task
from lrsearch.task.fingerprint import data_summaries
from lrsearch.task.model import Identity


def write_results(
    task: Task, place: Place, states: tuple[SearchState, ...], content: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write the pictures and the page, then the chosen values, last: with them the study is complete.

    Returns:
        The page and the chosen values.
    """
    from lrsearch.report.pages import write_page  # imports matplotlib

    values = file_of(task, place)
    with writable(place.folder):
        page, *_ = write_page(place.folder, task, states, content)
        write_yaml(values, content)
    return (page, values)


def file_of(task: Task, place: Place) -> Path:
    """Give the file of a study's values: chosen.yaml, or comparison.yaml."""
    return place.chosen if task.comparison is None else place.comparison


def content_of(study: Study, partial: bool) -> dict[str, Any]:
    """Give the content of a study's chosen.yaml, or comparison.yaml.

    Raises:
        UnfinishedError: it has not ended and ``partial`` is False.
    """
    give = chosen if study.task.comparison is None else comparison
    return give(
        study.task,
        tuple(study.states.values()),
        made_with(study.task, study.identity, study.worked_at),
        study.fingerprint,
        partial=partial,
    )


def made_with(task: Task, identity: Identity, worked_at: float) -> dict[str, str]:
    """Give the versions that matter, the device, the data where a set of ours was read, and the date.

    The date is when the study was last worked on (a Unix time), so that a look at it changes nothing.
    """
    data = "; ".join(data_summaries(identity))
    return {
        **{package: version(package) for package in ("torch", "ray", "optuna")},
        "device": "gpu" if task.resources.gpus else "cpu",
        **({"data": data} if data else {}),
        "date": datetime.fromtimestamp(worked_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def results_of(
    task: Task, place: Place, states: tuple[SearchState, ...], content: dict[str, Any]
) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Write the results, unless their YAML says the same already: then it also says with what and when it was made."""
    page, values = place.folder / "report.html", file_of(task, place)
    if page.is_file() and (kept := _says_the_same(values, content)) is not None:
        return kept, (page, values)
    return content, write_results(task, place, states, content)


def reconsidered(place: Place, states: Iterable[SearchState]) -> Iterator[str]:
    """Yield a line for each search that stands otherwise than the study's chosen.yaml says.

    So it is where lrsearch decides otherwise than the version that wrote it, or the task asks for more.
    """
    try:
        before = read_stored(place.chosen)
    except (OSError, ValueError):
        return  # there is none, or it is no evidence; the run writes it again
    for state in states:
        search = state.search
        entry = before.chosen.get(search.entry)
        evidence = entry.searches.get(search.hyperparameter) if entry else None
        if entry is None or evidence is None or evidence.mean is None:
            continue
        was = value_text(entry.value(search.hyperparameter))
        chosen_now = None if state.verdict is None else state.verdict.chosen
        if state.verdict is None and state.decision is not None:
            yield f"{search}: {was} was chosen before; as it is judged now trainings are missing, so the search resumes"
        elif state.verdict is not None and (chosen_now is None or value_text(chosen_now) != was):
            now = "nothing" if chosen_now is None else value_text(chosen_now)
            yield f"{search}: {was} was chosen before; as it is judged now, by the same trainings, it is {now}"


def _says_the_same(path: Path, content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give what a file holds if that differs from a content in what it was made with at most."""
    with suppress(OSError, yaml.YAMLError, ValueError, RecursionError):  # of it nothing is needed
        kept = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(kept, dict) and {**kept, "made_with": None} == {**content, "made_with": None}:
            return kept
    return None
