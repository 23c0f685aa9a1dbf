"""One search for other tools, without a task file: from the history of their trials to a decision and a verdict.

Pure: what has been trained comes in as trials, and what to train next goes out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack

from lrsearch.errors import UsageError
from lrsearch.ladder import LadderName
from lrsearch.searches import SearchState, below_bound, survey
from lrsearch.strategies import Decision, Launch, Wait
from lrsearch.task.model import Mode, Prefer, Searched
from lrsearch.task.single import task_of_one_search
from lrsearch.trial import Diverged, Evaluation, Finished, Outcome, Trial, TrialSpec
from lrsearch.verdict import Verdict

MAX_FAILURES = 3
"""How often a replica may fail before the search gives up."""
REPORTED = "reported"


class Settings(TypedDict, total=False):
    """What a search may be told beside its start; unless given, as in the task file, whose reference explains most.

    Attributes:
        parameter: the name of what is searched; ``lr`` unless given.
        seed_parameter: the name under which a trial learns its seed; ``seed`` unless given.
        ladder: the values that are visited, ``lr``, ``c`` or ``beta``; ``lr`` unless given.
        limits: the lowest and the highest value that may be visited.
        seeds: trainings of each candidate, or ``{"screen": N, "confirm": M}``.
        lower_bound: a value that the metric is never below.
        tolerance: a choice is resolved when it loses at most this fraction to the best candidate.
        prefer: which of the candidates that may be the best is chosen: ``lowest``, ``largest`` or ``smallest``.
        resolve: whether seeds are added until the choice is resolved.
        max_seeds: how many at most, then.
        initial: the metric before training, or ``"reported"`` where each trial reports it. A candidate counts as
            learned only if its mean ends at least 1 % better. Unless given, every one whose results are finite does,
            so that a network killed by a large rate can look like the upper side of the valley.
    """

    parameter: str
    seed_parameter: str
    ladder: LadderName
    limits: tuple[float, float]
    seeds: int | Mapping[str, int]
    lower_bound: float | None
    tolerance: float
    prefer: Prefer
    resolve: bool
    max_seeds: int
    initial: float | Literal["reported"] | None


class StandaloneSearch:
    """One search: the strategy and the verdict of a task, over trials that somebody else runs and keeps.

    Args:
        start: where the search begins, a value of the ladder.
        mode: whether the metric is to be low or high.
        settings: what else there is to say.

    Raises:
        UsageError: a setting is none that a task could have.
    """

    def __init__(self, start: float, mode: Mode = "min", **settings: Unpack[Settings]) -> None:
        self.parameter = settings.get("parameter", "lr")
        self.seed_parameter = settings.get("seed_parameter", "seed")
        if self.parameter == self.seed_parameter:
            raise UsageError(f"parameter and seed_parameter are both {self.parameter}; give two names")
        if unknown := settings.keys() - Settings.__annotations__.keys():
            raise UsageError(
                f"{min(unknown)} is no setting of a search; give one of {', '.join(sorted(Settings.__annotations__))}"
            )
        initial = settings.get("initial")
        if not (initial is None or initial == REPORTED or _is_finite(initial)):
            raise UsageError(f"initial is {initial!r}; give a finite number, 'reported' or None")
        self._initial = initial
        self._task = task_of_one_search(self.parameter, start, mode, dict(settings))
        (self._search,) = self._task.searches()

    @property
    def searched(self) -> Searched:
        """Its ladder, start and limits."""
        return self._task.searches()[self._search]

    @property
    def most_seeds(self) -> int:
        """How many seeds a candidate has at most: seeds are 0 to this, exclusive."""
        return self._task.most_seeds

    @property
    def wants_report(self) -> bool:
        """Whether each trial has to report its metric before it trains."""
        return self._initial == REPORTED

    def value(self, rung: int) -> float:
        """Give the value of a rung."""
        return self.searched.ladder.value(rung)

    def trial(
        self,
        name: str,
        rung: int,
        seed: int,
        outcome: Outcome | None = None,
        reported: float | None = None,
        iterations: int = 0,
    ) -> Trial:
        """Make the trial that stands for another tool's.

        Args:
            name: what the other tool calls it.
            rung: of the ladder.
            seed: from 0.
            outcome: how it ended; None while it runs.
            reported: its metric before training, where it was reported.
            iterations: how far it trained, as it counts them.
        """
        initial = reported if self.wants_report else self._initial
        if initial is None:  # any finite result is better
            initial = math.inf if self._task.metric.mode == "min" else -math.inf
        assert isinstance(initial, float | int)
        curve = [Evaluation(0, float(initial))]
        if isinstance(outcome, Finished) and iterations > 0:
            curve.append(Evaluation(iterations, outcome.value))
        spec = TrialSpec(self._search, rung, seed, {self.parameter: self.value(rung)})
        return Trial(name, spec, tuple(curve), outcome)

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide what to train next: ``Launch``, ``Wait`` or ``Done``.

        What the strategy would end runs on where nobody can end it, and is not waited for.

        Args:
            trials: those that have ended and those that run.
        """
        decision = self._state(trials).decision
        assert decision is not None
        if isinstance(decision, Launch):
            running = {(trial.spec.rung, trial.spec.seed) for trial in trials if not trial.ended}
            replicas = tuple(replica for replica in decision.replicas if replica not in running)
            return Launch(replicas) if replicas else Wait()
        return decision

    def verdict(self, ended: Sequence[Trial]) -> Verdict | None:
        """Give the conclusion; None while there is none.

        Args:
            ended: the trials that have ended.
        """
        return self._state(ended).verdict

    def _state(self, trials: Sequence[Trial]) -> SearchState:
        if (found := below_bound(self._task, trials)) is not None:
            trial, low = found
            raise UsageError(
                f"{self.parameter} at {self.value(trial.spec.rung):g}, seed {trial.spec.seed}: the metric is "
                f"{low:.4g}, below lower_bound, {self._task.metric.lower_bound:g}; give a bound that holds or leave "
                "it out"
            )
        return survey(self._task, trials)[self._search]


def outcome_of(value: float, iterations: int) -> Outcome:
    """Give the outcome of a training that ended with a value of the metric, which may be NaN or infinite."""
    return Finished(value) if math.isfinite(value) else Diverged(iterations)


def _is_finite(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)
