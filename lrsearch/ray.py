"""The bracket as a search algorithm of Ray Tune, for trainables of one's own."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import Any, Unpack

from ray.tune.search import Searcher
from ray.tune.search.variant_generator import parse_spec_vars

from lrsearch.errors import LRSearchError, TrainingError, UnfinishedError, UsageError
from lrsearch.standalone import MAX_FAILURES, Settings, StandaloneSearch, outcome_of
from lrsearch.strategies import Done, Launch
from lrsearch.task.model import Mode
from lrsearch.trial import Diverged, Finished, Outcome, Trial
from lrsearch.verdict import Verdict

__all__ = ["BracketSearch"]


@dataclass(frozen=True, slots=True)
class _Replica:
    """What is known of one of Tune's trials."""

    name: str
    rung: int
    seed: int
    outcome: Outcome | None = None
    reported: float | None = None
    """Its metric when it first reported."""
    iterations: int = 0


class BracketSearch(Searcher):
    """Visits the rungs that ``lrsearch run`` would, a Tune trial a candidate and seed, and finishes at the verdict.

    A trial's config holds its learning rate and its seed, beside what ``param_space`` fixes::

        search = BracketSearch(start=0.01, metric="loss", mode="min")
        tuner = tune.Tuner(train, tune_config=tune.TuneConfig(search_alg=search, num_samples=-1))
        tuner.fit()
        search.choice()

    The metric is that of a trial's last report. One that is NaN or infinite has diverged. A trial that fails is trained
    again; when one replica has failed three times, ``fit`` ends with a ``TrainingError``. Schedulers that end trials
    early are not for use with this: Tune does not tell such a trial from one that ran to its end.

    Its state is the history of its trials and is saved as JSON: nothing is unpickled here.

    Args:
        start: where the search begins, a value of the ladder (..., 0.01, 0.03, 0.1, ...).
        metric: what is compared, a key of what trials report.
        mode: ``min`` or ``max``.
        settings: see ``lrsearch.standalone.Settings``. With ``initial="reported"`` each trial reports its metric once
            before its first update.

    Raises:
        UsageError: a setting cannot be used.
    """

    CKPT_FILE_TMPL = "searcher-state-{}.json"

    def __init__(self, start: float, metric: str, mode: Mode = "min", **settings: Unpack[Settings]) -> None:
        self._search = StandaloneSearch(start, mode, **settings)
        super().__init__(metric=metric, mode=mode)
        self._ended: list[_Replica] = []
        self._running: dict[str, _Replica] = {}
        self._failures: Counter[tuple[int, int]] = Counter()
        self._problem: LRSearchError | None = None

    def verdict(self) -> Verdict:
        """Give the conclusion with its evidence.

        Raises:
            UnfinishedError: there is none yet.
        """
        verdict = self._search.verdict(self._trials(self._ended))
        if verdict is None:
            raise UnfinishedError(
                f"the search of {self._search.parameter} has not ended after {len(self._ended)} trials; "
                "restore it in a Tuner of the same settings and fit again"
            )
        return verdict

    def choice(self) -> float | None:
        """Give the value that was chosen; None where no candidate learned.

        Raises:
            UnfinishedError: there is no verdict yet.
        """
        return self.verdict().chosen

    # What Tune calls; it does so by keyword, so names matter.

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Take the fixed part of the config.

        Raises:
            UsageError: it searches something too, or wants another metric.
        """
        for mine, given, name in ((self.metric, metric, "metric"), (self.mode, mode, "mode")):
            if given is not None and given != mine:
                raise UsageError(
                    f"{name} is {mine} in BracketSearch and {given} in TuneConfig; give it once, or the same"
                )
        _, domains, grids = parse_spec_vars(config)
        if searched := [*domains, *grids]:
            name = ".".join(map(str, searched[0][0]))
            raise UsageError(
                f"{name} is searched in param_space too, and trials that differ in more than "
                f"{self._search.parameter} cannot be compared; fix {name}, or give each of its values a Tuner"
            )
        if taken := config.keys() & {self._search.parameter, self._search.seed_parameter}:
            raise UsageError(f"{min(taken)} is in param_space, and the search gives it; leave it out there")
        return True

    def suggest(self, trial_id: str) -> Any:
        """Give the next trial's config; None where nothing can be trained before another trial has ended.

        Raises:
            UsageError: trials do not report what they have to.
            TrainingError: a replica failed again and again.
        """
        if self._problem is not None:
            raise self._problem
        decision = self._search.decide(self._trials([*self._ended, *self._running.values()]))
        if isinstance(decision, Done):
            return Searcher.FINISHED
        if not isinstance(decision, Launch):
            return None
        rung, seed = decision.replicas[0]
        self._running[trial_id] = _Replica(trial_id, rung, seed)
        return {self._search.parameter: self._search.value(rung), self._search.seed_parameter: seed}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take note of a trial's first report."""
        replica = self._running.get(trial_id)
        if replica is not None and replica.reported is None and self.metric in result:
            self._running[trial_id] = replace(replica, reported=float(result[self.metric]))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take note of what came of a trial."""
        replica = self._running.pop(trial_id, None)
        if replica is None:
            return
        if error:
            self._count_failure(replica)
        elif result is not None and result.get("done"):  # without, it was ended half-trained, as by Ctrl-C
            self._problem = self._problem or self._problem_of(replica, result)
            if self._problem is None:
                iterations = int(result["training_iteration"])
                outcome = outcome_of(float(result[self.metric]), iterations)
                self._ended.append(replace(replica, outcome=outcome, iterations=iterations))

    def save(self, checkpoint_path: str) -> None:
        """Write the history of all trials to a file."""
        trials = [_to_json(replica) for replica in (*self._ended, *self._running.values())]
        Path(checkpoint_path).write_text(json.dumps({"search": self._identity(), "trials": trials}))

    def restore(self, checkpoint_path: str) -> None:
        """Go on from a saved history, in a Tuner of its own: what ran then is trained anew.

        Raises:
            UsageError: the file is none, or that of another search.
        """
        self._load(Path(checkpoint_path))
        self._running.clear()

    def restore_from_dir(self, checkpoint_dir: str) -> None:
        """Go on from the newest history in a folder, as ``Tuner.restore`` does, which goes on with what ran then.

        Raises:
            UsageError: there is none, or it is that of another search.
        """
        files = glob(str(Path(checkpoint_dir) / self.CKPT_FILE_TMPL.format("*")))
        if not files:
            raise UsageError(f"{checkpoint_dir} holds no {self.CKPT_FILE_TMPL.format('*')}; check the path")
        self._load(Path(max(files)))

    def _trials(self, replicas: list[_Replica]) -> list[Trial]:
        return [
            self._search.trial(r.name, r.rung, r.seed, r.outcome, r.reported, r.iterations) for r in replicas
        ]

    def _count_failure(self, replica: _Replica) -> None:
        self._failures[replica.rung, replica.seed] += 1
        if self._failures[replica.rung, replica.seed] >= MAX_FAILURES:
            value = self._search.value(replica.rung)
            self._problem = TrainingError(
                f"{self._search.parameter} {value:g} with seed {replica.seed} failed {MAX_FAILURES} times; "
                "mend what it raised, restore the search and fit again"
            )

    def _problem_of(self, replica: _Replica, result: dict[str, Any]) -> UsageError | None:
        if self.metric not in result:
            return UsageError(f"trial {replica.name} never reported {self.metric}; report it, or give metric")
        if self._search.wants_report and (replica.reported is None or result["training_iteration"] < 2):
            return UsageError(
                f"trial {replica.name} reported once; report before the first update too, or give initial a number"
            )
        return None

    def _identity(self) -> dict[str, str]:
        ladder = self._search.searched.ladder_name
        return {
            "parameter": self._search.parameter,
            "ladder": ladder,
            "metric": self.metric,
            "mode": self.mode,
        }

    def _load(self, path: Path) -> None:
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            of, replicas = dict(saved["search"]), [_from_json(record) for record in saved["trials"]]
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}); check the path") from None
        except (ValueError, TypeError, KeyError):
            raise UsageError(
                f"{path} is no saved search; give a file that BracketSearch.save wrote"
            ) from None
        for name, mine in self._identity().items():
            if of.get(name) != mine:
                raise UsageError(
                    f"{path} is of a search whose {name} is {of.get(name)}, here it is {mine}; give it the same"
                )
        self._ended = [replica for replica in replicas if replica.outcome is not None]
        self._running = {replica.name: replica for replica in replicas if replica.outcome is None}


def _to_json(replica: _Replica) -> dict[str, Any]:
    match replica.outcome:
        case Finished(value=value):
            outcome: dict[str, Any] | None = {"finished": value}
        case Diverged(iteration=iteration):
            outcome = {"diverged": iteration}
        case _:
            outcome = None
    return {
        "trial": replica.name,
        "rung": replica.rung,
        "seed": replica.seed,
        "reported": replica.reported,
        "iterations": replica.iterations,
        "outcome": outcome,
    }


def _from_json(record: dict[str, Any]) -> _Replica:
    match record["outcome"]:
        case None:
            outcome: Outcome | None = None
        case {"finished": float(value) | int(value)}:
            outcome = Finished(float(value))
        case {"diverged": int(iteration)}:
            outcome = Diverged(iteration)
        case _:
            raise ValueError("no outcome")
    rung, seed, reported = int(record["rung"]), int(record["seed"]), record["reported"]
    first = None if reported is None else float(reported)
    return _Replica(str(record["trial"]), rung, seed, outcome, first, int(record["iterations"]))
