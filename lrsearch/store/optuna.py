"""Results in Optuna: one study a search (``TASK/ENTRY/HYPERPARAMETER``), one trial a replica.

Trials are written through Optuna's storage interface, whose calls are single transactions, with parameters as
distributions and evaluations as intermediate values, so that Optuna's own plots and dashboard show a search
as they would any other. What Optuna has no place for stands in user attributes.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from lrsearch.errors import StudyNotFoundError
from lrsearch.store.database import is_there, survive_crashes, unreachable
from lrsearch.store.mismatch import mismatch
from lrsearch.store.record import (
    StudyRecord,
    curve_from,
    curve_to,
    outcome_from,
    outcome_to,
    proposed_from,
    proposed_to,
    with_evaluation,
)
from lrsearch.store.url import shown_url as shown_url
from lrsearch.store.writer import Writer
from lrsearch.task.fingerprint import Identity, differences, fingerprint, of_entry
from lrsearch.task.model import Searched, Task
from lrsearch.task.starts import ProposedStart
from lrsearch.trial import (
    Curve,
    Diverged,
    Evaluation,
    Failed,
    Finished,
    Outcome,
    SearchId,
    Stopped,
    Trial,
    TrialSpec,
)

optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

_ATTRIBUTE = "lrsearch"
"""The user attribute of a study that holds the task's text, its place and its identity."""
_STATES = {
    Finished: TrialState.COMPLETE,
    Diverged: TrialState.PRUNED,
    Stopped: TrialState.PRUNED,
    Failed: TrialState.FAIL,
}


class OptunaStore:
    """Keeps trials in an Optuna storage. Made by ``open_store``, which takes the lock that makes it the one writer."""

    def __init__(
        self,
        storage: RDBStorage,
        task: Task,
        identity: Identity,
        studies: Mapping[SearchId, int],
        writer: Writer,
    ) -> None:
        self._storage = storage
        self._identity = identity
        self._searches = task.searches()
        self._studies = studies
        self._writer = writer
        self._trial_ids: dict[str, int] = {}
        self._trials: dict[str, Trial] = {}
        """What is in the storage: its one writer need not read back what it wrote."""
        found: list[tuple[int, Trial]] = []
        for search, study in studies.items():
            for frozen in storage.get_all_trials(study, deepcopy=False):
                trial = _trial_from(search, frozen)
                if trial is None:
                    continue
                trial_id = storage.get_trial_id_from_study_id_trial_number(study, frozen.number)
                found.append((trial_id, trial))
                self._trial_ids[trial.id] = trial_id
                if trial.outcome is not None and not frozen.state.is_finished():
                    # A run died between writing the outcome and closing the trial: only the closing is left.
                    self._finish(trial.id, trial.outcome)
        for _, trial in sorted(found, key=lambda pair: pair[0]):
            self._trials[trial.id] = trial

    def trials(self) -> tuple[Trial, ...]:
        """Give all trials on record, oldest first."""
        return tuple(self._trials.values())

    def create(self, spec: TrialSpec) -> str:
        """Write down a new trial, parameters and all, in one transaction, and give its id."""
        name = spec.search.hyperparameter
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params={name: spec.hyperparameters[name]},
            distributions={name: _distribution(self._searches[spec.search])},
            user_attrs={"rung": spec.rung, "seed": spec.seed, "hyperparameters": dict(spec.hyperparameters)},
        )
        trial_id = self._storage.create_new_trial(self._studies[spec.search], template_trial=template)
        trial = f"{spec.search}/{self._storage.get_trial_number_from_id(trial_id)}"
        self._trial_ids[trial] = trial_id
        self._trials[trial] = Trial(trial, spec)
        return trial

    def report(self, trial: str, evaluation: Evaluation) -> None:
        """Add an evaluation to a running trial; one at the same iteration replaces it."""
        self._storage.set_trial_intermediate_value(
            self._trial_ids[trial], evaluation.iteration, evaluation.value
        )
        self._trials[trial] = with_evaluation(self._trials[trial], evaluation)

    def end(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> None:
        """End a trial with its whole curve. The first outcome stays."""
        if self._trials[trial].ended:
            return
        # One attribute, written before the trial is closed: it is the outcome, whatever happens in between.
        result = {"outcome": outcome_to(outcome), "curve": curve_to(curve), "seconds": seconds}
        self._storage.set_trial_user_attr(self._trial_ids[trial], "result", result)
        self._trials[trial] = replace(self._trials[trial], outcome=outcome, curve=curve, seconds=seconds)
        self._finish(trial, outcome)

    def proposed_starts(self) -> dict[SearchId, tuple[ProposedStart, ...]]:
        """Give what proposed starts is on record, by search: the newest of each kind."""
        attributes = {
            search: self._storage.get_study_user_attrs(study) for search, study in self._studies.items()
        }
        return _proposed_starts(attributes, self._identity)

    def keep_proposed_start(self, search: SearchId, proposed: ProposedStart) -> None:
        """Write down what proposed the start of a search, so that it is found out once."""
        name, kept = proposed_to(proposed, _trains_as(search, self._identity))
        self._storage.set_study_user_attr(self._studies[search], name, kept)

    def close(self) -> None:
        """Let go of the storage and the lock."""
        _let_go(self._storage)
        self._writer.release()

    def _finish(self, trial: str, outcome: Outcome) -> None:
        values = [outcome.value] if isinstance(outcome, Finished) else None
        self._storage.set_trial_state_values(self._trial_ids[trial], _STATES[type(outcome)], values)


def open_store(task: Task, identity: Identity, url: str, lock: Path) -> OptunaStore:
    """Open a task's studies for writing; make those that do not exist yet.

    Args:
        task: the task, whose searches are the studies.
        identity: what of it changes the result of a training.
        url: an Optuna storage URL, ``sqlite:///...`` by default elsewhere.
        lock: the file whose lock makes this the only writer.

    Raises:
        StudyLockedError: another process holds the lock.
        StudyMismatchError: a study was made from a task that trains differently.
        UsageError: the storage cannot be reached.
    """
    writer = Writer(task.name, url, lock)
    storage = None
    try:
        storage = _storage(url, writing=True)
        _refuse_mismatch(storage, task, identity, url, lock)
        studies = {search: _open_study(storage, task, search, identity) for search in task.searches()}
        return OptunaStore(storage, task, identity, studies, writer)
    except BaseException:
        if storage is not None:
            _let_go(storage)
        writer.release()
        raise


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
    with _reading(url) as storage:
        for study in storage.get_all_studies() if storage else ():
            kept = study.user_attrs.get(_ATTRIBUTE)
            task_name, _, search = study.study_name.partition("/")
            if storage is None or kept is None or task_name != name:
                continue
            newest = max(newest, kept, key=lambda attribute: attribute.get("written", ""))
            entry, _, hyperparameter = search.partition("/")
            attributes[SearchId(entry, hyperparameter)] = study.user_attrs
            study_id = storage.get_study_id_from_name(study.study_name)
            for frozen in storage.get_all_trials(study_id, deepcopy=False):
                trial = _trial_from(SearchId(entry, hyperparameter), frozen)
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
        _proposed_starts(attributes, newest["identity"]),
    )


def study_names(url: str) -> list[str]:
    """Give the names of the tasks that have studies in a storage.

    Raises:
        UsageError: the storage cannot be reached.
    """
    with _reading(url) as storage:
        studies = storage.get_all_studies() if storage else []
    kept = (study for study in studies if _ATTRIBUTE in study.user_attrs)
    return sorted({study.study_name.partition("/")[0] for study in kept})


@contextmanager
def _reading(url: str) -> Iterator[RDBStorage | None]:
    """A storage to read from; None where there is none yet."""
    storage = _storage(url, writing=False) if is_there(url) else None
    try:
        yield storage
    finally:
        if storage is not None:
            _let_go(storage)


def _let_go(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _storage(url: str, writing: bool) -> RDBStorage:
    try:
        # Between evaluations that take hours a server or firewall may have closed the connection.
        ping = {} if url.startswith("sqlite") else {"pool_pre_ping": True}
        storage = RDBStorage(url, engine_kwargs=ping, skip_table_creation=not writing)
    except Exception as error:
        raise unreachable(url, error) from error
    if writing and storage.engine.dialect.name == "sqlite":
        survive_crashes(storage.engine)
    return storage


def _study_name(task: Task, search: SearchId) -> str:
    return f"{task.name}/{search}"


def _refuse_mismatch(storage: BaseStorage, task: Task, identity: Identity, url: str, lock: Path) -> None:
    changed: dict[str, str] = {}
    studies: list[str] = []
    for search in task.searches():
        with suppress(KeyError):
            study = storage.get_study_id_from_name(_study_name(task, search))
            kept = storage.get_study_user_attrs(study).get(_ATTRIBUTE)
            if kept is not None and _holds_results(storage, study):
                before = of_entry(kept["identity"], search.entry)
                if differs := differences(before, of_entry(identity, search.entry)):
                    changed |= differs
                    studies.append(_study_name(task, search))
    if changed:
        raise mismatch(task, changed, studies, url, lock)


def _holds_results(storage: BaseStorage, study: int) -> bool:
    """Whether a study has trainings that would be mixed with others; one that failed will be made anew."""
    states = (trial.state for trial in storage.get_all_trials(study, deepcopy=False))
    return any(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states)


def _open_study(storage: BaseStorage, task: Task, search: SearchId, identity: Identity) -> int:
    study = optuna.create_study(
        storage=storage,
        study_name=_study_name(task, search),
        direction="minimize" if task.metric.mode == "min" else "maximize",
        load_if_exists=True,
    )
    content = {"task": task.text, "path": str(task.path.resolve()), "identity": identity}
    before = study.user_attrs.get(_ATTRIBUTE, {})
    if any(before.get(name) != value for name, value in content.items()):
        study.set_user_attr(_ATTRIBUTE, content | {"written": datetime.now(UTC).isoformat()})
    return storage.get_study_id_from_name(study.study_name)


def _trains_as(search: SearchId, identity: Identity) -> str:
    return fingerprint(of_entry(identity, search.entry))


def _proposed_starts(
    attributes: Mapping[SearchId, Mapping[str, Any]], identity: Identity
) -> dict[SearchId, tuple[ProposedStart, ...]]:
    """What proposed starts in studies, by the user attributes of each; nothing of those without."""
    found = {search: proposed_from(kept, _trains_as(search, identity)) for search, kept in attributes.items()}
    return {search: proposed for search, proposed in found.items() if proposed}


def _distribution(searched: Searched) -> FloatDistribution:
    low, high = searched.limits
    return FloatDistribution(low, high, log=searched.ladder_name != "beta")


def _trial_from(search: SearchId, frozen: FrozenTrial) -> Trial | None:
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
