"""A new study that takes over what is still valid of another, when a task has changed."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from optuna.storages import BaseStorage

from lrsearch.errors import StudyNotFoundError, UsageError
from lrsearch.report.numbers import count_text
from lrsearch.store.reading import ATTRIBUTE, trial_from
from lrsearch.store.record import PROPOSALS
from lrsearch.store.storages import storage_to_read
from lrsearch.store.url import shown_url
from lrsearch.task.document import listed
from lrsearch.task.fingerprint import differences, of_entry
from lrsearch.task.model import Identity
from lrsearch.trial import SearchId

_FORKED_FROM = "lrsearch forked from"
"""The attribute of a study and of a trial that says where they came from."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The study that another is forked from: its name and the URL of its storage."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Forked:
    """What a study took over.

    Attributes:
        origin: the name of the study that it came from.
        replicas: how many ended trainings are taken over.
        anew: the entries of which nothing was, as they train differently now.
    """

    origin: str
    replicas: int
    anew: tuple[str, ...]

    def __str__(self) -> str:
        taken = f"{count_text(self.replicas, 'ended training')} taken over from {self.origin}"
        return f"{taken}; {listed(self.anew)} trained anew" if self.anew else taken


def check_fork(storage: BaseStorage, name: str, origin: Origin) -> None:
    """Refuse a name whose study was made otherwise: two histories would be mixed.

    Raises:
        UsageError: there is such a study.
    """
    there = [study for study in storage.get_all_studies() if study.study_name.startswith(f"{name}/")]
    if there and not any(study.user_attrs.get(_FORKED_FROM) == origin.name for study in there):
        raise UsageError(
            f"there is a study {name} already, which was not forked from {origin.name}; give --fork another name"
        )


def take_over(
    storage: BaseStorage, studies: Mapping[SearchId, int], identity: Identity, origin: Origin
) -> Forked:
    """Copy the ended replicas of all entries that train as they did, with their results and where they came from.

    What was copied before (a run may have been killed meanwhile) is not copied again.

    Args:
        storage: where to.
        studies: the ids of the new study's searches there.
        identity: what of the task changes the result of a training, as it is now.
        origin: where from.

    Raises:
        StudyNotFoundError: there is no such study.
    """
    anew: list[str] = []
    taken = 0
    with storage_to_read(origin.url) as source:
        ids = {study.study_name: study for study in (source.get_all_studies() if source else ())}
        if source is None or not any(name.startswith(f"{origin.name}/") for name in ids):
            raise StudyNotFoundError(
                f"there is no study {origin.name} in {shown_url(origin.url)} to be forked; leave --fork out"
            )
        found = []
        for search, study in studies.items():
            kept = ids.get(f"{origin.name}/{search}")
            storage.set_study_user_attr(study, _FORKED_FROM, origin.name)
            if kept is None or ATTRIBUTE not in kept.user_attrs:
                continue
            before = of_entry(kept.user_attrs[ATTRIBUTE]["identity"], search.entry)
            if differences(before, of_entry(identity, search.entry)):
                anew.append(search.entry)
                continue
            for name in PROPOSALS & kept.user_attrs.keys():
                storage.set_study_user_attr(study, name, kept.user_attrs[name])
            from_id = source.get_study_id_from_name(kept.study_name)
            there = {
                trial.user_attrs.get(_FORKED_FROM) for trial in storage.get_all_trials(study, deepcopy=False)
            }
            for frozen in source.get_all_trials(from_id, deepcopy=False):
                trial = trial_from(search, frozen)
                if trial is None or not trial.ended:
                    continue
                taken += 1
                where = f"{kept.study_name}/{frozen.number}"
                if where not in there:
                    replica = copy.copy(frozen)
                    replica.user_attrs = {**frozen.user_attrs, _FORKED_FROM: where}
                    trial_id = source.get_trial_id_from_study_id_trial_number(from_id, frozen.number)
                    found.append((trial_id, study, replica))
        # In the order in which they began, over all searches.
        for _, study, replica in sorted(found, key=lambda one: one[0]):
            storage.create_new_trial(study, template_trial=replica)
    return Forked(origin.name, taken, tuple(dict.fromkeys(anew)))
