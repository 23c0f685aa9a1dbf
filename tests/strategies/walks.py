"""Searches over made-up trainings, with any number of workers in any order: what a coordinator and an engine do."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lrsearch.strategies import Done, Ending, Launch, Stop, Strategy
from lrsearch.trial import Diverged, Evaluation, Finished, SearchId, Stopped, Trial, TrialSpec

SEARCH = SearchId("sgd", "lr")
INITIAL = 2.3
EVALUATIONS = tuple(range(50, 1001, 50))
"""Iterations after which a made-up training is evaluated; the last one is its budget."""

Losses = Callable[[int, int], Sequence[float]]
"""The losses of a rung and a seed, NaN where it diverged: at ``EVALUATIONS``, or four that stand for a quarter each."""


def at_evaluations(curve: Sequence[float]) -> list[float]:
    return [curve[i * len(curve) // len(EVALUATIONS)] for i in range(len(EVALUATIONS))]


@dataclass(frozen=True)
class Walk:
    """How a search went."""

    ending: Ending
    trials: tuple[Trial, ...]

    @property
    def iterations(self) -> int:
        return sum(trial.iterations for trial in self.trials)

    @property
    def trained(self) -> dict[int, set[int]]:
        """The seeds that ran to their own end, by rung."""
        found: dict[int, set[int]] = {}
        for trial in self.trials:
            if not isinstance(trial.outcome, Stopped):
                found.setdefault(trial.spec.rung, set()).add(trial.spec.seed)
        return found


def walk(strategy: Strategy, losses: Losses, workers: int = 1, order: random.Random | None = None) -> Walk:
    """Search to the end. With ``order`` the replicas that run go on by turns drawn from it, else round about."""
    ended: list[Trial] = []
    running: list[Trial] = []
    for _ in range(10_000):
        decision = strategy.decide([*ended, *running])
        if isinstance(decision, Done):
            return Walk(decision.ending, (*ended, *running))
        if isinstance(decision, Stop):
            reasons = dict(decision.replicas)
            assert reasons.keys() <= {trial.id for trial in running}, "only what runs can be stopped"
            ended += [replace(t, outcome=Stopped(reasons[t.id])) for t in running if t.id in reasons]
            running = [trial for trial in running if trial.id not in reasons]
            continue
        if isinstance(decision, Launch) and len(running) < workers:
            rung, seed = decision.replicas[0]
            spec = TrialSpec(SEARCH, rung, seed, {"lr": 3.0**rung})
            name = f"sgd/lr/{len(ended) + len(running)}/{len(ended)}"
            running.append(Trial(name, spec, (Evaluation(0, INITIAL),)))
            continue
        assert running, f"{decision} with nothing running goes on for ever"
        turn = 0 if order is None else order.randrange(len(running))
        trial = _gone_on(running.pop(turn), losses)
        (ended if trial.ended else running).append(trial)
    raise AssertionError("the search does not end")


def _gone_on(trial: Trial, losses: Losses) -> Trial:
    """A replica at its next evaluation, or ended."""
    at = len(trial.curve) - 1
    value = at_evaluations(losses(trial.spec.rung, trial.spec.seed))[at]
    if math.isnan(value):
        return replace(trial, outcome=Diverged(EVALUATIONS[at]))
    trial = replace(trial, curve=(*trial.curve, Evaluation(EVALUATIONS[at], value)))
    return replace(trial, outcome=Finished(value)) if at + 1 == len(EVALUATIONS) else trial


def valley(best: int, steepness: float = 0.3, noise: float = 0.02, dies_above: int | None = None) -> Losses:
    """Losses that fall with training, least at a rung, with noise by seed that is always the same."""

    def losses(rung: int, seed: int) -> list[float]:
        if dies_above is not None and rung > dies_above:
            return [math.nan] * len(EVALUATIONS)
        drawn = random.Random(f"{rung} {seed}")
        shared = random.Random(f"{seed}").gauss(0, noise)
        end = 0.3 * math.exp(steepness * abs(rung - best) + shared + drawn.gauss(0, noise))
        return [end * (1 + 2 * (1 - at / EVALUATIONS[-1])) for at in EVALUATIONS]

    return losses
