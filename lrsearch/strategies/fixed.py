"""One candidate and no search: trained with all its seeds, whatever becomes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lrsearch.strategies.candidates import Candidate, candidates_of
from lrsearch.strategies.decision import Decision, Done, Launch, Skip, Trained, Wait
from lrsearch.strategies.standing import Standing, State
from lrsearch.trial import Trial


@dataclass(frozen=True, slots=True)
class Fixed:
    """Trains rung 0 with each of ``seeds`` seeds; one that diverged spares none of the others."""

    seeds: int

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials; a failed replica leaves the candidate undecided."""
        candidate = self._candidate(trials)
        if missing := candidate.missing(self.seeds):
            return Launch(tuple((0, seed) for seed in missing))
        return Wait() if candidate.running or candidate.failed else Done(Trained())

    def decided(self, trials: Sequence[Trial]) -> dict[int, Standing]:
        """Return how it stands once all seeds have ended: as learned with its mean, unless one diverged."""
        if not isinstance(self.decide(trials), Done):
            return {}
        mean = self._candidate(trials).mean
        return {0: Standing(State.DIVERGED if mean is None else State.LEARNED, mean)}

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Give nothing: all is trained."""
        return ()

    def _candidate(self, trials: Sequence[Trial]) -> Candidate:
        return candidates_of(trials).get(0, Candidate(0, {})).first(self.seeds)
