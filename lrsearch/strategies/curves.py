"""What a training's curve shows beside its end: damage, steady progress, and evidence that no rate will help.

Curves are read as losses, lower being better, the first before any update. They are read in four equal stretches, so
that neither the noise of one evaluation nor how often one evaluates decides; of two or three evaluations the first and
the last stand for the halves, and one alone shows nothing. Losses that are all above 0 are read by their logarithms: a
perplexity that begins at 10,000 has not stopped falling when it goes from 112 to 97.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from lrsearch.averages import mean_of
from lrsearch.trial import Take

LEARNED_BY = 0.01
"""How much better than before the first iteration a metric must end to count as learned, as a fraction of that."""
_STRETCHES = 4
_ROSE = 0.1
"""Of what a training had gained: losing more of it again is damage."""
_FROZE = 0.005
"""Of its whole fall: a training that makes no more in its second half than this has stopped learning."""
ERRORS = 3.0
"""How many standard errors a change must exceed."""
_SMOOTH = 1.5
"""The way that a smooth curve goes, up and down together, over its net change."""
_SECOND_DIFFERENCES = 0.6745 * math.sqrt(6)
"""The median size of second differences of independent normal values, over their standard deviation."""


def is_damaged(losses: Sequence[float], take: Take = "last") -> bool:
    """Whether a training rose above its beginning, lost what it had gained, or fell and froze: too bold a rate.

    Args:
        losses: before the first update, then at each evaluation.
        take: which evaluation decides; where that is the best one, what was lost again does not matter.
    """
    least = LEARNED_BY * abs(losses[0])
    if min(losses) > 0:
        losses, least = [math.log(loss) for loss in losses], LEARNED_BY
    first, rest = losses[0], losses[1:]
    stretches = _stretches(rest)
    if stretches is None or not math.isfinite(first):
        return False
    error = _error_of_a_stretch(rest)
    *earlier, last = stretches
    if take == "last":
        # The noise of the first evaluation counts too.
        if last - first >= max(least, error + ERRORS * _noise(rest)):
            return True
        gain = first - min(earlier)
        if gain >= least and last - min(earlier) > max(_ROSE * gain, error):
            return True
    fall, later = first - last, stretches[1] - last
    return fall >= least and (later if take == "last" else abs(later)) <= _FROZE * fall


def is_steady(losses: Sequence[float]) -> bool:
    """Whether a training improved from stretch to stretch and made half of its progress after the first one."""
    first, rest = losses[0], losses[1:]
    stretches = _stretches(rest)
    if stretches is None or not math.isfinite(first):
        return False
    fall, error = stretches[0] - stretches[-1], _error_of_a_stretch(rest)
    return (
        len(rest) >= _STRETCHES
        and stretches[0] <= first + error  # one that came back from a spike has made no progress yet
        and all(later < earlier for earlier, later in pairwise(stretches))
        and fall > error
        and fall >= (first - stretches[-1]) / 2
    )


def moves_away(losses: Sequence[float]) -> bool:
    """Whether a training smoothly became worse, ever more slowly: as a score does that should be high."""
    first, rest = losses[0], losses[1:]
    stretches = _stretches(rest)
    if stretches is None or not math.isfinite(first):
        return False
    rise, first_half = rest[-1] - first, stretches[1] - first
    return (
        len(rest) >= _STRETCHES
        and rise >= LEARNED_BY * abs(first)
        and first < stretches[0]
        and all(later > earlier for earlier, later in pairwise(stretches))
        and stretches[3] - stretches[1] <= first_half
        and _way(losses) <= _SMOOTH * rise
    )


def turns_back(losses: Sequence[float]) -> bool:
    """Whether a training was better in between than at its beginning and its end, and smoothly became worse again."""
    first, rest = losses[0], losses[1:]
    if len(rest) < _STRETCHES or not math.isfinite(first):
        return False
    least = max(LEARNED_BY * abs(first), ERRORS * _noise(rest))
    best = min(rest)
    after = rest[rest.index(best) :]
    rise = after[-1] - best
    return (
        first - best >= least
        and rise >= least
        and _way(after) <= _SMOOTH * rise
        # A training that blows up jumps.
        and max(later - earlier for earlier, later in pairwise(after)) <= rise / 2
    )


def improved(losses: Sequence[float]) -> bool:
    """Whether a training, as far as it went, became better by as much as counts as learned."""
    gain = losses[0] - losses[-1]
    return gain > 0 and gain >= LEARNED_BY * abs(losses[0])


def chance_gain(losses: Sequence[float], seeds: int, take: Take = "last") -> float:
    """Return what the mean gain of so many trainings like this one may be by the noise of their evaluations alone.

    That is two standard errors; where the best evaluation of each decides, as much more as the best of its draws lies
    above their mean. 0 where a curve is too short to show its noise.
    """
    rest = losses[1:]
    if len(rest) < _STRETCHES:
        return 0.0
    luck = math.sqrt(2 * math.log(len(rest))) if take == "best" else 0.0
    return _noise(rest) * (2 * math.sqrt(2 / seeds) + luck)


def _stretches(rest: Sequence[float]) -> tuple[float, ...] | None:
    count = len(rest)
    if count < _STRETCHES:
        return (rest[0], rest[0], rest[-1], rest[-1]) if count > 1 else None
    return tuple(
        mean_of(rest[i * count // _STRETCHES : (i + 1) * count // _STRETCHES]) for i in range(_STRETCHES)
    )


def _noise(rest: Sequence[float]) -> float:
    """The standard deviation of an evaluation, by second differences, from which trends cancel; by their median, so
    that a jump does not count as noise. Of fewer than three evaluations nothing is known."""
    if len(rest) < 3:
        return 0.0
    bends = [abs(rest[i] / 2 - rest[i + 1] + rest[i + 2] / 2) for i in range(len(rest) - 2)]
    return 2 * median(bends) / _SECOND_DIFFERENCES


def _error_of_a_stretch(rest: Sequence[float]) -> float:
    return ERRORS * _noise(rest) / math.sqrt(max(1.0, len(rest) / _STRETCHES))


def _way(losses: Sequence[float]) -> float:
    return sum(abs(later - earlier) for earlier, later in pairwise(losses))
