"""A heuristic that ends trainings early: a candidate that lags behind another, and will in the end, is out.

All comparisons are of two candidates over paired seeds at common iterations, so that they compare like with like:
the same initial weights, the same batches, the same sample in the evaluations.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from lrsearch.averages import mean_of
from lrsearch.strategies.bracket import Bracket, missing_seeds
from lrsearch.strategies.candidates import Candidate
from lrsearch.strategies.decision import Cause, Decision, Done, Launch, NoneLearned, Skip, Stop, Wait
from lrsearch.strategies.forecast import least_lag
from lrsearch.strategies.standing import Standing
from lrsearch.trial import Trial

SMALLEST = 0.02
"""The least lag that counts at all: smaller ones are not worth a wrong choice."""


@dataclass(frozen=True)
class Race:
    """The bracket, walked with one seed where that suffices; candidates that fall behind are ended.

    A candidate's lag is the mean over paired seeds of the logarithm of its metric over another's. It is out when even
    the least lag that its curve leaves room for (``forecast.py``) is more than 2 %. A lower rate gains late: it is not
    out while it catches up. Whether a candidate is out is worked out anew from the curves each time: where a leader
    rose again or diverged, what was ended for it is trained again. The bracket walks over what the first seeds
    say; then the best candidate and those beside it that are not out are trained with all seeds. It ends as the
    bracket does, with candidates that are out counted as worse.

    Metrics that are not above 0 are not compared, so nothing is ended by them.

    Args:
        bracket: rungs, limits and seeds; its mode is ``min``.
        iterations: of a whole training.
    """

    bracket: Bracket
    iterations: int

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials of the search, running ones with their curves so far."""
        return _Field(self, self.bracket.within_limits(trials)).decision()

    def decided(self, trials: Sequence[Trial]) -> dict[int, Standing]:
        """Return how the candidates stand that are decided."""
        return _Field(self, self.bracket.within_limits(trials)).decided

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Return what was not trained of the candidates that the search has begun, lowest rung first."""
        field = _Field(self, self.bracket.within_limits(trials))
        reasons = field.out
        if isinstance(field.decision(), Done):
            idle = "the walk went on from another rung before they were needed"
            reasons = {rung: reasons.get(rung, idle) for rung in field.candidates}
        skips = [
            Skip(rung, missing, reason)
            for rung, reason in sorted(reasons.items())
            if (missing := field.candidates[rung].missing(self.bracket.seeds))
        ]
        return tuple(skips)


class _Field:
    """Where a race stands: worked out once for one history."""

    def __init__(self, race: Race, candidates: Mapping[int, Candidate]) -> None:
        self.race = race
        self.bracket = race.bracket
        self.seeds = race.bracket.seeds
        self.candidates = candidates
        self._known_logarithms: dict[tuple[int, int], dict[int, float]] = {}

    @cached_property
    def out(self) -> dict[int, str]:
        """The candidates that can no longer be chosen, with the reason."""
        reasons = self.bracket.settled(self.candidates)
        for rung, candidate in self.candidates.items():
            if rung not in reasons and candidate.complete(self.seeds) and not candidate.learned("min"):
                reasons[rung] = "it did not learn"
        # One that is out itself may show another to be: behind the second is behind the first. One that did not
        # learn may not, however well it began.
        dead = frozenset(reasons)
        for rung, candidate in self.candidates.items():
            if rung in dead:
                continue
            for rival in self.candidates.values():
                if (
                    rival.rung not in dead
                    and rival.rung != rung
                    and (reason := self._behind(candidate, rival))
                ):
                    reasons[rung] = reason
                    break
        return reasons

    def decision(self) -> Decision:
        stops = tuple(
            (trial.id, reason) for rung, reason in self.out.items() for trial in self.candidates[rung].running
        )
        if stops:
            return Stop(stops)
        ending, best = self.bracket.next_step(self.decided), self._best_so_far()
        if not isinstance(ending, tuple) and (isinstance(ending, NoneLearned) or ending.rung == best):
            return Done(ending)
        if not self._alive():
            match self.bracket.examine(self.candidates, self._so_far):
                case Cause() as cause:
                    return Done(NoneLearned(cause))
                case int() as probe:
                    return Launch(((probe, 0),)) if 0 in missing_seeds(self.candidates, probe, 1) else Wait()
        wanted = self._wanted()
        return Launch(wanted) if wanted else Wait()

    @cached_property
    def decided(self) -> dict[int, Standing]:
        """What the bracket may end with: all seeds, or out, or a first guess that the walk has left behind."""
        decided = {
            rung: self._standing_of(candidate)
            for rung, candidate in self.candidates.items()
            if rung in self.out or candidate.complete(self.seeds)
        }
        best = self._best_so_far()
        if best is None:
            return decided
        left = {
            rung: self.bracket.standing_behind(self.candidates[rung])
            for rung in self.bracket.first_guesses({})
            if rung not in (best, *self.bracket.beside(best))
            and rung in self.candidates
            and self.candidates[rung].values
            and not self.candidates[rung].running
        }
        return left | decided

    def _standing_of(self, candidate: Candidate) -> Standing:
        if not candidate.complete(self.seeds):
            return self.bracket.standing_behind(candidate)
        standing = self.bracket.standing_of(candidate)
        # A race goes by what leads, be it by chance.
        return standing.left_behind() if candidate.rung in self.out else replace(standing, sure=True)

    @property
    def _so_far(self) -> dict[int, Standing]:
        """How the candidates stand by what there is of them, while none has learned."""
        return {
            rung: self.bracket.standing_behind(candidate)
            if candidate.diverged or (rung in self.out and not candidate.complete(self.seeds))
            else self.bracket.standing_of(Candidate(rung, _finished(candidate)))
            for rung, candidate in self.candidates.items()
            if rung in self.out or candidate.values
        }

    def _wanted(self) -> tuple[tuple[int, int], ...]:
        """First one seed of every rung that the walk comes to, then all seeds of the best and those beside it."""
        bracket = self.bracket
        begun = {rung for rung, c in self.candidates.items() if rung in self.out or c.values or c.running}
        if guesses := [rung for rung in bracket.first_guesses(self._so_far) if rung not in begun]:
            return tuple((rung, 0) for rung in guesses)
        best = self._best_so_far()
        if best is None:
            if any(candidate.running for candidate in self.candidates.values()):
                return ()  # the first seeds are on their way
            alive = self._alive()
            step = bracket.next_step({rung: s.left_behind() for rung, s in self._so_far.items()})
            if isinstance(step, tuple) and not alive:
                return ((step[0], 0),)
            # There is nowhere else to go, or what learned has no seed in common yet: all seeds will tell.
            return self._missing_of(alive or begun - self.out.keys())
        beside = [*bracket.beside(best)]
        step = bracket.next_step(self.decided)
        if isinstance(step, tuple) and bracket.best_of(self.decided) == best:
            beside += [rung for rung in step if rung not in beside]  # further below, past what is too bold
        first = [(rung, 0) for rung in beside if rung not in begun]
        contenders = [best, *(rung for rung in beside if rung not in self.out)]
        return (*first, *(replica for replica in self._missing_of(contenders) if replica not in first))

    def _missing_of(self, rungs: Iterable[int]) -> tuple[tuple[int, int], ...]:
        """What is yet to be trained of some rungs, seed by seed."""
        rungs = list(rungs)
        return tuple(
            (rung, seed)
            for seed in range(self.seeds)
            for rung in rungs
            if seed in missing_seeds(self.candidates, rung, self.seeds)
        )

    def _alive(self) -> dict[int, Candidate]:
        """The candidates that are not out and have learned, by the seeds that have finished."""
        return {
            rung: c
            for rung, c in self.candidates.items()
            if rung not in self.out and Candidate(rung, _finished(c)).learned("min")
        }

    def _best_so_far(self) -> int | None:
        """The best rung by what has finished: of complete ones, or of one that beats them on the seeds it has."""
        alive = self._alive()
        complete = {
            rung: c.mean for rung, c in alive.items() if c.complete(self.seeds) and c.mean is not None
        }
        leader = self.bracket.lowest_mean(complete)
        if leader is None:
            shared = set.intersection(*(set(c.values) for c in alive.values())) if alive else set()
            return self.bracket.lowest_mean(
                {rung: mean_of([c.values[seed] for seed in shared]) for rung, c in alive.items()}
                if shared
                else {}
            )
        # Of two complete ones the means have decided, equal ones included.
        ahead = {rung: _difference(c, alive[leader]) for rung, c in alive.items() if rung not in complete}
        ahead = {rung: by for rung, by in ahead.items() if by < 0}
        return min(ahead, key=lambda rung: (ahead[rung], rung)) if ahead else leader

    def _behind(self, candidate: Candidate, rival: Candidate) -> str | None:
        """Why a candidate is out for a rival, if it is: over their first seeds, of one or more."""
        gains_late = candidate.rung < rival.rung or not self.bracket.bold
        sums: dict[int, float] = {}
        for seed in range(self.seeds):
            own, other = self._logarithms(candidate, seed), self._logarithms(rival, seed)
            common = own.keys() & other.keys()
            common = common & sums.keys() if seed else common
            if not common:
                return None
            sums = {at: sums.get(at, 0.0) + own[at] - other[at] for at in sorted(common)}
            lags = [total / (seed + 1) for total in sums.values()]
            if lags[-1] <= SMALLEST:
                continue
            lag = least_lag([*sums], lags, self.race.iterations, gains_late)
            if lag > SMALLEST:
                return (
                    f"at least {math.expm1(lag):.0%} behind rung {{{rival.rung}}} in the end, as seen at iteration "
                    f"{next(reversed(sums))} over {seed + 1} paired seed{'s' * (seed > 0)}"
                )
        return None

    def _logarithms(self, candidate: Candidate, seed: int) -> dict[int, float]:
        """The logarithm of a replica's metric by iteration, after iteration 0; empty where it has none."""
        key = candidate.rung, seed
        if key not in self._known_logarithms:
            curve = candidate.replicas[seed].curve[1:] if seed in candidate.replicas else ()
            values = [evaluation.value for evaluation in curve]
            if self.bracket.take == "best":
                values = [*accumulate(values, min)]
            self._known_logarithms[key] = (
                {e.iteration: math.log(value) for e, value in zip(curve, values, strict=True)}
                if all(value > 0 for value in values)
                else {}
            )
        return self._known_logarithms[key]


def _finished(candidate: Candidate) -> dict[int, Trial]:
    return {seed: candidate.replicas[seed] for seed in candidate.values}


def _difference(one: Candidate, other: Candidate) -> float:
    """The mean difference of two candidates over the seeds that both have finished; 0 without any."""
    own, others = one.values, other.values
    shared = own.keys() & others.keys()
    return mean_of([own[seed] - others[seed] for seed in shared]) if shared else 0.0
