"""The searches of a task as a graph: which may run, with which other values, and where each stands.

All of it follows from the task and the trials on record, so it serves a run, its resumption and a look from outside.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from lrsearch.strategies import (
    Assessment,
    Bracket,
    Cause,
    Decision,
    Done,
    Ending,
    Fixed,
    Launch,
    NoneLearned,
    Race,
    Resolve,
    Screen,
    Skip,
    Stop,
    Strategy,
    Wait,
    all_alike,
    candidates_of,
    looks,
    seeds_alike,
    tells_apart,
)
from lrsearch.task.comparison import MEAN_SCALE
from lrsearch.task.entries import is_bolder_upward
from lrsearch.task.model import Compared, Searched, Shared, Task
from lrsearch.trial import Diverged, Failed, Finished, SearchId, Stopped, Trial
from lrsearch.verdict import Verdict, assess, at_scale, judge, mean_scale, scale_of

_TRIED_ALIKE = 4
"""Candidates that are the same before a search is given up: three rungs of the ladder, a factor of 30."""
_FAR_BELOW = 8
"""Rungs of four decades: no range of rates that all kill is as wide."""
SEEDS_ALIKE = "another seed trains exactly alike"
"""Why a training is stopped whose seed changes nothing."""


@dataclass(frozen=True, slots=True)
class SearchState:
    """Where one search stands.

    Attributes:
        search: which search.
        searched: its start, ladder and limits.
        trials: its trials that matter: those trained at the other values that the entry has now.
        counted: those of them that one worker would have trained so far, one after another, in that order. They alone
            decide, so that the outcome is the same however many train at once; in a race all trials count.
        others: the entry's other hyperparameters while this one is searched; None until they are all known.
        waiting_for: the searches whose values are not known yet.
        decision: what the strategy decides; None while ``others`` or the start is.
        verdict: the conclusion, once there is one.
        seeds_alike: two seeds that trained exactly alike, if any did: then the first seed alone counts.
    """

    search: SearchId
    searched: Searched
    trials: tuple[Trial, ...]
    others: Mapping[str, float] | None
    waiting_for: tuple[SearchId, ...]
    decision: Decision | None
    verdict: Verdict | None
    seeds_alike: tuple[int, int] | None = None
    counted: tuple[Trial, ...] = ()

    @property
    def evidence(self) -> tuple[Trial, ...]:
        """What is shown of the search: all trials while it goes on, those that counted once it has ended."""
        return self.trials if self.verdict is None else self.counted

    @property
    def failures(self) -> tuple[Trial, ...]:
        """The trials that failed; while there are any, the search does not go on."""
        return tuple(trial for trial in self.trials if isinstance(trial.outcome, Failed))


class PendingError(Exception):
    """A value is asked for that waits for a search; ``args[0]`` is the search."""

    @property
    def search(self) -> SearchId:
        """The search that is waited for."""
        search = self.args[0]
        assert isinstance(search, SearchId)
        return search


def survey(task: Task, trials: Iterable[Trial]) -> dict[SearchId, SearchState]:
    """Return the state of every search, in an order in which each comes after those that it waits for.

    Replicas that a search wants ended count as stopped: whoever runs it, if anybody does, is about to end them.
    """
    by_search: dict[SearchId, list[Trial]] = {search: [] for search in task.searches()}
    for trial in trials:
        by_search.setdefault(trial.spec.search, []).append(trial)
    states: dict[SearchId, SearchState] = {}
    for search in in_order(task):
        chosen = chosen_values(states.values())
        states[search] = state_of(task, search, by_search[search], chosen)
        while isinstance(stop := states[search].decision, Stop):
            reasons = dict(stop.replicas)
            by_search[search] = [
                replace(trial, outcome=Stopped(in_values(reasons[trial.id], states[search].searched)))
                if trial.id in reasons
                else trial
                for trial in by_search[search]
            ]
            states[search] = state_of(task, search, by_search[search], chosen)
    return states


def state_of(
    task: Task,
    search: SearchId,
    trials: Iterable[Trial],
    chosen: Mapping[SearchId, float],
    before: SearchState | None = None,
) -> SearchState:
    """Return the state of one search.

    Args:
        task: the task.
        search: which search.
        trials: all its trials on record.
        chosen: the values that other searches chose.
        before: an earlier state of it, for speed: what counted then counts now.
    """
    searched = task.searches()[search]
    others, waiting_for = _others(task, search, chosen)
    if others is None:
        return SearchState(search, searched, (), None, waiting_for, None, None)
    if isinstance(searched, Compared):
        if (scale := scale_of(searched, chosen)) is None:
            waits_for = SearchId(f"{searched.scaled_by}", search.hyperparameter)
            return SearchState(search, searched, (), None, (waits_for,), None, None)
        searched, others = at_scale(searched, others, scale)
        # A control counts at its present rate alone: with more seeds another mean scale is measured.
        trials = [t for t in trials if t.spec.hyperparameters[search.hyperparameter] == searched.start]
    current = tuple(
        _counting(
            trial
            for trial in trials
            if _without(trial, search) == others and trial.spec.seed < task.most_seeds
        )
    )
    if searched.start is None:
        return SearchState(search, searched, current, others, (), None, None)
    alike = seeds_alike(candidates_of(current).values(), task.metric.mode)
    surplus = [trial for trial in current if alike and trial.spec.seed > 0 and not trial.ended]
    if alike:
        current = tuple(trial for trial in current if trial.spec.seed == 0)
    task = _as_shown(task, current, alike)
    strategy = strategy_for(task, search)
    same = before is not None and (before.others, before.seeds_alike) == (others, alike)
    known = before.counted if before is not None and same else ()
    counted, decision, look = _in_order(task, searched, strategy, current, known)
    if not isinstance(decision, Done) and len(counted) < len(current):
        decision = _beside(decision, _unless_unused(task, searched, current, strategy.decide(current)), current)
    if surplus:
        decision = Stop(tuple((trial.id, SEEDS_ALIKE) for trial in surplus))
    verdict = None
    if isinstance(decision, Done):
        looks_at = _looks(task)
        looked_at = [trial for trial in counted if trial.spec.seed < looks_at[look]]
        verdict = judge(search, searched, decision.ending, looked_at, task.metric.mode, task.settings, looks_at)
        spent = sum(trial.iterations for trial in counted)
        if searched.proposed is not None:
            spent += searched.proposed.iterations
        verdict = replace(verdict, iterations=spent)
    return SearchState(search, searched, current, others, (), decision, verdict, alike, counted)


def _in_order(
    task: Task, searched: Searched, strategy: Strategy, trials: tuple[Trial, ...], known: Sequence[Trial]
) -> tuple[tuple[Trial, ...], Decision, int]:
    """Follow the search as one worker would have made it, as far as the trials on record go.

    Which trainings end first hangs on the machines, and with it what is skipped, and how far the walk has come. So
    what other workers trained beside counts only once a single one would have come to it.

    Args:
        task: the task as its trials have shown it.
        searched: the ladder.
        strategy: how the search goes.
        trials: those on record.
        known: the first of those that count, if that is known.

    Returns:
        The trials that count, in their order; what would be decided next; and at which look.
    """
    decide = strategy.decide_with_look if isinstance(strategy, Resolve) else lambda of: (strategy.decide(of), 0)
    if task.settings.race:  # it goes by curves as they come in
        decision, look = decide(trials)
        return trials, _unless_unused(task, searched, trials, decision), look
    ended = {(t.spec.rung, t.spec.seed): t for t in trials if isinstance(t.outcome, Finished | Diverged)}
    counted = [ended[trial.spec.rung, trial.spec.seed] for trial in known]
    while True:
        decision, look = decide(counted)
        decision = _unless_unused(task, searched, counted, decision)
        following = next(iter(decision.replicas), None) if isinstance(decision, Launch) else None
        if following in ended:
            counted.append(ended[following])
        elif following is not None and (spared := _spared_by(following, trials)) is not None:
            counted.append(spared)
        else:
            return tuple(counted), decision, look


def _spared_by(replica: tuple[int, int], trials: Iterable[Trial]) -> Trial | None:
    """Return the diverged training of a later seed for which a study of an earlier version stopped this replica."""
    rung, seed = replica
    of_rung = {trial.spec.seed: trial for trial in trials if trial.spec.rung == rung}
    if seed not in of_rung or not isinstance(of_rung[seed].outcome, Stopped):
        return None
    later = (trial for _, trial in sorted(of_rung.items()) if isinstance(trial.outcome, Diverged))
    return next(later, None)


def _beside(following: Decision, beside: Decision, trials: Sequence[Trial]) -> Decision:
    """Return what to do now: what one worker would train next comes first, then what else may be needed."""
    there = {(trial.spec.rung, trial.spec.seed): trial for trial in trials}
    wanted: list[tuple[int, int]] = []
    diverged: set[int] = set()
    for replica in following.replicas if isinstance(following, Launch) else ():
        trial = there.get(replica)
        diverged |= {replica[0]} if trial is not None and isinstance(trial.outcome, Diverged) else set()
        if replica[0] not in diverged:  # later seeds of a candidate that has diverged are spared
            wanted.append(replica)
    match beside:
        case Stop(replicas):
            needed = {there[replica].id for replica in wanted if replica in there}
            if stops := tuple((trial, why) for trial, why in replicas if trial not in needed):
                return Stop(stops)
        case Launch(replicas):
            wanted += [replica for replica in replicas if replica not in wanted]
    missing = [r for r in wanted if r not in there or isinstance(there[r].outcome, Stopped | Failed)]
    return Launch(tuple(missing)) if missing else Wait()


def task_of(task: Task, state: SearchState) -> Task:
    """Return the task as a search goes by it, after what its trainings have shown.

    Where seeds train alike there is one seed, and nothing to resolve. Where a metric was below its ``lower_bound`` that
    bounds nothing.
    """
    return _as_shown(task, state.trials, state.seeds_alike)


def _as_shown(task: Task, trials: Sequence[Trial], alike: tuple[int, int] | None) -> Task:
    if alike:
        task = replace(task, seeds=1, settings=replace(task.settings, resolve=False, screen=None))
    if below_bound(task, trials):
        task = replace(task, metric=replace(task.metric, lower_bound=None))
    return task


def alike_text(seeds: tuple[int, int]) -> str:
    """Return what it means that two seeds train exactly alike.

    >>> alike_text((0, 1)).partition(",")[0]
    'seeds 0 and 1 trained exactly alike'
    """
    one, other = seeds
    return (
        f"seeds {one} and {other} trained exactly alike, so the training does not depend on its seed (one that seeds "
        "itself, by torch.manual_seed(1) say, should leave that out or take trial.seed); no confidence is claimed"
    )


def below_bound(task: Task, trials: Iterable[Trial]) -> tuple[Trial, float] | None:
    """Return a training whose deciding metric was below ``metric.lower_bound``, with the value; None without one."""
    bound = task.metric.lower_bound
    if bound is None:
        return None
    lows = ((trial, min((e.value for e in trial.curve), default=bound)) for trial in trials)
    return next(((trial, low) for trial, low in lows if low < bound), None)


def _unless_unused(task: Task, searched: Searched, trials: Sequence[Trial], decision: Decision) -> Decision:
    """Return the decision, or the end where the value seems not to be used: whatever it is, all is the same to the bit.

    A search that has not ended must have tried some values. Where curves do not tell trainings apart (an accuracy at
    chance level, or ends alone) dead ones look the same too, so that one far below must be the same as well.
    """
    unused = Done(NoneLearned(Cause.ALIKE))
    seeds = task.settings.screen or (1 if task.settings.race else task.seeds)
    candidates = candidates_of(trials)
    complete = [c for c in candidates.values() if len(c.values) == len(c.replicas) >= seeds]
    if not all_alike(complete):
        return decision
    if isinstance(decision, Done):
        return unused if len(complete) == len(candidates) else decision
    if len(complete) < _TRIED_ALIKE or not all(c.learned(task.metric.mode) for c in complete):
        return decision
    if all(tells_apart(trial) for c in complete for trial in c.replicas.values()):
        return unused
    lowest, _ = searched.ladder.rungs_within(*searched.limits)
    far = max(lowest, min(c.rung for c in complete) - _FAR_BELOW)
    there = candidates.get(far)
    if there is None or there.missing(1):
        return Launch(((far, 0),))
    if there.running:
        return Wait()
    return unused if all_alike([*(c.first(1) for c in complete), there.first(1)]) else decision


def strategy_for(task: Task, search: SearchId) -> Strategy:
    """Make the strategy that walks a search's ladder, as the task wants it."""
    if isinstance(task.searches()[search], Compared):
        return Fixed(task.seeds)
    bracket = _bracket_for(task, search, task.searches()[search])
    walk = Race(bracket, task.budget.iterations) if task.settings.race else bracket
    first = walk if task.settings.screen is None else Screen(walk, task.settings.screen)
    return _resolving(task, search, first) if task.settings.resolve else first


def strategy_of(task: Task, state: SearchState) -> Strategy:
    """Return the strategy by which a search goes, after what its trainings have shown."""
    return strategy_for(task_of(task, state), state.search)


def in_values(reason: str, searched: Searched) -> str:
    """Return a strategy's reason with the values of the rungs that it names.

    >>> in_values("20% behind rung {-1}", Searched(0.1, "lr", (1e-8, 1e3)))
    '20% behind 0.3'
    """
    return re.sub(r"rung \{(-?\d+)\}", lambda found: f"{searched.ladder.value(int(found[1])):g}", reason)


def skips_of(task: Task, state: SearchState) -> tuple[Skip, ...]:
    """Return what of the candidates that a search began was not trained, and why."""
    return tuple(
        replace(skip, reason=in_values(skip.reason, state.searched))
        for skip in strategy_of(task, state).skips(state.evidence)
    )


def _bracket_for(task: Task, search: SearchId, searched: Searched) -> Bracket:
    ladder = searched.ladder
    lowest, highest = ladder.rungs_within(*searched.limits)
    return Bracket(
        start=ladder.rung(searched.guess),
        lowest=lowest,
        highest=highest,
        seeds=task.seeds,
        mode=task.metric.mode,
        closed_below=ladder.closed_below,
        lower_bound=task.metric.lower_bound,
        bold=is_bolder_upward(search.hyperparameter, searched.ladder_name),
        take=task.metric.take,
        patience=task.settings.patience,
    )


def _looks(task: Task) -> tuple[int, ...]:
    return looks(task.seeds, task.settings.max_seeds) if task.settings.resolve else (task.seeds,)


def _resolving(task: Task, search: SearchId, first: Strategy) -> Resolve:
    searched, looks_at = task.searches()[search], _looks(task)

    def assessed(ending: Ending, trials: Sequence[Trial]) -> Assessment:
        return assess(search, searched, ending, trials, task.metric.mode, task.settings, looks_at)

    return Resolve(first, _bracket_for(task, search, searched), looks_at, assessed)


def chosen_values(states: Iterable[SearchState]) -> dict[SearchId, float]:
    """Return what the searches that have ended chose; one that chose nothing is not among them.

    Of what a comparison trained in CProp, the mean scale is there too, as if it were a hyperparameter of the entry.
    """
    ended = [state for state in states if state.verdict is not None]
    scales = {
        SearchId(state.search.entry, MEAN_SCALE): scale
        for state in ended
        if isinstance(state.searched, Compared) and (scale := mean_scale(state.trials)) is not None
    }
    chosen = {state.search: state.verdict.chosen for state in ended if state.verdict is not None}
    return {search: value for search, value in chosen.items() if value is not None} | scales


def value_of(task: Task, name: SearchId, chosen: Mapping[SearchId, float]) -> float:
    """Return a hyperparameter's value: fixed, chosen by its search, or shared from another entry.

    Raises:
        PendingError: it waits for a search.
    """
    hyperparameter = task.entries[name.entry].hyperparameters[name.hyperparameter]
    match hyperparameter:
        case Searched():
            if name not in chosen:
                raise PendingError(name)
            return chosen[name]
        case Shared(of=of, times=times):
            # In decimals, so that 0.3 shared an eighth is 0.0375 and the same on every machine.
            return float(Decimal(repr(value_of(task, of, chosen))) * Decimal(repr(times)))
        case _:
            return hyperparameter


def hyperparameters_of(task: Task, entry: str, chosen: Mapping[SearchId, float]) -> dict[str, float]:
    """Return all numbers of an entry, ready for its constructor.

    Raises:
        PendingError: one of them waits for a search.
    """
    names = task.entries[entry].hyperparameters
    return {name: value_of(task, SearchId(entry, name), chosen) for name in names}


def in_order(task: Task) -> list[SearchId]:
    """Return the searches so that each comes after those that it waits for; a task file has no cycles."""
    ordered: list[SearchId] = []

    def visit(search: SearchId) -> None:
        if search in ordered:
            return
        # What is missing when the searches so far have chosen (a stand-in value) is what must come first.
        while waiting := _others(task, search, dict.fromkeys(ordered, 1.0))[1]:
            for earlier in waiting:
                visit(earlier)
        ordered.append(search)

    for search in task.searches():
        visit(search)
    return ordered


def nothing_to_wait_for(state: SearchState, states: Mapping[SearchId, SearchState]) -> tuple[SearchId, ...]:
    """Return what a search waits for in vain: searches that found nothing, or wait in vain themselves."""
    return tuple(
        search
        for search in state.waiting_for
        if search in states
        and (states[search].verdict is not None or nothing_to_wait_for(states[search], states))
    )


def needed_by(task: Task, entries: Collection[str]) -> list[SearchId]:
    """Return the searches of some entries and those whose values they share, each after those that it waits for."""
    needed = {search for search in task.searches() if search.entry in entries}
    for entry in entries:
        for name in task.entries[entry].hyperparameters:
            try:
                value_of(task, SearchId(entry, name), {})
            except PendingError as pending:
                needed.add(pending.search)
    for search in reversed(in_order(task)):
        if search in needed:
            needed |= {*_others(task, search, {})[1]}
    return [search for search in in_order(task) if search in needed]


def _others(
    task: Task, search: SearchId, chosen: Mapping[SearchId, float]
) -> tuple[dict[str, float] | None, tuple[SearchId, ...]]:
    """The entry's other values during a search: searches of the same entry run in the order written, and one
    whose turn is yet to come stands at its start."""
    values: dict[str, float] = {}
    waiting_for: list[SearchId] = []
    own_turn_over = False
    for name, hyperparameter in task.entries[search.entry].hyperparameters.items():
        if name == search.hyperparameter:
            own_turn_over = True
        elif own_turn_over and isinstance(hyperparameter, Searched):
            values[name] = hyperparameter.guess
        else:
            try:
                values[name] = value_of(task, SearchId(search.entry, name), chosen)
            except PendingError as pending:
                waiting_for.append(pending.search)
    own = task.searches()[search]
    if isinstance(own, Compared) and own.scaled_by is not None:
        scaled_by = SearchId(own.scaled_by, search.hyperparameter)
        waiting_for += [scaled_by] if scaled_by not in chosen else []
    return (None, tuple(waiting_for)) if waiting_for else (values, ())


def _counting(trials: Iterable[Trial]) -> Iterable[Trial]:
    """One trial a replica: one that failed or was stopped counts only until it is trained again."""
    by_replica: dict[tuple[int, int], Trial] = {}
    for trial in trials:
        replica = trial.spec.rung, trial.spec.seed
        if replica not in by_replica or isinstance(by_replica[replica].outcome, Failed | Stopped):
            by_replica[replica] = trial
    return by_replica.values()


def _without(trial: Trial, search: SearchId) -> dict[str, float]:
    return {
        name: value for name, value in trial.spec.hyperparameters.items() if name != search.hyperparameter
    }
