"""One seed while the bracket walks, all of them for what it found: for trainings that cost much."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lrsearch.strategies.bracket import Bracket
from lrsearch.strategies.decision import Decision, Done, NoneLearned, Skip, Strategy
from lrsearch.strategies.race import Race
from lrsearch.strategies.standing import Standing
from lrsearch.trial import Trial


@dataclass(frozen=True, slots=True)
class Screen:
    """A bracket of ``seeds`` seeds finds a rung; ``confirm`` then begins from there, with its own seeds.

    Confirming goes on as any search does: where another rung turns out best over all seeds, its neighbours are
    trained with all of them too.
    """

    confirm: Bracket | Race
    seeds: int

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials of the search."""
        decision = self._screening.decide(trials)
        if not isinstance(decision, Done) or isinstance(decision.ending, NoneLearned):
            return decision
        return self._confirming(decision.ending.rung).decide(trials)

    def decided(self, trials: Sequence[Trial]) -> dict[int, Standing]:
        """Return how the candidates stand that are decided."""
        # What was left behind with few seeds is not to be trained with more because a later look knows nothing of it.
        screened = {rung: s.left_behind() for rung, s in self._screening.decided(trials).items()}
        return screened | self.confirm.decided(trials)

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Say what was not trained of the candidates that the search has begun, lowest rung first."""
        screened = self._screening.decide(trials)
        if not isinstance(screened, Done) or isinstance(screened.ending, NoneLearned):
            return self._screening.skips(trials)
        confirm = self._confirming(screened.ending.rung)
        skips = {skip.rung: skip for skip in confirm.skips(trials)}
        reason = f"not among the {self._bracket.seeds} seeds' contenders after a look with {self.seeds}"
        for rung, candidate in self._bracket.within_limits(trials).items():
            missing = candidate.missing(self._bracket.seeds)
            if rung not in skips and missing and isinstance(confirm.decide(trials), Done):
                skips[rung] = Skip(rung, missing, reason)
        return tuple(skips[rung] for rung in sorted(skips))

    @property
    def _bracket(self) -> Bracket:
        return self.confirm.bracket if isinstance(self.confirm, Race) else self.confirm

    @property
    def _screening(self) -> Bracket:
        return replace(self._bracket, seeds=self.seeds)

    def _confirming(self, start: int) -> Strategy:
        bracket = replace(self._bracket, start=start)
        return replace(self.confirm, bracket=bracket) if isinstance(self.confirm, Race) else bracket
