"""How a rung stands, and what that says of the rungs beside it: the table by which a search walks.

``docs/design.md`` has it in words.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from lrsearch.averages import deviation_of, mean_of
from lrsearch.strategies.candidates import Candidate
from lrsearch.strategies.curves import ERRORS, LEARNED_BY, chance_gain, is_damaged, is_steady
from lrsearch.trial import Mode, Take


class State(Enum):
    """What has become of a candidate. Where larger is bolder, damage says that a rung is too high.

    The columns: whether it may be chosen; whether it ends the walk downward, as a neighbour below the best that is
    worse; and the walk upward, as one above.
    """

    LEARNED = ("learned", True, True, True)
    """Ended at least 1 % better than it began."""
    DAMAGED = ("learned, then damaged", True, False, True)
    """The same, but its curve rose again, or fell and froze."""
    SLOW = ("slow", False, True, True)
    """Improved steadily, by less than 1 %."""
    FLAT = ("flat", False, True, True)
    """Stayed near its beginning."""
    DEAD = ("dead", False, False, True)
    """Ended worse than it began, or was damaged before it was known how it ends."""
    DIVERGED = ("diverged", False, False, True)
    """A seed became NaN or infinite."""
    BEHIND = ("behind", False, True, True)
    """Known to be worse than another, before all its seeds were trained."""

    def __init__(self, words: str, may_be_chosen: bool, closes_below: bool, closes_above: bool) -> None:
        self.words = words
        self.may_be_chosen = may_be_chosen
        self.closes_below = closes_below
        self.closes_above = closes_above


@dataclass(frozen=True, slots=True)
class Standing:
    """A rung's state, with the mean metric of one that may be chosen.

    >>> Standing(State.LEARNED, 0.3).state.closes_below, Standing(State.DIVERGED).state.closes_below
    (True, False)
    """

    state: State
    mean: float | None = None
    gain: float = 0.0
    """How much better the mean ended than it began, of one that may be chosen."""
    sure: bool = True
    """Whether the noise of evaluations alone would not explain that gain."""
    error: float = 0.0
    """The standard error of the mean over seeds; 0 of one seed, of which none is known."""

    def left_behind(self) -> "Standing":
        """Return the standing of one that no longer counts as a contender; what was damaged stays so."""
        return BEHIND if self.state.closes_below else Standing(_WITHOUT_CHOICE.get(self.state, self.state))


_LOOKED_AT = 10
"""Seeds whose curves are looked at: with hundreds of them it would take long."""
_WITHOUT_CHOICE = {State.DAMAGED: State.DEAD}
BEHIND = Standing(State.BEHIND)


def standing_of(candidate: Candidate, mode: Mode, take: Take) -> Standing:
    """Return how a candidate stands of which a seed diverged, or all have finished.

    One that learned is damaged if any of its seeds is; one that did not learn died if all did.
    """
    if candidate.diverged:
        return Standing(State.DIVERGED)
    if candidate.learned(mode):
        assert candidate.mean is not None, "what learned has a mean"
        state = State.DAMAGED if _is_damaged(candidate, mode, take) else State.LEARNED
        gain, some = abs(candidate.initial - candidate.mean), islice(candidate.losses(mode), _LOOKED_AT)
        by_chance = mean_of([chance_gain(losses, len(candidate.values), take) for losses in some])
        return Standing(state, candidate.mean, gain, gain > by_chance, candidate.error)
    curves = list(candidate.losses(mode))
    if _ended_worse(curves) or all(is_damaged(losses, take) for losses in curves):
        return Standing(State.DEAD)
    return Standing(State.SLOW if all(map(is_steady, curves)) else State.FLAT)


def standing_behind(candidate: Candidate, mode: Mode, take: Take) -> Standing:
    """Return how a candidate stands that is known to be worse than another before all its seeds have finished."""
    if candidate.diverged:
        return Standing(State.DIVERGED)
    return Standing(State.DEAD) if _is_damaged(candidate, mode, take) else BEHIND


def _is_damaged(candidate: Candidate, mode: Mode, take: Take) -> bool:
    return any(is_damaged(losses, take) for losses in islice(candidate.losses(mode), _LOOKED_AT))


def _ended_worse(curves: Collection[Sequence[float]]) -> bool:
    """Whether all seeds ended worse than they began by as much as counts, and by more than chance would have it."""
    rises = [losses[-1] - losses[0] for losses in curves]
    error = deviation_of(rises) / math.sqrt(len(rises)) if len(rises) > 1 else 0.0
    material = all(
        rise >= LEARNED_BY * abs(losses[0]) and rise > 0 for rise, losses in zip(rises, curves, strict=True)
    )
    return material and mean_of(rises) >= ERRORS * error
