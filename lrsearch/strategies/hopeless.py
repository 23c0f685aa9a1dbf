"""Evidence that no rate of the ladder will learn, so that a search ends early and says what is wrong instead."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from lrsearch.strategies.candidates import Candidate
from lrsearch.strategies.curves import improved, moves_away, turns_back
from lrsearch.strategies.decision import Cause
from lrsearch.strategies.standing import Standing, State
from lrsearch.trial import Diverged, Finished, Mode, Take, Trial

_SHOWN = {Cause.WRONG_MODE: 3, Cause.TURNS_BACK: 3, Cause.NOT_FINITE: 2}
"""On how many rungs the same must be seen before it is tried far from them."""
_FAR_BELOW, _FAR_ABOVE, _NEAR = 7, 4, 4
"""Rungs to where a suspicion is tried: over three decades down, two up; and the fewest that say anything."""


def examine(
    candidates: Mapping[int, Candidate],
    known: Mapping[int, Standing],
    mode: Mode,
    take: Take,
    bold: bool,
    start: int,
    limits: tuple[int, int],
) -> Cause | int | None:
    """Return what keeps every rate from learning, a rung at which one training will tell, or None.

    Evidence is the first seed of each rung that ended on its own. A suspicion is tried far from where it arose, since
    rates that lie beside each other may all be too high (or too low): where the metric improves there, it was wrong.

    Args:
        candidates: by rung, none of which is known to have learned.
        known: how those stand that are decided.
        mode: whether the metric is to be low or high.
        take: which evaluation decides.
        bold: whether larger is bolder on the ladder.
        start: the rung where the search began.
        limits: the lowest and the highest rung.
    """
    firsts = {rung: t for rung, c in candidates.items() if (t := c.replicas.get(0)) is not None and t.curve}
    curves = {rung: _losses(t, mode) for rung, t in firsts.items() if isinstance(t.outcome, Finished)}
    if any(map(improved, curves.values())):
        return None  # its other seeds may tell
    for cause, rungs in _suspicions(firsts, curves, mode, take):
        near = sorted(rungs, key=lambda rung: (abs(rung - start), rung))[: _SHOWN[cause]]
        probes = _probes(cause, near, limits)
        if len(near) < _SHOWN[cause] or not probes:
            continue
        if untried := [rung for rung in probes if not _has_ended(candidates, rung)]:
            return untried[0]
        # That a far rung is dead, or too slow, does not speak against the others; but what is not finite must be so.
        if cause is not Cause.NOT_FINITE or {*probes} <= {*rungs}:
            return cause
    return Cause.TOO_SHORT if bold and _nothing_between(known) else None


def _suspicions(
    firsts: Mapping[int, Trial], curves: Mapping[int, Sequence[float]], mode: Mode, take: Take
) -> Iterator[tuple[Cause, Collection[int]]]:
    """Yield what rungs show, with these. What a rate killed shows none of it, and hides nothing."""
    yield Cause.WRONG_MODE, [rung for rung, losses in curves.items() if moves_away(losses)]
    if take == "last":
        yield Cause.TURNS_BACK, [rung for rung, losses in curves.items() if turns_back(losses)]
    at_once: defaultdict[int, list[int]] = defaultdict(list)
    for rung, trial in firsts.items():
        if isinstance(trial.outcome, Diverged) and len(trial.curve) > 1 and improved(_losses(trial, mode)):
            at_once[trial.outcome.iteration].append(rung)
    for rungs in at_once.values():
        yield Cause.NOT_FINITE, rungs


def _probes(cause: Cause, near: Sequence[int], limits: tuple[int, int]) -> list[int]:
    """The rungs at which a suspicion is tried, as far as the limits go; none where they leave no room."""
    lowest, highest = limits
    below = max(lowest, min(near, default=lowest) - _FAR_BELOW)
    if not near or min(near) - below < _NEAR:
        return []
    above = min(highest, max(near) + _FAR_ABOVE)
    # What is too slow may become worse first, too.
    return [below, above] if cause is Cause.WRONG_MODE and above > max(near) else [below]


def _has_ended(candidates: Mapping[int, Candidate], rung: int) -> bool:
    trial = candidates[rung].replicas.get(0) if rung in candidates else None
    return trial is not None and isinstance(trial.outcome, Finished | Diverged)


def _losses(trial: Trial, mode: Mode) -> Sequence[float]:
    sign = 1 if mode == "min" else -1
    return [sign * evaluation.value for evaluation in trial.curve]


def _nothing_between(known: Mapping[int, Standing]) -> bool:
    """Whether one rung was too slow for the budget and the next one too bold."""
    too_bold = (State.DIVERGED, State.DEAD)
    return any(
        standing.state is State.SLOW and rung + 1 in known and known[rung + 1].state in too_bold
        for rung, standing in known.items()
    )
