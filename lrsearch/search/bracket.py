"""The paper's x3 search (arXiv:1912.11493, section 3 and appendix E) on integer rungs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lrsearch.search.candidates import candidates_of
from lrsearch.search.decision import AtLimit, Bracketed, Decision, Done, Ending, Launch, NoneLearned, Wait
from lrsearch.trial import Trial


@dataclass(frozen=True, slots=True)
class Bracket:
    """Two first guesses, then outward from the best until both its neighbours have ended and are worse.

    The first guesses are ``start`` and the rung above. While no candidate has learned, the search steps outward
    from them, alternately, lower side first, to the limits ``lowest`` and ``highest``. ``closed_below`` is a rung
    under which there is nothing by definition: the missing neighbour then counts as worse.
    A candidate that did not learn counts as worse than any that did. Equal means go to the lower rung.
    """

    start: int
    lowest: int
    highest: int
    seeds: int
    mode: Literal["min", "max"] = "min"
    closed_below: int | None = None

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials of the search; a failed replica leaves its candidate undecided."""
        candidates = candidates_of(trials)
        known = {
            rung: candidate.mean if candidate.learned(self.mode) else None
            for rung, candidate in candidates.items()
            # Limits may have been narrowed since: what lies outside is neither chosen nor in the way.
            if self.lowest <= rung <= self.highest and candidate.complete(self.seeds)
        }
        step = self.next_step(known)
        if not isinstance(step, tuple):
            return Done(step)
        missing = tuple(
            (rung, seed)
            for rung in step
            for seed in range(self.seeds)
            if rung not in candidates or seed not in candidates[rung].replicas
        )
        return Launch(missing) if missing else Wait()

    def next_step(self, known: Mapping[int, float | None]) -> tuple[int, ...] | Ending:
        """Give the rungs to train next, or how the search ends.

        Args:
            known: mean metric by rung of the candidates that have ended; None for one that did not learn.
        """
        first_guesses = (rung for rung in (self.start, self.start + 1) if rung <= self.highest)
        if missing := tuple(rung for rung in first_guesses if rung not in known):
            return missing
        learned = {rung: mean for rung, mean in known.items() if mean is not None}
        if not learned:
            outward = next((rung for rung in self._outward() if rung not in known), None)
            return NoneLearned() if outward is None else (outward,)
        sign = 1 if self.mode == "min" else -1
        best = min(learned, key=lambda rung: (sign * learned[rung], rung))
        neighbours = (rung for rung in (best - 1, best + 1) if self.lowest <= rung <= self.highest)
        if missing := tuple(rung for rung in neighbours if rung not in known):
            return missing
        if best == self.lowest and best != self.closed_below:
            return AtLimit(best, "lowest")
        if best == self.highest:
            return AtLimit(best, "highest")
        return Bracketed(best)

    def _outward(self) -> Iterator[int]:
        for distance in range(1, max(self.start - self.lowest, self.highest - self.start) + 1):
            for rung in (self.start - distance, self.start + 1 + distance):
                if self.lowest <= rung <= self.highest:
                    yield rung
