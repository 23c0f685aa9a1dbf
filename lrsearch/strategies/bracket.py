"""The paper's x3 search (arXiv:1912.11493, section 3 and appendix E) on integer rungs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from lrsearch.strategies.candidates import Candidate, candidates_of
from lrsearch.strategies.decision import (
    AtLimit,
    Bracketed,
    Cause,
    Decision,
    Done,
    Ending,
    Launch,
    NoneLearned,
    Skip,
    Stop,
    Wait,
)
from lrsearch.strategies.hopeless import examine
from lrsearch.strategies.standing import Standing, State, standing_behind, standing_of
from lrsearch.trial import Mode, Take, Trial

_ROUNDING = 1e-12
"""By how much, relatively, a sum must be larger to count as larger: means are rounded, and equal ones tie."""
_NOT_ASKED = "its lower neighbour diverged"
_SEVERAL = 4
"""Rungs that seem to have learned, and may all owe it to noise, before the best of them is taken."""
_LEVEL = 0.1
"""Of what the best has gained: a rung that is behind it by less is level with it."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """Two first guesses, then outward from the best until both its sides are closed by worse candidates.

    The first guesses are ``start`` and the rung above. While no candidate has learned, the search steps outward
    from them, alternately, lower side first, to the limits ``lowest`` and ``highest``. ``closed_below`` is a rung
    under which there is nothing by definition: the missing neighbour then counts as worse.
    A candidate that did not learn counts as worse than any that did. Equal means go to the lower rung.

    Where larger is ``bold``, as a learning rate is, a rung that diverged or was damaged says "too high" and never
    "worse below": it does not close the lower side, so the walk goes on below it (``standing.State`` has the table).
    The paper would stop there. For the same reason the upper first guess is left out where the lower one diverged, and
    what lies above such a rung is tried last while nothing has learned. ``hopeless`` ends what no rate can cure.

    A side is closed by ``patience`` rungs that are worse, the paper's rule being 1; by two at least where the first of
    them is worse by no more than the standard error of the best one's mean, and so may well be worse by chance. Above
    the best, one that diverged or died closes the side at once.

    What cannot change the choice is not trained: the other seeds of a candidate of which one diverged, and, where
    no value of the metric is below ``lower_bound``, those of a candidate whose first seeds alone already make
    its mean worse than that of the best complete one by more than its standard error. What closes the lower side is
    trained with all seeds all the same, since one of them may show that it is too bold to close it.
    """

    start: int
    lowest: int
    highest: int
    seeds: int
    mode: Mode = "min"
    closed_below: int | None = None
    lower_bound: float | None = None
    bold: bool = True
    take: Take = "last"
    patience: int = 1

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials of the search; a failed replica leaves its candidate undecided."""
        begun = self.within_limits(trials)
        candidates = self.asked(begun)
        settled = self.settled(candidates)
        known = self._known(candidates, settled)
        hopeful = not self.none_learned(known)
        stops = {rung: _NOT_ASKED for rung in begun if rung not in candidates} | settled
        if running := [
            (trial.id, why)
            for rung, why in stops.items()
            for trial in begun[rung].running
            # While nothing has learned, first seeds are evidence: which ones there are must not hang on timing.
            if hopeful or trial.spec.seed > 0 or rung not in candidates
        ]:
            return Stop(tuple(running))
        step = self.next_step(known)
        if not hopeful:
            if any(t.spec.seed == 0 for rung in settled for t in candidates[rung].running):
                return Wait()
            match self.examine(candidates, known):
                case Cause() as cause:
                    still = any(candidate.running for candidate in candidates.values())
                    return Wait() if still else Done(NoneLearned(cause))
                case int() as probe:
                    return Launch(((probe, 0),)) if 0 in missing_seeds(candidates, probe, 1) else Wait()
        if not isinstance(step, tuple):
            return Done(step)
        if not hopeful and not {*step} <= {*self.first_guesses(known)}:
            wanted = self._probes(candidates, step)
        else:
            wanted = [(rung, seed) for rung in step for seed in missing_seeds(candidates, rung, self.seeds)]
        return Launch(tuple(wanted)) if wanted else Wait()

    def decided(self, trials: Sequence[Trial]) -> dict[int, Standing]:
        """Return how the candidates stand that are decided."""
        return self.known(self.asked(self.within_limits(trials)))

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Return what was not trained of the candidates that the search has begun, lowest rung first."""
        candidates = self.asked(self.within_limits(trials))
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

    def asked(self, candidates: Mapping[int, Candidate]) -> Mapping[int, Candidate]:
        """Return the candidates without an upper first guess that was not needed.

        Both guesses begin at once, where there is room. Whether the upper one had ended when the lower one diverged
        must decide nothing: so it counts only once nothing below has learned.
        """
        start, upper = candidates.get(self.start), self.start + 1
        if upper not in candidates or start is None or not start.complete(self.seeds):
            return candidates
        if not self._diverged(self.standing_of(start)):
            return candidates
        below = self.known({rung: candidate for rung, candidate in candidates.items() if rung < self.start})
        if len(below) == self.start - self.lowest and self.best_of(below) is None:
            return candidates
        return {rung: candidate for rung, candidate in candidates.items() if rung != upper}

    def known(self, candidates: Mapping[int, Candidate]) -> dict[int, Standing]:
        """Return how each candidate stands that is decided."""
        return self._known(candidates, self.settled(candidates))

    def _known(self, candidates: Mapping[int, Candidate], settled: Collection[int]) -> dict[int, Standing]:
        return {
            rung: self.standing_behind(candidate) if rung in settled else self.standing_of(candidate)
            for rung, candidate in candidates.items()
            if rung in settled or candidate.complete(self.seeds)
        }

    def standing_of(self, candidate: Candidate) -> Standing:
        """Return how a candidate stands of which a seed diverged, or all have finished."""
        return standing_of(candidate, self.mode, self.take)

    def standing_behind(self, candidate: Candidate) -> Standing:
        """Return how a candidate stands that is known to be worse before all its seeds have finished."""
        return standing_behind(candidate, self.mode, self.take)

    def examine(
        self, candidates: Mapping[int, Candidate], known: Mapping[int, Standing]
    ) -> Cause | int | None:
        """Return what keeps every rate from learning where none has, or a rung to train one seed at to be sure."""
        limits = self.lowest, self.highest
        return examine(candidates, known, self.mode, self.take, self.bold, self.start, limits)

    def settled(self, candidates: Mapping[int, Candidate]) -> dict[int, str]:
        """Return the candidates that can no longer be chosen though seeds of them are not trained, with the reason."""
        reasons = {}
        best = self._best_complete(candidates)
        closing = None if best is None or self.lower_bound is None else self._closing(candidates, best.rung)
        for rung, candidate in candidates.items():
            if candidate.diverged:
                seed, iteration = next(iter(candidate.diverged.items()))
                reasons[rung] = f"seed {seed} diverged at iteration {iteration}, so it did not learn"
            elif (
                best is not None
                and rung not in (best.rung, closing)
                and (reason := self._beyond(candidate, best))
            ):
                reasons[rung] = reason
        return reasons

    def _closing(self, candidates: Mapping[int, Candidate], best: int) -> int | None:
        """The next rung down that may close the side below the best: the first not known to be too bold, or one more
        where several are needed."""
        below, closing, needed = best - 1, 0, 1
        while below in candidates and candidates[below].complete(self.seeds):
            standing = self.standing_of(candidates[below])
            if self._closes_below(standing):
                needed = needed if closing else self._needed(standing, self.standing_of(candidates[best]))
                closing += 1
                if closing == needed:
                    return None
            below -= 1
        return below if self.bold else None

    def next_step(self, known: Mapping[int, Standing]) -> tuple[int, ...] | Ending:
        """Return the rungs to train next, or how the search ends.

        Args:
            known: how the candidates stand that are decided.
        """
        if missing := tuple(rung for rung in self.first_guesses(known) if rung not in known):
            return missing
        best = self.best_of(known)
        if best is None:
            if (outward := next((r for r in self._outward(known) if r not in known), None)) is not None:
                return (outward,)
            best = self.best_of(known, unsure=True)
        if best is None:
            return NoneLearned()
        if missing := tuple(rung for rung in self.beside(best) if rung not in known):
            return missing
        closing, further_below = self._below(known, best)
        # One after the other: the second is asked for only where the first has not become the best.
        if further_below is not None:
            return (further_below,)
        if (further_above := self._further_above(known, best)) is not None:
            return (further_above,)
        open_below = closing < self.lowest and self.lowest != self.closed_below
        if best == self.highest and not (open_below and best == self.lowest):
            return AtLimit(best, "highest")
        if open_below:
            return AtLimit(best, "lowest")
        return Bracketed(best, None if closing == best - 1 else closing)

    def _below(self, known: Mapping[int, Standing], best: int) -> tuple[int, int | None]:
        """Return the first rung down that closes the side below the best, and one to train yet within the limits."""
        below, level = best - 1, 0
        closing: list[int] = []
        while below in known:
            if self._closes_below(known[below]):
                closing.append(below)
            elif self._is_level(known[below], known[best]):
                level += 1
            # Rungs that froze where the best did may be dead with it, or all as good: one below them tells.
            if level > 1:
                return closing[0] if closing else below, None
            if closing and len(closing) >= self._needed(known[closing[0]], known[best]):
                return closing[0], None
            below -= 1
        return closing[0] if closing else below, below if below >= self.lowest else None

    def _further_above(self, known: Mapping[int, Standing], best: int) -> int | None:
        """Return the next rung above the best that is needed yet to close that side, within the limits."""
        above, needed = best + 1, 1
        while above <= min(best + needed, self.highest):
            if above not in known:
                return above
            if self.bold and known[above].state in (State.DIVERGED, State.DEAD):
                return None
            needed = self._needed(known[best + 1], known[best])
            above += 1
        return None

    def _needed(self, beside: Standing, best: Standing) -> int:
        """Return how many worse rungs close a side of the best: two at least where the first may be so by chance."""
        if beside.mean is None or best.mean is None or best.error == 0:
            return self.patience
        return max(self.patience, 1 + (self.sign * (beside.mean - best.mean) <= best.error))

    def first_guesses(self, known: Mapping[int, Standing]) -> tuple[int, ...]:
        """Return the start and, unless that diverged, the rung above, as far as the limits go."""
        diverged = self._diverged(known[self.start]) if self.start in known else False
        guesses = (self.start,) if diverged else (self.start, self.start + 1)
        return tuple(rung for rung in guesses if rung <= self.highest)

    def best_of(self, known: Mapping[int, Standing], unsure: bool = False) -> int | None:
        """Return the rung with the best mean, the lower one of equals; None if none may be chosen.

        Where all that seem to have learned may owe it to noise, they count only if ``unsure``, or once there are
        several: then noise is all that can be had. But of the best evaluations of dead trainings all seem to have.
        """
        learned = {rung: s.mean for rung, s in known.items() if s.mean is not None}
        several = len(learned) >= _SEVERAL and self.take == "last"
        if not unsure and not several and not any(known[rung].sure for rung in learned):
            return None
        return self.lowest_mean(learned)

    def lowest_mean(self, means: Mapping[int, float]) -> int | None:
        """Return the rung of the best of some means, the lower one of equals; None without any."""
        return min(means, key=lambda rung: (self.sign * means[rung], rung), default=None)

    def none_learned(self, known: Mapping[int, Standing]) -> bool:
        """Whether something is known, and nothing that may be chosen."""
        behind = any(standing.state is State.BEHIND for standing in known.values())
        return bool(known) and not behind and self.best_of(known) is None

    def beside(self, rung: int) -> tuple[int, ...]:
        """Return a rung's neighbours within the limits."""
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

    def _diverged(self, standing: Standing) -> bool:
        return self.bold and standing.state is State.DIVERGED

    def _closes_below(self, standing: Standing) -> bool:
        return standing.state.closes_below or not self.bold

    def _is_level(self, standing: Standing, best: Standing) -> bool:
        if standing.mean is None or best.mean is None:
            return False
        return self.sign * (standing.mean - best.mean) <= _LEVEL * best.gain

    def _outward(self, known: Mapping[int, Standing]) -> list[int]:
        """The rungs in the order in which they are tried while none has learned."""
        bold = min((rung for rung, s in known.items() if self._diverged(s)), default=self.highest)
        # Of what lies above one that diverged, the upper first guess counts last (``asked``).
        return sorted(self._alternately(), key=lambda rung: (rung > bold, rung > bold and rung > self.start))

    def _alternately(self) -> Iterator[int]:
        for distance in range(max(self.start - self.lowest, self.highest - self.start) + 1):
            for rung in (self.start - distance, self.start + 1 + distance):
                if self.lowest <= rung <= self.highest:
                    yield rung

    def _probes(self, candidates: Mapping[int, Candidate], step: Sequence[int]) -> list[tuple[int, int]]:
        """What to train of rungs that may well be hopeless: one seed first, the others once that has not diverged."""
        wanted = []
        for rung in step:
            missing = missing_seeds(candidates, rung, self.seeds)
            if 0 in missing:
                wanted.append((rung, 0))
            elif 0 in candidates[rung].values:
                wanted += [(rung, seed) for seed in missing]
        return wanted

    def _best_complete(self, candidates: Mapping[int, Candidate]) -> Candidate | None:
        complete = {
            rung: candidate.mean
            for rung, candidate in candidates.items()
            if candidate.complete(self.seeds) and candidate.learned(self.mode) and candidate.mean is not None
        }
        best = self.lowest_mean(complete)
        return None if best is None else candidates[best]

    def _beyond(self, candidate: Candidate, best: Candidate) -> str | None:
        """Why an incomplete candidate's mean must end worse than that of the best complete one, if it must.

        By the seeds in their order: what happens to have finished first decides nothing.
        """
        finished = candidate.first_values
        if self.lower_bound is None or self.mode == "max" or not finished or len(finished) >= self.seeds:
            return None
        least = fsum([v / self.seeds for v in finished]) + (1 - len(finished) / self.seeds) * self.lower_bound
        limit = fsum([v / self.seeds for v in best.values.values()])
        if least <= limit + best.error + _ROUNDING * abs(limit):
            return None
        return (
            f"its {len(finished)} finished of {self.seeds} seeds alone make its mean at least {least:.4g}, and "
            f"{limit:.4g} is reached already"
        )


def missing_seeds(candidates: Mapping[int, Candidate], rung: int, seeds: int) -> tuple[int, ...]:
    """Return the seeds of a rung that are yet to be trained, all if it was never begun."""
    return candidates[rung].missing(seeds) if rung in candidates else tuple(range(seeds))
