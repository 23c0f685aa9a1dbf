"""Evidence that no rate of the ladder will learn, so that a search ends early and says what is wrong instead."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from lrsearch.strategies.candidates import Candidate
from lrsearch.strategies.curves import improved, moves_away, turns_back
from lrsearch.strategies.decision import Cause
from lrsearch.strategies.standing import Standing, State
from lrsearch.trial import Diverged, Finished, Mode, Stopped, Take, Trial

_RUNGS = 3
"""On how many rungs the same must be seen."""
_NEARLY = 0.9
"""Of the longest training."""
_FAR = 4
"""Rungs of two decades: what happens at the same evaluation so far apart is not the rate's doing."""


def cause_of(
    candidates: Mapping[int, Candidate], known: Mapping[int, Standing], mode: Mode, take: Take, bold: bool
) -> Cause | None:
    """Return what keeps every rate from learning, where that is plain; None where it is not.

    Args:
        candidates: by rung, none of which has learned.
        known: how those stand that are decided.
        mode: whether the metric is to be low or high.
        take: which evaluation decides.
        bold: whether larger is bolder on the ladder.
    """
    firsts = [trial for c in candidates.values() if (trial := c.replicas.get(0)) is not None and trial.curve]
    if any(isinstance(trial.outcome, Finished) and improved(_losses(trial, mode)) for trial in firsts):
        return None  # its other seeds may tell
    # What was not asked for any more may have been stopped: late enough, it shows what it would have come to.
    trained = [trial for trial in firsts if isinstance(trial.outcome, Finished | Stopped)]
    longest = max((trial.iterations for trial in trained), default=0)
    curves = [_losses(trial, mode) for trial in trained if trial.iterations >= _NEARLY * longest]
    # What a rate killed moves neither smoothly away nor smoothly back, so it does not count, and hides nothing.
    if sum(map(moves_away, curves)) >= _RUNGS:
        return Cause.WRONG_MODE
    if take == "last" and sum(map(turns_back, curves)) >= _RUNGS:
        return Cause.TURNS_BACK
    if any(max(rungs) - min(rungs) >= _FAR for rungs in _ended_at_once(candidates, mode)):
        return Cause.NOT_FINITE
    if bold and _nothing_between(known):
        return Cause.TOO_SHORT
    return None


def far_probe(candidates: Mapping[int, Candidate], mode: Mode) -> int | None:
    """Return a rung two decades below others that improved and then were not finite at the same evaluation.

    One training there tells whether the rate is to blame, or the metric. None where nothing raises the question.
    """
    for rungs in _ended_at_once(candidates, mode):
        if len(rungs) > 1 and (far := max(rungs) - _FAR) < min(rungs):
            return far
    return None


def _losses(trial: Trial, mode: Mode) -> Sequence[float]:
    sign = 1 if mode == "min" else -1
    return [sign * evaluation.value for evaluation in trial.curve]


def _ended_at_once(candidates: Mapping[int, Candidate], mode: Mode) -> Collection[Collection[int]]:
    """The rungs of trainings that had improved when they were not finite any more, by the evaluation where that was."""
    rungs: defaultdict[int, set[int]] = defaultdict(set)
    for rung, candidate in candidates.items():
        for trial in candidate.replicas.values():
            if (
                isinstance(trial.outcome, Diverged)
                and len(trial.curve) > 1
                and improved(_losses(trial, mode))
            ):
                rungs[trial.outcome.iteration].add(rung)
    return rungs.values()


def _nothing_between(known: Mapping[int, Standing]) -> bool:
    """Whether one rung was too slow for the budget and the next one too bold."""
    too_bold = (State.DIVERGED, State.DEAD)
    return any(
        standing.state is State.SLOW and rung + 1 in known and known[rung + 1].state in too_bold
        for rung, standing in known.items()
    )
