"""Results in Optuna: one study a search (``TASK/ENTRY/HYPERPARAMETER``), one trial a replica.

Trials are written through Optuna's storage interface, whose calls are single transactions, with parameters as
distributions and evaluations as intermediate values, so that Optuna's own plots and dashboard show a search
as they would any other. What Optuna has no place for stands in user attributes.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import FloatDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import TrialState

from lrsearch.errors import LeaseLostError, LRSearchError, StorageError, UsageError
from lrsearch.store.database import another_engine, check_database, database_url, gone, unreachable
from lrsearch.store.filesystem import mounts
from lrsearch.store.fork import Forked, check_fork, take_over
from lrsearch.store.fork import Origin as Origin
from lrsearch.store.lease import Holder, Lease, holder_of, locked
from lrsearch.store.mismatch import mismatch
from lrsearch.store.owner import Owner
from lrsearch.store.reading import ATTRIBUTE, proposed_starts, trains_as, trial_from
from lrsearch.store.reading import read_study as read_study
from lrsearch.store.reading import study_names as study_names
from lrsearch.store.record import curve_to, outcome_to, proposed_to, with_evaluation
from lrsearch.store.storages import let_go, storage_to_read, storage_to_write
from lrsearch.store.storages import missing_promises as missing_promises
from lrsearch.store.url import shown_url as shown_url
from lrsearch.task.document import listed
from lrsearch.task.fingerprint import differences, fingerprint, lacking, of_entry
from lrsearch.task.model import Identity, Searched, Task
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

_LOCK_SECONDS = 1.0
"""A look at a study holds its lock for an instant; only another run holds it longer."""
_STATES = {
    Finished: TrialState.COMPLETE,
    Diverged: TrialState.PRUNED,
    Stopped: TrialState.PRUNED,
    Failed: TrialState.FAIL,
}


class OptunaStore:
    """Keeps trials in an Optuna storage. Made by ``open_store``, which makes it the one writer.

    Where another process has taken the study over meanwhile, every call that would write raises LeaseLostError; where
    the storage cannot be written any more, StorageError.
    """

    def __init__(
        self,
        storage: BaseStorage,
        task: Task,
        identity: Identity,
        studies: Mapping[SearchId, int],
        url: str,
        lease: Lease | None = None,
        forked: Forked | None = None,
        lacks: str | None = None,
    ) -> None:
        self._storage = storage
        self._url = url
        self._lease = lease
        self._gone: StorageError | None = None
        self.forked = forked
        """What it took over of another study, if it was asked to."""
        self.lacks = lacks
        """What it does not know of trainings that were made before the task said more, in a line."""
        self._identity = identity
        self._task = task
        self._searches = task.searches()
        self._studies = studies
        self._held = ExitStack()
        self._trial_ids: dict[str, int] = {}
        self._trials: dict[str, Trial] = {}
        """What is in the storage: its one writer need not read back what it wrote."""
        found: list[tuple[int, Trial]] = []
        for search, study in studies.items():
            for frozen in storage.get_all_trials(study, deepcopy=False):
                trial = trial_from(search, frozen)
                if trial is None:
                    continue
                # Every storage of Optuna's has it there; asked for one by one, 1,000 take half a second.
                found.append((frozen._trial_id, trial))
                self._trial_ids[trial.id] = frozen._trial_id
                if trial.outcome is not None and not frozen.state.is_finished():
                    # A run died between writing the outcome and closing the trial: only the closing is left.
                    self._finish(trial.id, trial.outcome)
        for _, trial in sorted(found, key=lambda pair: pair[0]):
            self._trials[trial.id] = trial

    def entries_besides(self) -> list[str]:
        """Give the entries that have results in the study and are not of the task."""
        found = set()
        for study in self._storage.get_all_studies():
            task, _, search = study.study_name.partition("/")
            entry = search.partition("/")[0]
            if task != self._task.name or entry in self._task.entries or ATTRIBUTE not in study.user_attrs:
                continue
            if self._storage.get_n_trials(self._storage.get_study_id_from_name(study.study_name)):
                found.add(entry)
        return sorted(found)

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
        with self._writing():
            trial_id = self._storage.create_new_trial(self._studies[spec.search], template_trial=template)
            trial = f"{spec.search}/{self._storage.get_trial_number_from_id(trial_id)}"
        self._trial_ids[trial] = trial_id
        self._trials[trial] = Trial(trial, spec)
        return trial

    def report(self, trial: str, evaluation: Evaluation) -> None:
        """Add an evaluation to a running trial; one at the same iteration replaces it."""
        with self._writing():
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
        with self._writing():
            self._storage.set_trial_user_attr(self._trial_ids[trial], "result", result)
        self._trials[trial] = replace(self._trials[trial], outcome=outcome, curve=curve, seconds=seconds)
        self._finish(trial, outcome)

    def proposed_starts(self) -> dict[SearchId, tuple[ProposedStart, ...]]:
        """Give what proposed starts is on record, by search: the newest of each kind."""
        attributes = {
            search: self._storage.get_study_user_attrs(study) for search, study in self._studies.items()
        }
        return proposed_starts(attributes, self._identity)

    def keep_proposed_start(self, search: SearchId, proposed: ProposedStart) -> None:
        """Write down what proposed the start of a search, so that it is found out once."""
        name, kept = proposed_to(proposed, trains_as(search, self._identity))
        with self._writing():
            self._storage.set_study_user_attr(self._studies[search], name, kept)

    def remembered(self, name: str) -> Any:
        """Give what was remembered under a name for this task as it is now; None if nothing was."""
        kept = self._storage.get_study_user_attrs(self._first).get(f"{ATTRIBUTE}:{name}", {})
        return kept.get("value") if kept.get("of") == fingerprint(self._identity) else None

    def remember(self, name: str, value: Any) -> None:
        """Write down what JSON holds, in place of what was remembered under the name."""
        kept = {"of": fingerprint(self._identity), "value": value}
        with self._writing():
            self._storage.set_study_user_attr(self._first, f"{ATTRIBUTE}:{name}", kept)

    @property
    def _first(self) -> int:
        """The study that holds what is of no one search."""
        return next(iter(self._studies.values()))

    @property
    def broken(self) -> LeaseLostError | StorageError | None:
        """Why nothing can be written any more: another process took the study over, or it cannot be reached."""
        return (self._lease.lost if self._lease is not None else None) or self._gone

    def make_sure(self) -> None:
        """Make sure that this is still the one writer.

        Raises:
            LeaseLostError: another process has taken the study over.
            StorageError: it cannot be reached.
        """
        if isinstance(self._storage, RDBStorage):
            with self._writing(), self._storage.engine.begin():
                pass  # every transaction makes sure as it begins

    def close(self) -> None:
        """Let go of the storage, the lease and the lock."""
        self._held.close()

    def _finish(self, trial: str, outcome: Outcome) -> None:
        values = [outcome.value] if isinstance(outcome, Finished) else None
        with self._writing():
            self._storage.set_trial_state_values(self._trial_ids[trial], _STATES[type(outcome)], values)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except LRSearchError:
            raise
        except Exception as error:
            # Optuna says something of its own, of what cannot be the matter here.
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            self._gone = gone(self._url, cause)
            raise self._gone from error


def open_store(
    task: Task,
    identity: Identity,
    url: str,
    lock: Path,
    origin: Origin | None = None,
    owner: Owner | None = None,
) -> OptunaStore:
    """Open a task's studies for writing; make those that do not exist yet.

    Args:
        task: the task, whose searches are the studies.
        identity: what of it changes the result of a training.
        url: an Optuna storage URL, ``sqlite:///...`` by default elsewhere.
        lock: the file whose lock makes this the only writer of this machine.
        origin: the study to take over from what is still valid.
        owner: who writes; this process if None.

    Raises:
        StudyLockedError: another process writes to the study.
        StudyMismatchError: a study was made from a task that trains differently.
        StudyNotFoundError: there is no study of the origin's name.
        UsageError: the storage cannot be reached, or is SQLite on a network file system.
    """
    check_database(url, mounts())
    owner = owner or Owner.this_process()
    with ExitStack() as held:
        file_lock = FileLock(lock)
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.enter_context(file_lock.acquire(timeout=_LOCK_SECONDS))
        except Timeout as error:
            raise locked(task.name, _writer(url, task.name), owner) from error
        storage = storage_to_write(url)
        held.callback(let_go, storage)
        lease = _lease(storage, url, task.name, owner)
        if lease is not None:
            held.callback(lease.release)
        lacks = _compare(storage, task, identity, url, lock)
        if origin is not None:
            check_fork(storage, task.name, origin)
        studies = {search: _open_study(storage, task, search, identity) for search in task.searches()}
        forked = take_over(storage, studies, identity, origin) if origin is not None else None
        store = OptunaStore(storage, task, identity, studies, url, lease, forked, lacks)
        store._held = held.pop_all()
        return store
    raise AssertionError("an exit stack of these lets nothing vanish")


def _lease(storage: BaseStorage, url: str, study: str, owner: Owner) -> Lease | None:
    """Take the lease and let the storage's transactions make sure of it; None for a storage that has no such thing."""
    if not isinstance(storage, RDBStorage):
        return None
    engine = another_engine(database_url(url))
    try:
        lease = Lease(engine, study, owner)
    except BaseException as error:
        engine.dispose()
        if isinstance(error, LRSearchError) or not isinstance(error, Exception):
            raise
        raise unreachable(url, error) from error
    lease.guard(storage.engine)
    return lease


def writer_of(url: str, study: str) -> Holder | None:
    """Give which process writes to a study, as far as its storage says; None if it says of nobody.

    Raises:
        UsageError: the storage cannot be reached.
    """
    with storage_to_read(url) as storage:
        holder = holder_of(storage.engine, study) if isinstance(storage, RDBStorage) else None
    return None if holder is None or holder.is_gone(Owner.this_process().machine) else holder


def _writer(url: str, study: str) -> Holder | None:
    with suppress(UsageError):
        return writer_of(url, study)
    return None


def _study_name(task: Task, search: SearchId) -> str:
    return f"{task.name}/{search}"


def _compare(storage: BaseStorage, task: Task, identity: Identity, url: str, lock: Path) -> str | None:
    """Refuse a study that was made from a task that trains differently; say what one lacks that was not."""
    changed: dict[str, str] = {}
    studies: list[str] = []
    lacks: dict[str, None] = {}
    for search in task.searches():
        with suppress(KeyError):
            study = storage.get_study_id_from_name(_study_name(task, search))
            kept = storage.get_study_user_attrs(study).get(ATTRIBUTE)
            if kept is None:
                continue
            before, now = of_entry(kept["identity"], search.entry), of_entry(identity, search.entry)
            if not _holds_results(storage, study):
                continue
            lacks |= dict.fromkeys(lacking(before, now).values())
            if differs := differences(before, now):
                changed |= differs
                studies.append(_study_name(task, search))
    if changed:
        raise mismatch(task, changed, studies, url, lock)
    if not lacks:
        return None
    return f"{task.name} has trainings from before {listed(list(lacks))} was on record; what it was then is not known"


def _holds_results(storage: BaseStorage, study: int) -> bool:
    """Whether a study has trainings that would be mixed with others; one that failed will be made anew."""
    return storage.get_n_trials(study, (TrialState.COMPLETE, TrialState.PRUNED)) > 0


def _open_study(storage: BaseStorage, task: Task, search: SearchId, identity: Identity) -> int:
    study = optuna.create_study(
        storage=storage,
        study_name=_study_name(task, search),
        direction="minimize" if task.metric.mode == "min" else "maximize",
        load_if_exists=True,
    )
    content = {"task": task.text, "path": str(task.path.resolve()), "identity": identity, "tried": 1}
    before = study.user_attrs.get(ATTRIBUTE, {})
    if any(before.get(name) != value for name, value in content.items()):
        study.set_user_attr(ATTRIBUTE, content | {"written": datetime.now(UTC).isoformat()})
    return storage.get_study_id_from_name(study.study_name)


def _distribution(searched: Searched) -> FloatDistribution:
    low, high = searched.limits
    return FloatDistribution(low, high, log=searched.ladder_name != "beta")
