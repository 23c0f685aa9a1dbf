"""What a search still has to train, at the least: the strategy itself is asked, with made-up outcomes."""

from collections.abc import Sequence
from dataclasses import replace

from lrsearch.search import Launch, candidates_of
from lrsearch.searches import SearchState, strategy_for
from lrsearch.task.model import Mode, Task
from lrsearch.trial import Diverged, Evaluation, Finished, Outcome, Trial, TrialSpec


def trainings_ended(state: SearchState) -> int:
    """Count the trainings of a search that have ended."""
    return sum(trial.ended for trial in state.trials) - len(state.failures)


def trainings_left(task: Task, state: SearchState) -> int:
    """Count the trainings that must yet end before the search can: running ones, and the fewest that follow.

    It is a lower bound, reached if one of the candidates in hand, or the next, is the best and all beside it are
    worse. A search that has ended has none left.
    """
    if state.verdict is not None:
        return 0
    hoped_for = {trial.spec.rung for trial in state.trials}
    if isinstance(decision := strategy_for(task, state.search).decide(_without_failures(state)), Launch):
        hoped_for |= {rung for rung, _ in decision.replicas}
    return min(_left_if_best(task, state, rung) for rung in (*sorted(hoped_for), None))


def _left_if_best(task: Task, state: SearchState, best: int | None) -> int:
    """How many trainings are left if ``best`` turns out best and all else that is not known yet diverges.

    With None, it is the first candidate that is launched once all of those in hand have diverged.
    """
    strategy = strategy_for(task, state.search)
    known = _without_failures(state)
    trials = [trial if trial.ended else _ended(trial, best, known, task.metric.mode) for trial in known]
    made_up = sum(not trial.ended for trial in known)
    in_hand = {trial.spec.rung for trial in known}
    while isinstance(decision := strategy.decide(trials), Launch):
        if best is None:
            best = next((rung for rung, _ in decision.replicas if rung not in in_hand), None)
        for rung, seed in decision.replicas:
            trial = Trial(f"made up {made_up}", TrialSpec(state.search, rung, seed, {}))
            trials.append(_ended(trial, best, known, task.metric.mode))
            made_up += 1
    return made_up


def _ended(trial: Trial, best: int | None, known: Sequence[Trial], mode: Mode) -> Trial:
    outcome = _good_outcome(known, trial.spec.rung, mode) if trial.spec.rung == best else Diverged(0)
    return replace(trial, curve=trial.curve or (Evaluation(0, 0.0),), outcome=outcome)


def _good_outcome(known: Sequence[Trial], rung: int, mode: Mode) -> Outcome:
    """How the other seeds of a candidate ended, or, if none has, what surely counts as learned and best."""
    candidate = candidates_of(known).get(rung)
    values = list(candidate.values.values()) if candidate else []
    return Finished(values[0] if values else -1e300 if mode == "min" else 1e300)


def _without_failures(state: SearchState) -> list[Trial]:
    failed = {trial.id for trial in state.failures}
    return [trial for trial in state.trials if trial.id not in failed]
