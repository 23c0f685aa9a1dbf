"""From replicas to candidates: what the seeds of one rung say together."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, count, pairwise, takewhile

from lrsearch.averages import deviation_of, mean_of
from lrsearch.strategies.curves import LEARNED_BY as LEARNED_BY
from lrsearch.trial import Diverged, Failed, Finished, Mode, Stopped, Trial

_TELLING = 6
"""Evaluations that two seeds must have alike: even of an accuracy over 20 examples not one pair in 1,000 has them."""


@dataclass(frozen=True)
class Candidate:
    """One rung and its replicas, by seed."""

    rung: int
    replicas: Mapping[int, Trial]

    def first(self, seeds: int) -> "Candidate":
        """Return the candidate as its first ``seeds`` seeds have it."""
        return Candidate(self.rung, {seed: t for seed, t in self.replicas.items() if seed < seeds})

    def complete(self, seeds: int) -> bool:
        """Whether the first ``seeds`` seeds ran their whole budget, or one of them diverged, which says enough."""
        finished = self.values
        return any(seed < seeds for seed in self.diverged) or all(seed in finished for seed in range(seeds))

    def missing(self, seeds: int) -> tuple[int, ...]:
        """Return the seeds, of the first ``seeds``, that neither run nor have ended on their own."""
        return tuple(
            seed
            for seed in range(seeds)
            if seed not in self.replicas or isinstance(self.replicas[seed].outcome, Stopped)
        )

    @cached_property
    def running(self) -> tuple[Trial, ...]:
        """The replicas that have not ended, by seed."""
        return tuple(trial for _, trial in sorted(self.replicas.items()) if not trial.ended)

    @cached_property
    def values(self) -> dict[int, float]:
        """The end metric of each seed that ran its whole budget."""
        return {
            seed: trial.outcome.value
            for seed, trial in sorted(self.replicas.items())
            if isinstance(trial.outcome, Finished)
        }

    @property
    def first_values(self) -> tuple[float, ...]:
        """The end metrics of the seeds from 0 on, as far as all before them have finished too."""
        values = self.values
        return tuple(values[seed] for seed in takewhile(values.__contains__, count()))

    @cached_property
    def diverged(self) -> dict[int, int]:
        """The iteration at which each diverged seed was noticed."""
        return {
            seed: trial.outcome.iteration
            for seed, trial in sorted(self.replicas.items())
            if isinstance(trial.outcome, Diverged)
        }

    @cached_property
    def failed(self) -> dict[int, str]:
        """The error of each failed seed."""
        return {
            seed: trial.outcome.error
            for seed, trial in sorted(self.replicas.items())
            if isinstance(trial.outcome, Failed)
        }

    @cached_property
    def mean(self) -> float | None:
        """The mean end metric over seeds; None where a seed did not finish: it is never averaged away."""
        values = self.values
        return mean_of([*values.values()]) if values and len(values) == len(self.replicas) else None

    @cached_property
    def error(self) -> float:
        """The standard error of the mean end metric over seeds; 0 of one seed."""
        ends = [*self.values.values()]
        return deviation_of(ends) / math.sqrt(len(ends)) if len(ends) > 1 else 0.0

    @cached_property
    def initial(self) -> float:
        """The mean metric before the first update, over the seeds that were evaluated there."""
        return mean_of([trial.curve[0].value for trial in self.replicas.values() if trial.curve])

    def losses(self, mode: Mode) -> Iterator[list[float]]:
        """Yield the curve of each seed that was evaluated, by seed, with the sign by which lower is better."""
        sign = 1 if mode == "min" else -1
        for _, trial in sorted(self.replicas.items()):
            if trial.curve:
                yield [sign * evaluation.value for evaluation in trial.curve]

    def learned(self, mode: Mode) -> bool:
        """Whether the mean metric ended at least 1 % better than before the first iteration."""
        return self.gained(mode, by=LEARNED_BY)

    def gained(self, mode: Mode, by: float = 0.0) -> bool:
        """Whether the mean metric ended better than before the first iteration, by a fraction of that at least."""
        mean = None if self.diverged else self.mean
        if mean is None:
            return False
        gain = self.initial - mean if mode == "min" else mean - self.initial
        # Where nothing is known of its beginning that is infinite, and so is any gain.
        return gain > 0 and (by == 0 or gain >= by * abs(self.initial))


def all_alike(candidates: Collection[Candidate]) -> bool:
    """Whether two candidates or more gave exactly the same with each seed: evaluations, metrics of them, and ends."""
    contents: dict[int, object] = {}
    return len(candidates) > 1 and all(
        contents.setdefault(seed, content) == content and trial.ended
        for candidate in candidates
        for seed, trial in candidate.replicas.items()
        # The outcome too: of trainings elsewhere no more is known than how they began and ended.
        if (content := (trial.outcome, _content(trial)))
    )


def seeds_alike(candidates: Collection[Candidate], mode: Mode) -> tuple[int, int] | None:
    """Return two seeds that trained exactly alike wherever both ended, so that they are one; None without such.

    It must show on candidates that learned, by evaluations enough that are equal and moved: equal ends (accuracy at
    chance, a loss of exactly 0) prove nothing, nor do a few values of an accuracy over twenty examples.
    """
    equal: dict[tuple[int, int], bool] = {}
    shown: defaultdict[tuple[int, int], int] = defaultdict(int)
    for candidate in candidates:
        own_end = {s: t for s, t in candidate.replicas.items() if isinstance(t.outcome, Finished | Diverged)}
        learned = Candidate(candidate.rung, own_end).learned(mode)
        for (one, own), (other, its) in combinations(sorted(own_end.items()), 2):
            same = own.outcome == its.outcome and _content(own) == _content(its)
            equal[one, other] = equal.get((one, other), True) and same
            shown[one, other] += _moves(own) if same and learned else 0
    return min((pair for pair in shown if equal[pair] and shown[pair] >= _TELLING), default=None)


def _moves(trial: Trial) -> int:
    """How many evaluations differ from the one before, iteration 0 left out: there dead trainings differ too."""
    return sum(before.value != after.value for before, after in pairwise(trial.curve[1:]))


def tells_apart(trial: Trial) -> bool:
    """Whether a curve has values enough that another training would not have the same by chance."""
    return _moves(trial) > 0


def _content(trial: Trial) -> list[tuple[int, float, dict[str, float]]]:
    return [(e.iteration, e.value, dict(e.metrics)) for e in trial.curve]


def candidates_of(trials: Iterable[Trial]) -> dict[int, Candidate]:
    """Group the trials of one search by rung, lowest first."""
    by_rung: defaultdict[int, dict[int, Trial]] = defaultdict(dict)
    for trial in trials:
        by_rung[trial.spec.rung][trial.spec.seed] = trial
    return {rung: Candidate(rung, by_rung[rung]) for rung in sorted(by_rung)}
