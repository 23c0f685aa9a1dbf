"""What stands in a study's trials: which replica each of them is, who runs it, and what came of it."""

import os
import socket
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from lrsearch.optuna.checks import missing
from lrsearch.standalone import StandaloneSearch, outcome_of
from lrsearch.trial import Diverged, Finished, Outcome, Trial

Claim = Mapping[str, Any]
"""``parameter`` and ``ladder``, ``rung`` and ``seed``, and ``by``: who runs it."""
_CLAIM = "lrsearch:replica"
_DIVERGED = "lrsearch:diverged"
_PROCESS = uuid.uuid4().hex
"""Tells this process from an earlier one of the same number."""


def trials_of(study: Study) -> list[FrozenTrial]:
    """Give all trials, straight from the storage: what a pruner hides of a study is trained all the same."""
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def claim_in(trial: FrozenTrial) -> Claim | None:
    """Give the replica that a trial is; None before it suggested anything."""
    found: Claim | None = trial.system_attrs.get(_CLAIM)
    return found


def is_of(search: StandaloneSearch, claim: Claim) -> bool:
    """Whether a replica is one of this search, and not of another one in the same study."""
    return (claim["parameter"], claim["ladder"]) == (search.parameter, search.searched.ladder_name)


def claim(study: Study, search: StandaloneSearch, trial: FrozenTrial, rung: int, seed: int) -> Claim | None:
    """Write down which replica a trial is; take it back and give None if another has claimed it.

    Who writes later sees the other's claim, so never do both keep it.
    """
    claimed: dict[str, Any] = {
        "parameter": search.parameter,
        "ladder": search.searched.ladder_name,
        "rung": rung,
        "seed": seed,
        "by": _me(),
    }
    study._storage.set_trial_system_attr(trial._trial_id, _CLAIM, claimed)
    others = [other for other in trials_of(study) if other.number != trial.number]
    if any((other.spec.rung, other.spec.seed) == (rung, seed) for other in running(search, others).values()):
        study._storage.set_trial_system_attr(trial._trial_id, _CLAIM, None)
        return None
    return claimed


def running(search: StandaloneSearch, trials: Iterable[FrozenTrial]) -> dict[int, Trial]:
    """Give the replicas that run, by their trials' numbers."""
    return {
        trial.number: as_trial(search, trial, claimed, None)
        for trial in trials
        if trial.state == TrialState.RUNNING
        and (claimed := claim_in(trial)) is not None
        and is_of(search, claimed)
    }


def ended(search: StandaloneSearch, trials: Iterable[FrozenTrial]) -> list[Trial]:
    """Give the trials that count, in the order in which they ended."""
    found = []
    for trial in trials:
        claimed, result = claim_in(trial), outcome(trial, trial.state, trial.values)
        if result is None or claimed is None or not is_of(search, claimed):
            continue
        if not missing(search, trial, finished=isinstance(result, Finished)):
            found.append((trial.datetime_complete, trial.number, as_trial(search, trial, claimed, result)))
    return [trial for *_, trial in sorted(found, key=lambda entry: entry[:2])]


def outcome(trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> Outcome | None:
    """Give how a trial ended; None for one that has not, or failed, which says nothing of its value."""
    if state == TrialState.PRUNED or (state == TrialState.FAIL and _DIVERGED in trial.system_attrs):
        return Diverged(_iterations(trial))
    return outcome_of(values[0], _iterations(trial)) if state == TrialState.COMPLETE and values else None


def keep_divergence(study: Study, trial: FrozenTrial) -> None:
    """Write down that a trial diverged, which Optuna is about to record as a failure."""
    study._storage.set_trial_system_attr(trial._trial_id, _DIVERGED, True)


def as_trial(search: StandaloneSearch, trial: FrozenTrial, claimed: Claim, result: Outcome | None) -> Trial:
    """Give the trial as the search sees it."""
    return search.trial(
        name=str(trial.number),
        rung=claimed["rung"],
        seed=claimed["seed"],
        outcome=result,
        reported=trial.intermediate_values.get(0),
        iterations=_iterations(trial),
    )


def all_of_this_thread(trials: Iterable[FrozenTrial], numbers: Iterable[int]) -> bool:
    """Whether it is this thread that would have to end all of these trials."""
    by = {trial.number: claimed["by"] for trial in trials if (claimed := claim_in(trial)) is not None}
    return all(by[number] == _me() for number in numbers)


def fail_the_dead(study: Study) -> None:
    """Close the trials of processes that have died: nobody else would, and their replicas would be waited for."""
    for trial in trials_of(study):
        claimed = claim_in(trial)
        if trial.state == TrialState.RUNNING and claimed is not None and _is_dead(claimed["by"]):
            with suppress(RuntimeError):  # another process closed it first
                study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def _iterations(trial: FrozenTrial) -> int:
    return trial.last_step or 0


def _me() -> dict[str, Any]:
    thread = threading.get_ident()
    return {"host": socket.gethostname(), "pid": os.getpid(), "process": _PROCESS, "thread": thread}


def _is_dead(by: Mapping[str, Any]) -> bool:
    if by["host"] != socket.gethostname() or os.name != "posix":
        return False
    if by["pid"] == os.getpid():
        return bool(by["process"] != _PROCESS)
    try:
        os.kill(by["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's process
        return False
    return False
