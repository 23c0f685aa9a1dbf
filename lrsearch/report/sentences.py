"""What a search concluded, or why it has not, as one sentence of plain English."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lrsearch.report.bounds import OF, loss_text
from lrsearch.report.findings import Finding, Mark, best_candidate, findings, last_line
from lrsearch.report.numbers import (
    and_text,
    count_text,
    difference_text,
    metric_text,
    percent_text,
    spread_text,
    value_text,
)
from lrsearch.report.recipe import is_peak
from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.report.starts import held_text
from lrsearch.searches import SearchState, alike_text, nothing_to_wait_for, strategy_of
from lrsearch.strategies import AtLimit, Cause, NoneLearned, Resolve, Trained, candidates_of
from lrsearch.task.horizon import horizon_text
from lrsearch.task.model import Mode, Task
from lrsearch.trial import Diverged, Failed, SearchId
from lrsearch.verdict import CONFIDENCE, Row, Verdict

_TIMES = 10
"""From here on a percentage says less than words."""
_ALIKE = 0.02
"""Rungs next to each other whose means differ from the best by less train alike, from three on."""
_LITTLE = 0.05
"""Of where a loss began, or of what there was to learn: of less the budget may be too short to tell."""


def sentence(task: Task, state: SearchState, states: Mapping[SearchId, SearchState] | None = None) -> str:
    """Return where a search stands in one sentence: what it chose and how sure that is, or what is in the way.

    A second one says whether the rule held by which it began, if one did.

    ``states`` are all searches of the task; with them, one that waits for one that found nothing says so.
    """
    if state.failures:
        return _failed(state)
    if state.verdict is None:
        return _unfinished(task, state, states or {})
    match state.verdict.ending:
        case NoneLearned():
            said = _none_learned(task, state)
        case Trained():
            return _trained(task, state)
        case AtLimit(side=side):
            said = _at_limit(task, state, state.verdict, side) + _caution(task, state.verdict)
        case _:
            said = _bracketed(task, state, state.verdict) + _caution(task, state.verdict)
    return f"{said} {held}" if (held := held_text(state)) else said


def limits_key(search: SearchId) -> str:
    """Name the key of the task file that holds a search's limits."""
    return f"search.limits.{search.hyperparameter}"


def _bracketed(task: Task, state: SearchState, verdict: Verdict) -> str:
    below, above = verdict.bracket
    if preferred := _preferred(task, state, verdict):
        choice = f"{_choice(task, state, verdict)}: {preferred}"
        return f"{choice}, {_mean(task, verdict)}; {_evidence(task, state, verdict)}.{_plateau(task, state)}"
    match below, above:
        case None, float():
            place = f"the lowest there is, and {value_text(above)} is worse"
        case float(), None:
            place = f"the highest there is, and {value_text(below)} is worse"
        case _:
            place = f"bracketed by {_value(below)} and {_value(above)}"
    evidence = f"{_mean(task, verdict)}; {_evidence(task, state, verdict)}.{_plateau(task, state)}"
    return f"{_choice(task, state, verdict)}: {place}, {evidence}"


def _trained(task: Task, state: SearchState) -> str:
    """Of an entry of a comparison, at its one rate: where it ended."""
    (candidate,) = candidates_of(state.trials).values()
    rate = f"{state.search.entry} at {value_text(state.searched.guess)}"
    if candidate.diverged:
        seeds = and_text(str(seed) for seed in candidate.diverged)
        return f"{rate}: diverged with seed{'s' * (len(candidate.diverged) > 1)} {seeds}."
    row = state.verdict.chosen_row if state.verdict else None
    assert row is not None, "an entry that was trained has a row"
    assert row.mean is not None, "seeds that neither diverged nor failed have a mean"
    return f"{rate}: {task.metric.name} {spread_text(row.mean, row.std)} over {_seeds(row)}."


def _at_limit(task: Task, state: SearchState, verdict: Verdict, side: str) -> str:
    lowest, highest = state.searched.limits
    limit, beyond = (lowest, "lower") if side == "lowest" else (highest, "higher")
    preferred = (words := _preferred(task, state, verdict)) and f"{words}; "
    place = f"the best lies at the {side} limit ({value_text(limit)})"
    if side == "lowest" and verdict.bracket[0] is not None:
        place = f"every rate below it, down to the lowest limit ({value_text(limit)}), diverged or died"
    return (
        f"{_choice(task, state, verdict)}: {preferred}{place}, "
        f"so what is beyond it is unknown, {_mean(task, verdict)}; "
        f"give a {beyond} limit in {limits_key(state.search)} and run again."
    )


def _caution(task: Task, verdict: Verdict) -> str:
    """What is wrong with the chosen value beside its evidence, as a sentence of its own."""
    assert verdict.chosen is not None, "a search that found something chose it"
    problem = horizon_text(task, verdict.search, verdict.chosen)
    return (f" But {problem}." if problem else "") + _too_short(verdict)


def _plateau(task: Task, state: SearchState) -> str:
    """Return which rates beside each other train alike, if there are several beside the chosen one."""
    found = {finding.rung: finding for finding in findings(task, state)}
    chosen = next(rung for rung, finding in found.items() if finding.mark is Mark.CHOSEN)
    lowest = highest = chosen
    while _is_alike(found.get(lowest - 1)):
        lowest -= 1
    while _is_alike(found.get(highest + 1)):
        highest += 1
    if highest - lowest < 2:
        return ""
    values = [value_text(found[rung].value) for rung in (lowest, highest)]
    return f" {values[0]} to {values[1]} train alike, within {100 * _ALIKE:g} %."


def _is_alike(finding: Finding | None) -> bool:
    return finding is not None and finding.relative is not None and abs(finding.relative) <= _ALIKE


def _too_short(verdict: Verdict) -> str:
    """Return how much was learned where it is so little that another budget may well have another best rate."""
    measure = verdict.measure
    if measure is None or measure.improved is None or measure.improved >= _LITTLE:
        return ""
    much = percent_text(measure.improved)
    gained = (
        f"ended {much} below where it began" if measure.whole is None else f"learned {much} of what there was"
    )
    return f" It {gained}, so the budget may be too short to tell."


def _preferred(task: Task, state: SearchState, verdict: Verdict) -> str:
    """Return by what another than the one with the best mean was chosen; nothing if it was not."""
    assert not isinstance(verdict.ending, NoneLearned), "what found nothing prefers nothing"
    best = state.searched.ladder.value(verdict.ending.rung)
    if verdict.chosen == best:
        return ""
    prefer = task.settings.prefer
    return (
        f"the {prefer} of those that may be the best (search.prefer: {prefer}), "
        f"though {value_text(best)} has the best mean"
    )


def _none_learned(task: Task, state: SearchState) -> str:
    """Return that nothing was chosen, why as far as the trainings show it, and what to do about it."""
    assert state.verdict is not None, "a search that found nothing has ended"
    assert isinstance(state.verdict.ending, NoneLearned)
    values = [state.searched.ladder.value(rung) for rung in candidates_of(state.trials)]
    metric, span = task.metric.name, f"from {value_text(min(values))} to {value_text(max(values))}"
    other: Mode = "max" if task.metric.mode == "min" else "min"
    finished = [candidate for candidate in candidates_of(state.trials).values() if candidate.mean is not None]
    why, remedy = "", ""
    match state.verdict.ending.cause:
        case Cause.ALIKE:
            name = state.search.hyperparameter
            read = "trial.lr" if name == "lr" else f"trial.hyperparameters[{name!r}]"
            why = f"all {len(values)} candidates {span} gave exactly the same results with each seed"
            remedy = f"{name} seems not to be used: give it to the optimizer ({read} in a loop), "
            remedy += "or report a finer metric"
        case Cause.WRONG_MODE:
            why = f"{metric} moves smoothly the other way at every rate that did not kill the training"
            remedy = f"did you mean metric.mode: {other}?"
        case Cause.TURNS_BACK:
            why = f"{metric} was better in between than at its beginning and its end, at every rate that did not kill"
            remedy = (
                "it overfits, which no rate cures: decide by the best evaluation, as early stopping keeps it "
                "(metric: {take: best}), or train shorter (budget.iterations)"
            )
        case Cause.NOT_FINITE:
            at = _not_finite_at(state)
            why = f"{metric} improves and then is NaN or infinite at iteration {at}, at rates a factor of 100 apart"
            remedy = (
                "this is the metric, the data or the schedule, not the learning rate: see what happens there"
            )
        case Cause.TOO_SHORT:
            slow = max(
                v for v, c in zip(values, candidates_of(state.trials).values(), strict=True) if not c.diverged
            )
            why = f"at {value_text(slow)} and below the training is too slow for its budget, and above it is too bold"
            remedy = "train longer (budget.iterations), or search with a warm-up (recipe.warmup)"
        case None:
            why = f"none of the {len(values)} candidates {span} ended 1 % better than it began"
            away = finished and all(candidate.learned(other) for candidate in finished)
            remedy = (
                f"but all that finished changed the other way: did you mean metric.mode: {other}?"
                if away
                else (
                    "check the workload's data and loss, train longer (budget.iterations), "
                    f"or widen {limits_key(state.search)}"
                )
            )
    return f"{state.search}: nothing chosen, since {why}; {remedy}{'' if remedy.endswith('?') else '.'}"


def _not_finite_at(state: SearchState) -> int:
    ends = Counter(t.outcome.iteration for t in state.trials if isinstance(t.outcome, Diverged))
    return ends.most_common(1)[0][0]


def _failed(state: SearchState) -> str:
    failed = state.failures[0]
    assert isinstance(failed.outcome, Failed)
    value = value_text(state.searched.ladder.value(failed.spec.rung))
    more = f" (and {len(state.failures) - 1} more)" if len(state.failures) > 1 else ""
    return (
        f"{state.search}: the training at {value} with seed {failed.spec.seed} failed{more}: "
        f"{last_line(failed.outcome.error)}; mend the cause and run again, what has ended is kept."
    )


def _unfinished(task: Task, state: SearchState, states: Mapping[SearchId, SearchState]) -> str:
    if state.waiting_for:
        names = and_text(str(search) for search in state.waiting_for)
        if nothing_to_wait_for(state, states):
            return f"{state.search}: not searched, since it needs a value from {names}, which found nothing."
        return f"{state.search}: waits for {names}."
    to_go = f"at least {count_text(trainings_left(task, state), 'training')} to go"
    best = best_candidate(task, state)
    if best is None or best.mean is None:
        return f"{state.search}: no candidate has ended and learned yet, {to_go}."
    value = value_text(state.searched.ladder.value(best.rung))
    ended = count_text(trainings_ended(state), "training")
    mean = f"mean {task.metric.name} {metric_text(best.mean)}"
    return f"{state.search}: {value} is best after {ended} ({mean}), {to_go}."


def _evidence(task: Task, state: SearchState, verdict: Verdict) -> str:
    """How much the choice may lose, to which, and what that does not cover."""
    found = findings(task, state)
    ties = [finding for finding in found if finding.mark is Mark.TIE]
    uncovered = _ended_by_heuristic(task, state, found)
    words = f"{and_text(_tie(tie) for tie in ties)} may still be as good, and " if ties else ""
    if verdict.regret_at_most is None:
        why = _no_bound(task, state, verdict, found)
        covered = f"; this does not cover {uncovered}" if uncovered else ""
        return f"{words}how much it may lose to the best cannot be said{why}{covered}"
    sure = f"with {percent_text(CONFIDENCE)} confidence"
    looked = seeds_looked_at(task, state)
    resolved = f", resolved with {count_text(looked[-1], 'seed')}" if looked and verdict.resolved else ""
    beyond = f"; this does not cover {uncovered}" if uncovered else ""
    if verdict.regret_at_most >= _TIMES and verdict.regret_of == "value":
        open_ = f"whether it loses more than {_TIMES} times its mean to the best of those trained is open"
        return f"{words}{open_}{_remedy(task, looked)}{beyond}"
    if verdict.regret_at_most == 0:
        return f"{sure} it is the best of those trained{resolved}{beyond}"
    words += loss_text(verdict, task.metric.name)
    if verdict.resolved:
        return f"{words}{resolved}{beyond}"
    tolerance = f"{100 * verdict.tolerance:g} %{OF[verdict.regret_of] if verdict.regret_at_most >= 1 else ''}"
    return f"{words}, more than the tolerance of {tolerance}{_remedy(task, looked)}{beyond}"


def _remedy(task: Task, looked: tuple[int, ...]) -> str:
    """What would resolve the choice, or why what was tried did not."""
    most = task.settings.max_seeds
    if not looked:
        return ", so more seeds would tell: write search: {resolve: true}, or a larger number of seeds"
    if looked[-1] == most:
        return f", with all the {most} seeds that search.max_seeds allows"
    return (
        f"; it ended with {looked[-1]} seeds, as {most} would hardly resolve it: "
        "give a larger search.max_seeds or tolerance"
    )


def _no_bound(task: Task, state: SearchState, verdict: Verdict, found: Sequence[Finding]) -> str:
    """What keeps a bound from being had, and the remedy if there is one."""
    row = verdict.chosen_row
    if state.seeds_alike is not None:
        return f": {alike_text(state.seeds_alike)}"
    if row is not None and row.seeds < 2:
        return " from 1 seed; write seeds: 3, or more"
    if any(finding.mark in (Mark.TIE, Mark.WORSE) for finding in found):
        return "" if task.settings.race else ": no seed makes a difference to any"
    if any(finding.mark in (Mark.LEFT, Mark.STOPPED) for finding in found):
        return ": no other was trained with all its seeds"
    return ": nothing else learned, so there is nothing to compare it with"


def seeds_looked_at(task: Task, state: SearchState) -> tuple[int, ...]:
    """Return how many seeds each look of a search had that adds seeds until it is resolved; nothing for others."""
    strategy = strategy_of(task, state)
    if not isinstance(strategy, Resolve):
        return ()
    return strategy.looks[: strategy.decide_with_look(state.evidence)[1] + 1]


def _ended_by_heuristic(task: Task, state: SearchState, found: Iterable[Finding]) -> str:
    """Name what was not trained to the end though it might be the best; what is proved worse does not count."""
    plain = replace(task, settings=replace(task.settings, race=False, screen=None, resolve=False))
    proved = {skip.rung for skip in strategy_of(plain, state).skips(state.evidence)}
    values = [
        value_text(finding.value)
        for finding in found
        if finding.mark in (Mark.STOPPED, Mark.LEFT) and finding.skipped and finding.rung not in proved
    ]
    return f"{and_text(values)}, which a heuristic ended early" if values else ""


def _tie(finding: Finding) -> str:
    if finding.relative is None:
        return value_text(finding.value)
    worse = "worse" if finding.relative >= 0 else "better"
    size, value = abs(finding.relative), value_text(finding.value)
    if finding.of_learned and size > 1:
        return f"{value} ({worse} by {difference_text(size, None, of_learned=True)})"
    if finding.relative >= _TIMES - 1:
        return f"{value} ({difference_text(size, None)})"
    return f"{value} ({difference_text(size, finding.relative_error)} {worse})"


def _choice(task: Task, state: SearchState, verdict: Verdict) -> str:
    peak = " at its peak" if is_peak(task, state.search) else ""
    return f"{state.search} = {_value(verdict.chosen)}{peak}"


def _mean(task: Task, verdict: Verdict) -> str:
    row = verdict.chosen_row
    assert row is not None, "a search that chose has the chosen candidate's row"
    assert row.mean is not None, "a candidate that was chosen has learned"
    return f"mean {task.metric.name} {spread_text(row.mean, row.std)} over {_seeds(row)}"


def _seeds(row: Row | None) -> str:
    return count_text(row.seeds, "seed") if row else "no seed"


def _value(value: float | None) -> str:
    return "nothing" if value is None else value_text(value)
