"""The paper's x3 search (arXiv:1912.11493, section 3 and appendix E) on integer rungs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Literal

from lrsearch.strategies.candidates import Candidate, candidates_of
from lrsearch.strategies.decision import (
    AtLimit,
    Bracketed,
    Decision,
    Done,
    Ending,
    Launch,
    NoneLearned,
    Skip,
    Stop,
    Wait,
)
from lrsearch.trial import Trial

_ROUNDING = 1e-12
"""By how much, relatively, a sum must be larger to count as larger: means are rounded, and equal ones tie."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """Two first guesses, then outward from the best until both its neighbours have ended and are worse.

    The first guesses are ``start`` and the rung above. While no candidate has learned, the search steps outward
    from them, alternately, lower side first, to the limits ``lowest`` and ``highest``. ``closed_below`` is a rung
    under which there is nothing by definition: the missing neighbour then counts as worse.
    A candidate that did not learn counts as worse than any that did. Equal means go to the lower rung.

    What cannot change the choice is not trained: the other seeds of a candidate of which one diverged, and, where
    no value of the metric is below ``lower_bound``, those of a candidate whose finished seeds alone already make
    its mean worse than that of the best complete one.
    """

    start: int
    lowest: int
    highest: int
    seeds: int
    mode: Literal["min", "max"] = "min"
    closed_below: int | None = None
    lower_bound: float | None = None

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials of the search; a failed replica leaves its candidate undecided."""
        candidates = self.within_limits(trials)
        known = self.known(candidates)
        if stop := self.stop_of_settled(candidates):
            return stop
        step = self.next_step(known)
        if not isinstance(step, tuple):
            return Done(step)
        wanted = [(rung, seed) for rung in step for seed in missing_seeds(candidates, rung, self.seeds)]
        return Launch(tuple(wanted)) if wanted else Wait()

    def decided(self, trials: Sequence[Trial]) -> dict[int, float | None]:
        """Give the mean metric of the candidates that are decided; None for one that can no longer be chosen."""
        return self.known(self.within_limits(trials))

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Say what was not trained of the candidates that the search has begun, lowest rung first."""
        candidates = self.within_limits(trials)
        return tuple(
            Skip(rung, candidates[rung].missing(self.seeds), reason)
            for rung, reason in self.settled(candidates).items()
            if candidates[rung].missing(self.seeds)
        )

    def within_limits(self, trials: Sequence[Trial]) -> dict[int, Candidate]:
        """Group trials by rung, as far as seeds and limits go: these may have been narrowed since."""
        return {
            rung: candidate.first(self.seeds)
            for rung, candidate in candidates_of(trials).items()
            if self.lowest <= rung <= self.highest
        }

    def known(self, candidates: Mapping[int, Candidate]) -> dict[int, float | None]:
        """Give the mean metric of each candidate that is decided; None for one that can no longer be chosen."""
        settled = self.settled(candidates)
        return {
            rung: None if rung in settled else candidate.mean if candidate.learned(self.mode) else None
            for rung, candidate in candidates.items()
            if rung in settled or candidate.complete(self.seeds)
        }

    def settled(self, candidates: Mapping[int, Candidate]) -> dict[int, str]:
        """Give the candidates that can no longer be chosen though seeds of them are not trained, with the reason."""
        reasons = {}
        best = self._best_complete(candidates)
        for rung, candidate in candidates.items():
            if candidate.diverged:
                seed, iteration = next(iter(candidate.diverged.items()))
                reasons[rung] = f"seed {seed} diverged at iteration {iteration}, so it did not learn"
            elif best is not None and rung != best.rung and (reason := self._beyond(candidate, best)):
                reasons[rung] = reason
        return reasons

    def next_step(self, known: Mapping[int, float | None]) -> tuple[int, ...] | Ending:
        """Give the rungs to train next, or how the search ends.

        Args:
            known: mean metric by rung of the candidates that have ended; None for one that did not learn.
        """
        if missing := tuple(rung for rung in self.first_guesses() if rung not in known):
            return missing
        best = self.best_of(known)
        if best is None:
            outward = next((rung for rung in self._outward() if rung not in known), None)
            return NoneLearned() if outward is None else (outward,)
        if missing := tuple(rung for rung in self.beside(best) if rung not in known):
            return missing
        if best == self.lowest and best != self.closed_below:
            return AtLimit(best, "lowest")
        if best == self.highest:
            return AtLimit(best, "highest")
        return Bracketed(best)

    def first_guesses(self) -> tuple[int, ...]:
        """Give the start and the rung above, as far as the limits go."""
        return tuple(rung for rung in (self.start, self.start + 1) if rung <= self.highest)

    def best_of(self, known: Mapping[int, float | None]) -> int | None:
        """Give the rung with the best mean, the lower one of equals; None if none learned."""
        learned = {rung: mean for rung, mean in known.items() if mean is not None}
        return min(learned, key=lambda rung: (self.sign * learned[rung], rung), default=None)

    def beside(self, rung: int) -> tuple[int, ...]:
        """Give a rung's neighbours within the limits."""
        return tuple(r for r in (rung - 1, rung + 1) if self.lowest <= r <= self.highest)

    @property
    def sign(self) -> int:
        """What a metric is multiplied by so that less is better."""
        return 1 if self.mode == "min" else -1

    def stop_of_settled(self, candidates: Mapping[int, Candidate]) -> Stop | None:
        """End what runs of candidates that can no longer be chosen."""
        stops = tuple(
            (trial.id, reason)
            for rung, reason in self.settled(candidates).items()
            for trial in candidates[rung].running
        )
        return Stop(stops) if stops else None

    def _outward(self) -> Iterator[int]:
        for distance in range(1, max(self.start - self.lowest, self.highest - self.start) + 1):
            for rung in (self.start - distance, self.start + 1 + distance):
                if self.lowest <= rung <= self.highest:
                    yield rung

    def _best_complete(self, candidates: Mapping[int, Candidate]) -> Candidate | None:
        complete = {
            rung: candidate.mean
            for rung, candidate in candidates.items()
            if candidate.complete(self.seeds) and candidate.learned(self.mode)
        }
        best = self.best_of(complete)
        return None if best is None else candidates[best]

    def _beyond(self, candidate: Candidate, best: Candidate) -> str | None:
        """Why an incomplete candidate's mean must end worse than that of the best complete one, if it must."""
        finished = candidate.values
        if self.lower_bound is None or self.mode == "max" or not finished or len(finished) >= self.seeds:
            return None
        least = fsum(finished.values()) + (self.seeds - len(finished)) * self.lower_bound
        limit = fsum(best.values.values())
        if least <= limit + _ROUNDING * abs(limit):
            return None
        return (
            f"its {len(finished)} finished of {self.seeds} seeds alone make its mean at least "
            f"{least / self.seeds:.4g}, and {limit / self.seeds:.4g} is reached already"
        )


def missing_seeds(candidates: Mapping[int, Candidate], rung: int, seeds: int) -> tuple[int, ...]:
    """Give the seeds of a rung that are yet to be trained, all if it was never begun."""
    return candidates[rung].missing(seeds) if rung in candidates else tuple(range(seeds))
