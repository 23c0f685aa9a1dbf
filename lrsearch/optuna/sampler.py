"""The sampler: which replica a trial is to be, and when the study ends."""

import inspect
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import SystemRandom
from typing import Any, Unpack

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from lrsearch.errors import TrainingError, UnfinishedError, UsageError
from lrsearch.optuna import record
from lrsearch.optuna.checks import check_complete, check_suggestion
from lrsearch.optuna.record import Claim
from lrsearch.standalone import MAX_FAILURES, Settings, StandaloneSearch
from lrsearch.strategies import Done, Launch
from lrsearch.task.model import Mode
from lrsearch.verdict import Verdict

_POLL_SECONDS = 0.2
_CLAIMING = threading.Lock()
"""Not of a sampler, as samplers are pickled. Between processes ``record.claim`` sees to it."""
_PAUSES = SystemRandom()
"""Processes that seed all generators alike would otherwise pause alike."""


class BracketSampler(BaseSampler):
    """Visits the rungs that ``lrsearch run`` would, a trial a candidate and seed, and stops the study at the verdict.

    The objective suggests the learning rate and, where there is more than one, its seed. What it returns is the metric
    after training, low or high as the study's direction says::

        def objective(trial):
            lr = trial.suggest_float("lr", 1e-8, 1e3, log=True)
            seed = trial.suggest_int("seed", 0, 99)
            return train(lr, seed)


        sampler = BracketSampler(start=0.01)
        study = optuna.create_study(sampler=sampler)
        study.optimize(objective)
        sampler.choice(study)

    A trial whose value is NaN or infinite, or that is pruned, has diverged. One that fails is trained again; when one
    replica has failed three times, ``TrainingError`` is raised. Nothing else may be suggested but parameters with a
    single value: trials of different candidates have to differ by the candidate alone. Trials that were enqueued with
    values of their own, or made by another sampler, do not count.

    All that the search knows are the study's trials, so another sampler with the same settings goes on from them. With
    several threads or processes on one storage no replica is trained twice at a time; one with nothing to do waits
    inside ``suggest_float`` until a trial ends. A trial that a process of this machine left running when it died is
    marked as failed; those of other machines are where the storage has a heartbeat.

    Args:
        start: where the search begins, a value of the ladder (..., 0.01, 0.03, 0.1, ...).
        settings: see ``lrsearch.standalone.Settings``. With ``initial="reported"`` the metric before training is
            what ``trial.report(value, 0)`` gave: step 0 has to lie before the first update then.

    Raises:
        UsageError: a setting cannot be used; also inside ``optimize``, where the objective cannot be searched.
    """

    def __init__(self, start: float, **settings: Unpack[Settings]) -> None:
        self._start, self._settings = start, settings
        self._searches: dict[Mode, StandaloneSearch] = {"min": StandaloneSearch(start, **settings)}
        self._failures: Counter[tuple[int, int]] = Counter()

    def verdict(self, study: Study) -> Verdict:
        """Give the conclusion with its evidence.

        Raises:
            UnfinishedError: there is none yet.
        """
        search = self._search(study)
        ended = record.ended(search, record.trials_of(study))
        verdict = search.verdict(ended)
        if verdict is None:
            raise UnfinishedError(
                f"the search of {search.parameter} in {study.study_name} has not ended after {len(ended)} trials; "
                "go on with study.optimize"
            )
        return verdict

    def choice(self, study: Study) -> float | None:
        """Give the value that was chosen; None where no candidate learned.

        Raises:
            UnfinishedError: there is no verdict yet.
        """
        return self.verdict(study).chosen

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: values are found when they are suggested."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing: values are found when they are suggested."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> float | int:
        """Give the trial's value or seed; waits where nothing can be trained before another trial has ended.

        Raises:
            UsageError: this cannot be suggested, or not within this range.
            optuna.TrialPruned: the search has ended.
        """
        search = self._search(study)
        check_suggestion(search, trial, param_name, param_distribution)
        claim = record.claim_in(trial) or self._claim(study, search, trial)
        value = claim["seed"] if param_name == search.seed_parameter else search.value(claim["rung"])
        return int(value) if isinstance(param_distribution, IntDistribution) else float(value)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Take note of what came of a trial, and stop the study when the search has ended.

        Raises:
            UsageError: the objective did not suggest or report what it has to.
            TrainingError: a replica failed again and again.
        """
        search = self._search(study)
        if state == TrialState.COMPLETE:
            check_complete(search, trial)
        claim = record.claim_in(trial)
        if claim is None or not record.is_of(search, claim):
            return
        if state == TrialState.FAIL:
            if not _returned_nan():
                self._count_failure(search, claim)
                return
            record.keep_divergence(study, trial)
            state = TrialState.PRUNED
        others = [other for other in record.trials_of(study) if other.number != trial.number]
        last = record.as_trial(search, trial, claim, record.outcome(trial, state, values))
        if search.verdict([*record.ended(search, others), last]) is not None:
            _stop(study)

    def _search(self, study: Study) -> StandaloneSearch:
        if len(study.directions) != 1:
            raise UsageError(
                "the study has several objectives, and a search compares one; give one direction"
            )
        mode: Mode = "max" if study.direction == StudyDirection.MAXIMIZE else "min"
        if mode not in self._searches:
            self._searches[mode] = StandaloneSearch(self._start, mode, **self._settings)
        return self._searches[mode]

    def _claim(self, study: Study, search: StandaloneSearch, trial: FrozenTrial) -> Claim:
        """Find the replica that the trial is to be, and write it down."""
        while True:
            with _CLAIMING:
                record.fail_the_dead(study)
                trials = [other for other in record.trials_of(study) if other.number != trial.number]
                running = record.running(search, trials)
                decision = search.decide([*record.ended(search, trials), *running.values()])
                if isinstance(decision, Done):
                    _stop(study)
                    raise optuna.TrialPruned(f"the search of {search.parameter} has ended: nothing to train")
                if isinstance(decision, Launch):
                    if claim := record.claim(study, search, trial, *decision.replicas[0]):
                        return claim
                elif record.all_of_this_thread(trials, running):
                    numbers = ", ".join(map(str, running))
                    raise UsageError(
                        f"nothing can be trained before trial {numbers} has ended; "
                        "tell how it ended with study.tell, then ask again"
                    )
            time.sleep(_POLL_SECONDS * _PAUSES.uniform(0.5, 1.5))

    def _count_failure(self, search: StandaloneSearch, claim: Claim) -> None:
        replica = claim["rung"], claim["seed"]
        with _CLAIMING:
            self._failures[replica] += 1
            if self._failures[replica] < MAX_FAILURES:
                return
            del self._failures[replica]
        raise TrainingError(
            f"{search.parameter} {search.value(claim['rung']):g} with seed {claim['seed']} failed {MAX_FAILURES} "
            "times; mend what it raised and go on with study.optimize"
        )


def _stop(study: Study) -> None:
    with suppress(RuntimeError):  # outside of optimize there is nothing to stop
        study.stop()


def _returned_nan() -> bool:
    """Whether the trial that is being told returned NaN.

    Optuna fails such a trial before it calls its sampler, and does not say why; the value stands in its own frame.
    Where it does not, the trial counts as failed.
    """
    frame = inspect.currentframe()
    while frame is not None and "value_or_values" not in frame.f_locals:
        frame = frame.f_back
    value = None if frame is None else frame.f_locals["value_or_values"]
    with suppress(TypeError, ValueError):
        return math.isnan(value[0] if isinstance(value, Sequence) else value)  # type: ignore[arg-type]
    return False
