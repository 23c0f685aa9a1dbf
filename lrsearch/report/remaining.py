"""What a search still has to train, at the least: the strategy itself is asked, with made-up outcomes."""

from collections.abc import Sequence
from dataclasses import replace

from lrsearch.searches import SearchState, strategy_of, task_of
from lrsearch.strategies import (
    Assessment,
    Bracket,
    Ending,
    Launch,
    Race,
    Resolve,
    Screen,
    Strategy,
    candidates_of,
)
from lrsearch.task.model import Mode, Task
from lrsearch.trial import Diverged, Evaluation, Finished, Trial, TrialSpec

_MADE_UP = "made up "
"""What the ids of trainings begin with that nobody made."""


def trainings_ended(state: SearchState) -> int:
    """Count the trainings of a search that have ended."""
    return sum(trial.ended for trial in state.trials) - len(state.failures)


def trainings_left(task: Task, state: SearchState) -> int:
    """Count the trainings that must yet end before the search can: running ones, and the fewest that follow.

    It is a lower bound, reached if one of the candidates in hand, or the next, is the best, of each other one the first
    seed diverges, and that is enough to close its side. A search that gives up early may take fewer. One that has ended
    has none left.
    """
    if state.verdict is not None:
        return 0
    task = task_of(task, state)
    strategy = _hopeful(strategy_of(task, state))
    known = _without_failures(state)
    running = sum(not trial.ended for trial in known)
    decision = strategy.decide(known)
    strategy = _where_all_close(strategy)
    if_none_learns = _launched_if_best(task, state, strategy, known, None)
    in_hand = [trial.spec.rung for trial in known]
    hoped_for = {*in_hand}
    if isinstance(decision, Launch):
        hoped_for |= {rung for rung, _ in decision.replicas}
    # The first that is launched once all in hand have diverged.
    hoped_for |= {*[rung for rung in if_none_learns if rung not in in_hand][:1]}
    ways = [if_none_learns, *(_launched_if_best(task, state, strategy, known, rung) for rung in hoped_for)]
    fewest = min(len(launched) for launched in ways)
    return max(running + fewest, int(isinstance(state.decision, Launch)))


def _launched_if_best(
    task: Task, state: SearchState, strategy: Strategy, known: Sequence[Trial], best: int | None
) -> list[int]:
    """The rungs of the trainings that follow if ``best`` turns out best and all else not known yet diverges."""
    trials = [trial if trial.ended else _ended(trial, best, task.metric.mode) for trial in known]
    if task.settings.race:
        trials += _raced_out(state, known, best, task.seeds)
    launched: list[int] = []
    start = state.searched.ladder.rung(state.searched.guess)
    while isinstance(decision := strategy.decide(trials), Launch):
        # One at a time: the first seed of a candidate that diverges saves the others.
        rung, seed = decision.replicas[0]
        trials.append(_ended(_training(state, rung, seed, f"launched {len(trials)}"), best, task.metric.mode))
        # Where the start diverges the rung above it is not asked for, unless nothing below learns.
        unasked = rung == start + 1 and any(t.spec.rung == start and _diverged(t) for t in trials)
        if not unasked or best in (rung, None):
            launched.append(rung)
    return launched


def _diverged(trial: Trial) -> bool:
    return isinstance(trial.outcome, Diverged)


def _raced_out(state: SearchState, known: Sequence[Trial], best: int | None, seeds: int) -> list[Trial]:
    """A divergence for every other candidate that is half trained: any that runs may show it to be behind."""
    return [
        replace(_training(state, rung, missing[0], "out"), curve=(Evaluation(0, 0.0),), outcome=Diverged(0))
        for rung, candidate in candidates_of(known).items()
        if rung != best and (missing := [seed for seed in range(seeds) if seed not in candidate.replicas])
    ]


def _training(state: SearchState, rung: int, seed: int, name: str) -> Trial:
    return Trial(f"{_MADE_UP}{name}", TrialSpec(state.search, rung, seed, {}))


def _ended(trial: Trial, best: int | None, mode: Mode) -> Trial:
    good = Finished(-1e300 if mode == "min" else 1e300)
    return replace(
        trial,
        id=trial.id if trial.id.startswith(_MADE_UP) else f"{_MADE_UP}{trial.id}",
        curve=trial.curve or (Evaluation(0, 0.0),),
        outcome=good if trial.spec.rung == best else Diverged(0),
    )


def _hopeful(strategy: Strategy) -> Strategy:
    """The strategy, content with whatever evidence has something made up in it; the real one is weighed once."""
    if not isinstance(strategy, Resolve):
        return strategy
    weighed: dict[tuple[Ending, frozenset[str]], Assessment] = {}

    def assess(ending: Ending, trials: Sequence[Trial]) -> Assessment:
        if any(trial.id.startswith(_MADE_UP) for trial in trials):
            return Assessment(resolved=True, hopeless=False, contenders=frozenset())
        evidence = ending, frozenset(trial.id for trial in trials if trial.ended)
        if evidence not in weighed:
            weighed[evidence] = strategy.assess(ending, trials)
        return weighed[evidence]

    return replace(strategy, assess=assess)


def _where_all_close(strategy: Strategy) -> Strategy:
    """The strategy on a ladder where nothing says that a rung is too high: that takes fewest trainings."""
    match strategy:
        case Bracket():
            return replace(strategy, bold=False)
        case Race():
            return replace(strategy, bracket=replace(strategy.bracket, bold=False))
        case Screen():
            confirm = _where_all_close(strategy.confirm)
            assert isinstance(confirm, Bracket | Race)
            return replace(strategy, confirm=confirm)
        case Resolve():
            bracket = replace(strategy.bracket, bold=False)
            return replace(strategy, first=_where_all_close(strategy.first), bracket=bracket)
    return strategy


def _without_failures(state: SearchState) -> list[Trial]:
    failed = {trial.id for trial in state.failures}
    return [trial for trial in state.trials if trial.id not in failed]
