"""More seeds where the choice is open: for the best candidate and those that may still be as good."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lrsearch.strategies.bracket import Bracket, missing_seeds
from lrsearch.strategies.candidates import Candidate
from lrsearch.strategies.decision import Decision, Done, Ending, Launch, NoneLearned, Skip, Strategy, Wait
from lrsearch.strategies.standing import Standing, State
from lrsearch.trial import Trial

_UNLEARNED = (State.SLOW, State.FLAT, State.DEAD)
GROWTH = (3, 5, 8, 10)
"""How many seeds the looks have, after the first; beyond these, by half as many again."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the evidence says of a search that might end.

    ``contenders`` are the best candidate and those that may still be as good. ``hopeless`` says that even
    ``max_seeds`` could not resolve the choice.
    """

    resolved: bool
    hopeless: bool
    contenders: frozenset[int]


Assess = Callable[[Ending, Sequence[Trial]], Assessment]
"""Weighs an ending by the trials that have been looked at."""


def looks(seeds: int, max_seeds: int) -> tuple[int, ...]:
    """Give the numbers of seeds at which a search is judged: ``seeds``, then upward to ``max_seeds``.

    >>> looks(3, 10), looks(5, 20), looks(3, 3), looks(3, 4)
    ((3, 5, 8, 10), (5, 8, 10, 15, 20), (3,), (3, 4))
    """
    found = [seeds]
    while found[-1] < max_seeds:
        after = next((n for n in GROWTH if n > found[-1]), found[-1] + (found[-1] + 1) // 2)
        found.append(min(after, max_seeds))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Resolve:
    """A search as ``first`` makes it; then, look by look, more seeds for the contenders until the choice is resolved.

    At each look the bracket is walked again over the contenders alone, the others counting as worse: where the best
    candidate has moved beside a rung that was never trained, that one is trained too. It ends when ``assess`` finds
    the choice resolved or hopeless, or after the last look.

    Args:
        first: the search with the fewest seeds.
        bracket: its rungs and limits.
        looks: the numbers of seeds, rising, from that of ``first`` on.
        assess: weighs the evidence.
    """

    first: Strategy
    bracket: Bracket
    looks: tuple[int, ...]
    assess: Assess

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials of the search."""
        return self.decide_with_look(trials)[0]

    def decide_with_look(self, trials: Sequence[Trial]) -> tuple[Decision, int]:
        """Decide, and give the number of the look that the decision belongs to, counted from 0."""
        look, decision = 0, self.first.decide(_of_seeds(trials, self.looks[0]))
        known = self.first.decided(_of_seeds(trials, self.looks[0]))
        while isinstance(decision, Done) and not isinstance(decision.ending, NoneLearned):
            assessment = self.assess(decision.ending, _of_seeds(trials, self.looks[look]))
            if assessment.resolved or assessment.hopeless or look == len(self.looks) - 1:
                break
            look += 1
            bracket = replace(self.bracket, seeds=self.looks[look])
            candidates = bracket.within_limits(trials)
            admitted = _admitted(bracket, candidates, known, assessment.contenders)
            known = _known_at(bracket, candidates, known, admitted)
            decision = _decide(bracket, candidates, known, admitted)
        return decision, look

    def decided(self, trials: Sequence[Trial]) -> dict[int, Standing]:
        """Return how the candidates stand that are decided."""
        return self.first.decided(_of_seeds(trials, self.looks[0]))

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Say what was not trained of the candidates that the search has begun, lowest rung first."""
        return self.first.skips(_of_seeds(trials, self.looks[0]))


def _admitted(
    bracket: Bracket,
    candidates: Mapping[int, Candidate],
    before: Mapping[int, Standing],
    contenders: frozenset[int],
) -> list[int]:
    """Give the rungs that get the seeds of a look, best first; should all lose a seed, the next best is one too."""
    learned = {rung: standing.mean for rung, standing in before.items() if standing.mean is not None}
    best_first = sorted(learned, key=lambda rung: (bracket.sign * learned[rung], rung))
    admitted = [rung for rung in best_first if rung in contenders]
    # With more seeds one may turn out to have learned that did not seem to.
    admitted += [r for r, standing in before.items() if r in contenders and standing.state in _UNLEARNED]
    others = [rung for rung in best_first if rung not in contenders]
    decided = bracket.known(candidates)
    while others and all(rung in decided and decided[rung].mean is None for rung in admitted):
        admitted.append(others.pop(0))
    return admitted


def _known_at(
    bracket: Bracket,
    candidates: Mapping[int, Candidate],
    before: Mapping[int, Standing],
    admitted: Sequence[int],
) -> dict[int, Standing]:
    """What is known at a look: what was admitted by all its seeds, what was left behind as worse."""
    left_behind = {rung: s.left_behind() for rung, s in before.items() if rung not in admitted}
    known = {rung: s for rung, s in bracket.known(candidates).items() if rung not in left_behind}
    # That they may owe their gain to noise was weighed before there was a look.
    return left_behind | {rung: replace(standing, sure=True) for rung, standing in known.items()}


def _decide(
    bracket: Bracket,
    candidates: Mapping[int, Candidate],
    known: Mapping[int, Standing],
    admitted: Sequence[int],
) -> Decision:
    if stop := bracket.stop_of_settled(candidates):
        return stop
    # The bracket walks on only from what is known of all of them.
    rungs: Sequence[int] | Ending = [rung for rung in admitted if rung not in known] or bracket.next_step(
        known
    )
    if not isinstance(rungs, Sequence):
        return Done(rungs)
    wanted = [(rung, seed) for rung in rungs for seed in missing_seeds(candidates, rung, bracket.seeds)]
    return Launch(tuple(wanted)) if wanted else Wait()


def _of_seeds(trials: Sequence[Trial], seeds: int) -> list[Trial]:
    return [trial for trial in trials if trial.spec.seed < seeds]
