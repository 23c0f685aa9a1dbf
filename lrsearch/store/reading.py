"""A study read back from Optuna: its trials, its task, and what proposed its starts."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from lrsearch.errors import StudyNotFoundError
from lrsearch.store.record import StudyRecord, curve_from, outcome_from, proposed_from
from lrsearch.store.storages import storage_to_read
from lrsearch.store.url import shown_url
from lrsearch.task.fingerprint import fingerprint, of_entry
from lrsearch.task.model import Identity
from lrsearch.task.starts import ProposedStart
from lrsearch.trial import Evaluation, SearchId, Trial, TrialSpec

ATTRIBUTE = "lrsearch"
"""The user attribute of a study that holds the task's text, its place and its identity."""


def read_study(url: str, name: str) -> StudyRecord:
    """Read a task's studies without writing anything; works while a run is on.

    Raises:
        StudyNotFoundError: there is no study of that name.
        UsageError: the storage cannot be reached.
    """
    trials: list[Trial] = []
    newest: dict[str, Any] = {}
    attributes: dict[SearchId, Mapping[str, Any]] = {}
    moments: list[datetime | None] = []
    with storage_to_read(url) as storage:
        for study in storage.get_all_studies() if storage else ():
            kept = study.user_attrs.get(ATTRIBUTE)
            task_name, _, search = study.study_name.partition("/")
            if storage is None or kept is None or task_name != name:
                continue
            newest = max(newest, kept, key=lambda attribute: attribute.get("written", ""))
            entry, _, hyperparameter = search.partition("/")
            attributes[SearchId(entry, hyperparameter)] = study.user_attrs
            study_id = storage.get_study_id_from_name(study.study_name)
            for frozen in storage.get_all_trials(study_id, deepcopy=False):
                trial = trial_from(SearchId(entry, hyperparameter), frozen)
                if trial is not None:
                    trials.append(trial)
                    moments += [frozen.datetime_start, frozen.datetime_complete]
    if not newest:
        raise StudyNotFoundError(
            f"there is no study {name} in {shown_url(url)}; lrsearch status lists those there are"
        )
    moments.append(datetime.fromisoformat(newest["written"]))
    worked_at = max(moment.timestamp() for moment in moments if moment is not None)
    return StudyRecord(
        newest["task"],
        Path(newest["path"]),
        newest["identity"],
        tuple(trials),
        worked_at,
        "tried" in newest,
        proposed_starts(attributes, newest["identity"]),
    )


def study_names(url: str) -> list[str]:
    """Give the names of the tasks that have studies in a storage.

    Raises:
        UsageError: the storage cannot be reached.
    """
    with storage_to_read(url) as storage:
        studies = storage.get_all_studies() if storage else []
    kept = (study for study in studies if ATTRIBUTE in study.user_attrs)
    return sorted({study.study_name.partition("/")[0] for study in kept})


def trains_as(search: SearchId, identity: Identity) -> str:
    """Give the fingerprint of a search's trainings."""
    return fingerprint(of_entry(identity, search.entry))


def proposed_starts(
    attributes: Mapping[SearchId, Mapping[str, Any]], identity: Identity
) -> dict[SearchId, tuple[ProposedStart, ...]]:
    """Give what proposed starts in studies, by the user attributes of each; nothing of those without."""
    found = {search: proposed_from(kept, trains_as(search, identity)) for search, kept in attributes.items()}
    return {search: proposed for search, proposed in found.items() if proposed}


def trial_from(search: SearchId, frozen: FrozenTrial) -> Trial | None:
    """Read a trial; None for one that was not written by lrsearch, or was ended by other hands."""
    attributes = frozen.user_attrs
    if "hyperparameters" not in attributes:
        return None
    spec = TrialSpec(search, attributes["rung"], attributes["seed"], attributes["hyperparameters"])
    trial = f"{search}/{frozen.number}"
    if (result := attributes.get("result")) is not None:
        return Trial(
            trial, spec, curve_from(result["curve"]), outcome_from(result["outcome"]), result["seconds"]
        )
    if frozen.state.is_finished():
        return None
    curve = tuple(Evaluation(step, value) for step, value in sorted(frozen.intermediate_values.items()))
    return Trial(trial, spec, curve)
