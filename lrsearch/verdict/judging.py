"""From the trials of a search to what they say."""

from collections.abc import Iterable, Sequence

from lrsearch.averages import deviation_of, mean_of
from lrsearch.strategies import Assessment, Candidate, Ending, NoneLearned, Trained, candidates_of
from lrsearch.task.model import Mode, Prefer, Searched, SearchSettings
from lrsearch.trial import SearchId, Trial
from lrsearch.verdict.learning import did_not_learn
from lrsearch.verdict.regret import confidence_at
from lrsearch.verdict.units import evaluations_of, measure_of
from lrsearch.verdict.verdict import Row, Verdict

_ROUNDING = 1e-12
"""By how much a rival must be worse than the choice, as a fraction: means are rounded, and equal ones tie."""


def judge(
    search: SearchId,
    searched: Searched,
    ending: Ending,
    trials: Sequence[Trial],
    mode: Mode,
    settings: SearchSettings,
    looks: Sequence[int],
) -> Verdict:
    """Weigh the evidence of a search that has ended.

    The choice is compared with the candidates that ran to their ends with all its seeds, unless the data show that
    they did not learn. Of one that was stopped or skipped nothing is claimed; one left behind by an earlier look was
    found worse there. There is no bound without a rival, nor where no seed makes a difference to any, nor where a race
    ended a neighbour of the choice.

    Args:
        search: which search.
        searched: its ladder.
        ending: how the strategy ended it.
        trials: all its trials.
        mode: whether the metric is to be low or high.
        settings: the tolerance, what kind the metric is of, and which of several that may be the best is chosen.
        looks: the numbers of seeds at which the search may be judged; there is one bound for all.
    """
    candidates = candidates_of(trials)
    best = None if isinstance(ending, NoneLearned) else candidates[ending.rung]
    chosen, bound, ties, measure, amount = best, None, [], None, None
    if best is not None and not isinstance(ending, Trained):  # where there is nothing to choose between
        rivals = _rivals(searched, candidates, best, mode)
        confidence, values = confidence_at(len(looks)), evaluations_of(trials)
        measure = measure_of(best, values, mode, settings.kind)
        contenders = {best.rung, *_ties(measure.losses(best, rivals, confidence), rivals)}
        chosen = candidates[_preferred(contenders, best.rung, settings.prefer)]
        rivals = _rivals(searched, candidates, chosen, mode)
        measure = measure_of(chosen, values, mode, settings.kind)
        lost = measure.losses(chosen, rivals, confidence)
        unknown = settings.race and _unknown_beside(chosen, candidates, rivals)
        if not unknown and (loss := _bound(chosen, rivals, lost)) is not None:
            bound, amount = measure.in_unit(loss), measure.in_own_units(loss, chosen, rivals.values())
        ties = sorted(contenders - {chosen.rung})
    return Verdict(
        search=search,
        ending=ending,
        chosen=searched.ladder.value(chosen.rung) if chosen else None,
        rows=tuple(rows_of(searched, candidates.values(), chosen, mode)),
        regret_at_most=bound,
        loses_at_most=amount,
        measure=measure,
        tolerance=settings.tolerance,
        ties=tuple(searched.ladder.value(rung) for rung in ties),
        iterations=sum(trial.iterations for trial in trials),
    )


def assess(
    search: SearchId,
    searched: Searched,
    ending: Ending,
    trials: Sequence[Trial],
    mode: Mode,
    settings: SearchSettings,
    looks: Sequence[int],
) -> Assessment:
    """Say whether a search that may end here is resolved, and whether more seeds could resolve it.

    Args as for ``judge``; ``trials`` are those of the seeds that have been looked at.
    """
    verdict = judge(search, searched, ending, trials, mode, settings, looks)
    candidates = candidates_of(trials)
    contenders = frozenset(
        rung for rung in candidates if searched.ladder.value(rung) in (verdict.chosen, *verdict.ties)
    )
    assert not isinstance(ending, NoneLearned)
    best = candidates[ending.rung]
    rivals = {rung: candidates[rung] for rung in contenders if rung != best.rung}
    # Seeds for the best alone compare it with nothing.
    hopeless = (
        verdict.regret_at_most is None
        or not rivals
        or not measure_of(best, evaluations_of(trials), mode, settings.kind).may_be_resolved(
            best, rivals, settings.tolerance, looks
        )
    )
    return Assessment(verdict.resolved, hopeless, contenders)


def rows_of(
    searched: Searched, candidates: Iterable[Candidate], chosen: Candidate | None, mode: Mode
) -> list[Row]:
    """Give a row a candidate, lowest rung first; differences are paired by seed with ``chosen``."""
    rows = []
    for candidate in candidates:
        values = list(candidate.values.values())
        differences = (
            _paired_differences(candidate, chosen, mode) if chosen and candidate.mean is not None else []
        )
        rows.append(
            Row(
                rung=candidate.rung,
                value=searched.ladder.value(candidate.rung),
                seeds=sum(trial.ended for trial in candidate.replicas.values()),
                learned=candidate.learned(mode),
                mean=candidate.mean,
                std=deviation_of(values) if candidate.mean is not None and len(values) > 1 else None,
                difference=mean_of(differences) if differences else None,
                difference_error=deviation_of(differences) / len(differences) ** 0.5
                if len(differences) > 1
                else None,
                diverged=candidate.diverged,
            )
        )
    return rows


def _rivals(
    searched: Searched, candidates: dict[int, Candidate], chosen: Candidate, mode: Mode
) -> dict[int, Candidate]:
    lowest, highest = searched.ladder.rungs_within(*searched.limits)
    return {
        rung: candidate
        for rung, candidate in candidates.items()
        # One with fewer seeds than the chosen one was left behind by the bracket: it has no pairs to compare.
        if candidate is not chosen
        and lowest <= rung <= highest
        and candidate.values.keys() >= chosen.values.keys()
        and not candidate.diverged
        and not did_not_learn(candidate, mode)
    }


def _preferred(contenders: Iterable[int], best: int, prefer: Prefer) -> int:
    """Give the rung to choose; on every ladder values rise with the rungs."""
    return {"lowest": best, "largest": max(contenders), "smallest": min(contenders)}[prefer]


def _unknown_beside(
    chosen: Candidate, candidates: dict[int, Candidate], rivals: dict[int, Candidate]
) -> bool:
    """Whether a heuristic ended a neighbour of the chosen candidate, of which nothing can be said then."""
    beside = (candidates.get(chosen.rung - 1), candidates.get(chosen.rung + 1))
    return any(
        candidate is not None
        and candidate.rung not in rivals
        and not candidate.diverged
        and candidate.values.keys() < chosen.values.keys()
        for candidate in beside
    )


def _bound(chosen: Candidate, rivals: dict[int, Candidate], lost: dict[int, float]) -> float | None:
    """The largest of what may be lost; None where nothing says how much chance does: no rival, no spread over seeds."""
    spread = any(len(set(candidate.values.values())) > 1 for candidate in (chosen, *rivals.values()))
    return max(0.0, *lost.values()) if lost and spread else None


def _ties(lost: dict[int, float], rivals: dict[int, Candidate]) -> list[int]:
    """The rivals to which something may be lost, those that are exactly as good included."""
    return [rung for rung in rivals if lost.get(rung, 1.0) >= -_ROUNDING]


def _paired_differences(candidate: Candidate, chosen: Candidate, mode: Mode) -> list[float]:
    sign = 1 if mode == "min" else -1
    own, other = candidate.values, chosen.values
    return [sign * (own[seed] - other[seed]) for seed in own.keys() & other.keys()]
