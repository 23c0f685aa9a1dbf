"""Evidence that no rate of the ladder will learn, so that a search ends early and says what is wrong instead."""

from collections.abc import Mapping, Sequence

from lrsearch.strategies.candidates import Candidate
from lrsearch.strategies.curves import improved, moves_away, turns_back
from lrsearch.strategies.decision import Cause
from lrsearch.strategies.standing import Standing, State
from lrsearch.trial import Diverged, Finished, Mode, Take, Trial

_RUNGS = 3
"""On how many rungs the same must be seen."""
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
    firsts = {rung: trial for rung, c in candidates.items() if (trial := c.replicas.get(0)) is not None}
    finished = [_losses(t, mode) for t in firsts.values() if isinstance(t.outcome, Finished)]
    if any(map(improved, finished)):
        return None  # its other seeds may tell
    # What a rate killed moves neither smoothly away nor smoothly back, so it does not count, and hides nothing.
    if sum(map(moves_away, finished)) >= _RUNGS:
        return Cause.WRONG_MODE
    if take == "last" and sum(map(turns_back, finished)) >= _RUNGS:
        return Cause.TURNS_BACK
    if _ends_everywhere_at_once(firsts, mode):
        return Cause.NOT_FINITE
    if bold and _nothing_between(known):
        return Cause.TOO_SHORT
    return None


def _losses(trial: Trial, mode: Mode) -> Sequence[float]:
    sign = 1 if mode == "min" else -1
    return [sign * evaluation.value for evaluation in trial.curve]


def _ends_everywhere_at_once(firsts: Mapping[int, Trial], mode: Mode) -> bool:
    """Whether trainings two decades apart improved and were not finite any more at the same evaluation."""
    rungs: dict[int, list[int]] = {}
    for rung, trial in firsts.items():
        if isinstance(trial.outcome, Diverged) and len(trial.curve) > 1 and improved(_losses(trial, mode)):
            rungs.setdefault(trial.outcome.iteration, []).append(rung)
    return any(max(at) - min(at) >= _FAR for at in rungs.values())


def _nothing_between(known: Mapping[int, Standing]) -> bool:
    """Whether one rung was too slow for the budget and the next one too bold."""
    too_bold = (State.DIVERGED, State.DEAD)
    return any(
        standing.state is State.SLOW and rung + 1 in known and known[rung + 1].state in too_bold
        for rung, standing in known.items()
    )
