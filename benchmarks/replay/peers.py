"""Optuna's samplers and pruners on the same ladder and the same recorded trainings."""

import warnings
from collections.abc import Callable

import numpy as np
import optuna
from lr_find import nearest
from optuna.distributions import FloatDistribution
from optuna.pruners import SuccessiveHalvingPruner, WilcoxonPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler
from ours import Case, Found, Trainer

from lrsearch.ladder import LR

WIDTH = 4
"""They look as far as four rungs from the start, so that the best is always within reach."""
STARTUP = 2
"""Random trials before a sampler's model; by default it is 10, more than there are iterations for."""
REPEATS = 5
"""A rung that was trained already costs nothing again; a sampler that proposes such ones so often on end is done."""

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "random search": lambda seed: RandomSampler(seed),
    "Optuna TPE": lambda seed: TPESampler(n_startup_trials=STARTUP, seed=seed),
    "Optuna CMA-ES": lambda seed: CmaEsSampler(n_startup_trials=1, seed=seed),
    "Optuna GP": lambda seed: GPSampler(n_startup_trials=STARTUP, seed=seed),
}


def sampled(case: Case, name: str) -> Found:
    """Trials of three seeds each at rates that a sampler proposes, until the paper's iterations are spent."""
    low, high = ladder(case)[0], ladder(case)[-1]
    space = FloatDistribution(LR.value(low), LR.value(high), log=True)
    study = optuna.create_study(sampler=SAMPLERS[name](case.seed))
    trainer = Trainer(case.recording, case.order)
    repeats = 0
    while trainer.iterations < case.iterations and repeats < REPEATS:
        trial, before = study.ask({"lr": space}), trainer.iterations
        study.tell(trial, trainer.mean(nearest(case, trial.params["lr"])))
        repeats = repeats + 1 if trainer.iterations == before else 0
    return Found(trainer.best, trainer.iterations)


def halved(case: Case) -> Found:
    """Every rung of the ladder in a random order, under Optuna's asynchronous successive halving (arXiv:1810.05934).

    The three seeds of a candidate train side by side; their mean is reported at each evaluation.
    """
    study = optuna.create_study(pruner=SuccessiveHalvingPruner(min_resource=2, reduction_factor=3))
    recording, seeds = case.recording, list(case.order[:3])
    spent, ends = 0, {}
    for rung in shuffled(case):
        curves = recording.values[recording.index(rung), seeds].mean(axis=0)
        trial = study.ask()
        for evaluation in range(1, len(curves)):
            spent += 3 * int(recording.iterations[evaluation] - recording.iterations[evaluation - 1])
            if np.isnan(curves[evaluation]):
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                break
            trial.report(float(curves[evaluation]), evaluation)
            if evaluation < len(curves) - 1 and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            ends[rung] = float(curves[-1])
            study.tell(trial, ends[rung])
    return Found(min(ends, key=lambda rung: ends[rung], default=None), spent)


def compared(case: Case, seeds: int = 10) -> Found:
    """Every rung of the ladder in a random order, seed by seed under Optuna's Wilcoxon pruner.

    It needs at least four pairs before it can prune at its default of 0.1, so candidates have up to ten seeds.
    """
    study = optuna.create_study(pruner=WilcoxonPruner())
    recording = case.recording
    spent, ends = 0, {}
    for rung in shuffled(case):
        trial, values = study.ask(), []
        for seed in range(seeds):
            index = recording.index(rung), case.order[seed]
            diverged_at = recording.diverged_at[index]
            spent += recording.budget if np.isnan(diverged_at) else int(diverged_at)
            values.append(float(recording.values[index][-1 if np.isnan(diverged_at) else 0]))
            trial.report(values[-1], seed)
            if seed < seeds - 1 and trial.should_prune():
                break
        # As its documentation advises: the mean so far, so that the best trial is known.
        study.tell(trial, float(np.mean(values)))
        if len(values) == seeds:
            ends[rung] = float(np.mean(values))
    return Found(min(ends, key=lambda rung: ends[rung], default=None), spent)


def ladder(case: Case) -> list[int]:
    """Give the rungs within four of the start, lowest first."""
    rungs = case.recording.rungs
    return [int(rung) for rung in rungs if abs(rung - case.start) <= WIDTH]


def shuffled(case: Case) -> list[int]:
    """Give the ladder in a random order."""
    return [int(rung) for rung in np.random.default_rng(case.seed).permutation(ladder(case))]
