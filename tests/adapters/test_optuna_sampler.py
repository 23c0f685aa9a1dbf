"""The sampler in real studies: it does what the plain tool does, alone, interleaved, and in several processes."""

import math
import pickle
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from plain import STARTS, comparable, evaluations, plain

from lrsearch.errors import TrainingError, UnfinishedError, UsageError
from lrsearch.optuna import BracketSampler

Objective = Callable[[optuna.Trial], float]


def valley(lr: float, seed: int, best: float = 0.1, dies_above: float = math.inf) -> float:
    """A loss that is least at a rate, with noise that the seeds share."""
    return math.nan if lr > dies_above else 1 + abs(math.log(lr / best)) + 0.01 * seed


def suggested(trial: optuna.Trial) -> tuple[float, int]:
    return trial.suggest_float("lr", 1e-8, 1e3, log=True), trial.suggest_int("seed", 0, 99)


def objective(trial: optuna.Trial) -> float:
    return valley(*suggested(trial))


def study_of(sampler: BracketSampler, **more: object) -> optuna.Study:
    return optuna.create_study(sampler=sampler, **more)  # type: ignore[arg-type]


def replicas(study: optuna.Study) -> list[tuple[float, int]]:
    return [(t.params["lr"], t.params["seed"]) for t in study.trials if "seed" in t.params]


# -- as the plain tool -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=STARTS)
def beside_plain(request: pytest.FixtureRequest) -> tuple[float, optuna.Study, BracketSampler]:
    """The noisy quadratic, searched by Optuna."""

    def trained(trial: optuna.Trial) -> float:
        lr, seed = suggested(trial)
        at = 0
        for evaluation in evaluations(lr, seed):
            at = evaluation.iteration
            trial.report(evaluation.value, at)
        return evaluation.value if at == 200 else math.nan

    sampler = BracketSampler(request.param, lower_bound=0, initial="reported")
    study = study_of(sampler)
    study.optimize(trained)
    return request.param, study, sampler


def test_it_visits_the_same_replicas_in_the_same_order(beside_plain) -> None:
    start, study, _ = beside_plain
    assert tuple(replicas(study)) == plain(start).replicas


def test_it_comes_to_the_same_verdict(beside_plain) -> None:
    start, study, sampler = beside_plain
    assert comparable(sampler.verdict(study)) == comparable(plain(start).verdict)
    assert sampler.choice(study) == 0.1


def test_it_stops_the_study(beside_plain) -> None:
    start, study, _ = beside_plain
    assert len(study.trials) == len(plain(start).replicas)


# -- several at a time -------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    best=st.sampled_from([1e-3, 0.01, 0.1, 1.0]),
    start=st.sampled_from([1e-3, 0.03, 1.0]),
    dies_after=st.sampled_from([3.5, 10.5, math.inf]),
    seed=st.integers(0, 2**32),
)
def test_in_whatever_order_trials_run_the_choice_is_the_same(
    best: float, start: float, dies_after: float, seed: int
) -> None:
    order = random.Random(seed)
    sampler = BracketSampler(start)
    study = study_of(sampler)
    open_trials: dict[int, tuple[optuna.Trial, tuple[float, int]]] = {}
    for _ in range(500):
        if len(open_trials) < 3 and order.random() < 0.6:
            trial = study.ask()
            try:
                replica = suggested(trial)
            except UsageError:  # nothing to do before one of them ends
                study.tell(trial, state=TrialState.FAIL)
            except optuna.TrialPruned:
                break
            else:
                assert replica not in [other for _, other in open_trials.values()], "runs twice at a time"
                open_trials[trial.number] = trial, replica
        elif open_trials:
            trial, (lr, number) = open_trials.pop(order.choice(list(open_trials)))
            value = valley(lr, number, best, dies_above=best * dies_after)
            if math.isnan(value):
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, value)
    assert sampler.choice(study) == best
    for trial, (lr, number) in open_trials.values():
        study.tell(trial, valley(lr, number, best))
    assert sampler.choice(study) == best, "what ends after the search changes nothing"


def test_two_threads_share_the_search() -> None:
    running: Counter[tuple[float, int]] = Counter()
    most = 0
    lock = threading.Lock()

    def slow(trial: optuna.Trial) -> float:
        nonlocal most
        replica = suggested(trial)
        with lock:
            running[replica] += 1
            most = max(most, sum(running.values()))
            assert running[replica] == 1
        time.sleep(0.02)
        with lock:
            running[replica] -= 1
        return valley(*replica)

    sampler = BracketSampler(0.01)
    study = study_of(sampler)
    study.optimize(slow, n_jobs=2)
    assert sampler.choice(study) == 0.1
    assert most == 2


WORKER = """
import sys, time, optuna
from lrsearch.optuna import BracketSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
sys.path.insert(0, sys.argv[2])
from test_optuna_sampler import valley, suggested

def objective(trial):
    replica = suggested(trial)
    if sys.argv[3] == "dies":
        import os
        os._exit(3)
    time.sleep(0.05)
    return valley(*replica)

storage = JournalStorage(JournalFileBackend(sys.argv[1]))
study = optuna.create_study(study_name="shared", storage=storage, sampler=BracketSampler(0.01), load_if_exists=True)
study.optimize(objective)
"""


def worker(file: Path, mood: str = "calm") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER, str(file), str(Path(__file__).parent), mood])


def load(file: Path, sampler: BracketSampler) -> optuna.Study:
    return optuna.load_study(
        study_name="shared", storage=JournalStorage(JournalFileBackend(str(file))), sampler=sampler
    )


def test_two_processes_share_the_search(tmp_path: Path) -> None:
    workers = [worker(tmp_path / "journal") for _ in range(2)]
    assert [process.wait(timeout=120) for process in workers] == [0, 0]
    sampler = BracketSampler(0.01)
    study = load(tmp_path / "journal", sampler)
    assert sampler.choice(study) == 0.1
    assert set(Counter(replicas(study)).values()) == {1}


def test_what_a_dead_process_left_running_is_trained_anew(tmp_path: Path) -> None:
    assert worker(tmp_path / "journal", "dies").wait(timeout=120) == 3
    sampler = BracketSampler(0.01)
    study = load(tmp_path / "journal", sampler)
    study.optimize(objective)
    assert sampler.choice(study) == 0.1
    assert study.trials[0].state == TrialState.FAIL
    assert replicas(study)[:2] == [(0.01, 0), (0.01, 0)]


# -- going on ----------------------------------------------------------------------------------------------------------


def test_another_sampler_goes_on_where_the_first_stopped() -> None:
    whole, parts = study_of(BracketSampler(0.01)), study_of(BracketSampler(0.01))
    whole.optimize(objective)
    while not (parts.trials and _ended(parts)):
        parts.sampler = BracketSampler(0.01)
        parts.optimize(objective, n_trials=1)
    assert replicas(parts) == replicas(whole)


def _ended(study: optuna.Study) -> bool:
    try:
        return BracketSampler(0.01).choice(study) == 0.1
    except UnfinishedError:
        return False


def test_a_study_that_has_ended_trains_nothing_more() -> None:
    study = study_of(BracketSampler(0.01))
    study.optimize(objective)
    before = replicas(study)
    study.optimize(objective)
    assert replicas(study) == before


def test_more_seeds_go_on_from_what_is_there() -> None:
    study = study_of(BracketSampler(0.01, seeds=1))
    study.optimize(objective)
    before = replicas(study)
    study.sampler = BracketSampler(0.01, seeds=2)
    study.optimize(objective)
    assert [seed for _, seed in replicas(study)[len(before) :]] == [1] * len(before)


def test_a_sampler_can_be_pickled() -> None:
    sampler = pickle.loads(pickle.dumps(BracketSampler(0.01)))
    study = study_of(sampler)
    study.optimize(objective)
    assert sampler.choice(study) == 0.1


# -- trainings that end badly ------------------------------------------------------------------------------------------


def pruned() -> float:
    raise optuna.TrialPruned


@pytest.mark.parametrize("end", [lambda: math.nan, lambda: math.inf, pruned], ids=["nan", "inf", "pruned"])
def test_a_rate_whose_training_dies_has_diverged(end: Callable[[], float]) -> None:
    def dies(trial: optuna.Trial) -> float:
        lr, seed = suggested(trial)
        return end() if lr > 0.1 else valley(lr, seed)

    sampler = BracketSampler(0.01)
    study = study_of(sampler)
    study.optimize(dies)
    verdict = sampler.verdict(study)
    assert (verdict.chosen, verdict.rows[-1].value, verdict.rows[-1].diverged) == (0.1, 0.3, {0: 0})
    assert replicas(study)[-1] == (0.3, 0), "one seed says enough"


def test_nan_that_is_told_has_diverged() -> None:
    sampler = BracketSampler(1.0, seeds=1)
    study = study_of(sampler)
    for _ in range(2):
        trial = study.ask()
        lr, seed = suggested(trial)
        with pytest.warns(UserWarning, match=r"nan") if lr > 1 else _nothing():
            study.tell(trial, valley(lr, seed, dies_above=1))
    assert suggested(study.ask()) == (0.3, 0)


class _nothing:  # noqa: N801
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def failing(times: int) -> Objective:
    failures: Counter[tuple[float, int]] = Counter()

    def fails(trial: optuna.Trial) -> float:
        replica = suggested(trial)
        failures[replica] += 1
        if failures[replica] <= times and replica == (0.03, 1):
            raise ValueError("bad luck")
        return valley(*replica)

    return fails


def test_a_trial_that_fails_is_trained_again() -> None:
    sampler = BracketSampler(0.01)
    study = study_of(sampler)
    study.optimize(failing(2), catch=(ValueError,))
    assert sampler.choice(study) == 0.1
    assert Counter(replicas(study))[0.03, 1] == 3


def test_one_that_fails_again_and_again_ends_the_search() -> None:
    study = study_of(BracketSampler(0.01))
    with pytest.raises(TrainingError, match=r"^lr 0.03 with seed 1 failed 3 times; mend"):
        study.optimize(failing(99), catch=(ValueError,))
    study.optimize(objective)
    assert study.sampler.choice(study) == 0.1, "once it is mended"


def test_all_that_diverge_are_no_choice() -> None:
    sampler = BracketSampler(0.01, limits=(1e-3, 0.1))
    study = study_of(sampler)

    def dies(trial: optuna.Trial) -> float:
        return suggested(trial)[0] * math.nan

    study.optimize(dies)
    assert (sampler.choice(study), sampler.verdict(study).name) == (None, "none_learned")


# -- settings ----------------------------------------------------------------------------------------------------------


def test_a_study_that_maximizes() -> None:
    sampler = BracketSampler(0.01)
    study = study_of(sampler, direction="maximize")
    study.optimize(lambda trial: -objective(trial))
    assert sampler.choice(study) == 0.1


def flat_above(trial: optuna.Trial) -> float:
    """A network that large rates kill: it stays at the 2.3 where it began, below what small rates reach so far."""
    lr, seed = suggested(trial)
    trial.report(2.3, 0)
    return 2.3 if lr > 0.02 else 2.1 + valley(lr, seed, best=0.003) / 10


def test_without_an_initial_value_a_dead_network_may_look_best() -> None:
    sampler = BracketSampler(0.03)
    study = study_of(sampler)
    study.optimize(lambda trial: 2.3 if suggested(trial)[0] > 0.02 else 2.4)
    assert sampler.choice(study) is not None


@pytest.mark.parametrize("initial", [2.3, "reported"])
def test_with_one_it_counts_as_worse(initial: float | str) -> None:
    sampler = BracketSampler(0.03, initial=initial)  # type: ignore[arg-type]
    study = study_of(sampler)
    study.optimize(flat_above)
    assert sampler.choice(study) == 0.003
    assert not any(row.learned for row in sampler.verdict(study).rows if row.value > 0.02)


def test_another_parameter_on_another_ladder() -> None:
    sampler = BracketSampler(0.9, parameter="momentum", ladder="beta", limits=(0, 0.99), seeds=1)
    study = study_of(sampler)
    study.optimize(lambda trial: abs(trial.suggest_float("momentum", 0, 0.99) - 0.7))
    assert sampler.choice(study) == 0.7


# -- bad use: one line, and what to do ---------------------------------------------------------------------------------

BAD_SETTINGS = {
    "start is 0.02, on no rung of the lr ladder; give 0.01 or 0.03": {"start": 0.02},
    "start is 0.01, outside the limits [0.1, 1]; start within them, or widen limits": {"limits": (0.1, 1)},
    "limits is [1, 0.1]; give the lower limit first, then a higher one": {"limits": (1, 0.1)},
    "seeds is 0; give a whole number of at least 1": {"seeds": 0},
    "race is no setting of a search; give one of initial, ladder, limits, lower_bound, max_seeds, parameter, "
    "prefer, resolve, seed_parameter, seeds, tolerance": {"race": True},
    "initial is 'first'; give a finite number, 'reported' or None": {"initial": "first"},
    "parameter and seed_parameter are both lr; give two names": {"seed_parameter": "lr"},
}


@pytest.mark.parametrize("message", BAD_SETTINGS)
def test_settings_that_cannot_be(message: str) -> None:
    with pytest.raises(UsageError) as error:
        BracketSampler(**({"start": 0.01} | BAD_SETTINGS[message]))
    assert str(error.value) == message


def narrow(trial: optuna.Trial) -> float:
    return trial.suggest_float("lr", 1e-5, 1, log=True)


def no_seed(trial: optuna.Trial) -> float:
    return trial.suggest_float("lr", 1e-8, 1e3, log=True)


def few_seeds(trial: optuna.Trial) -> float:
    return trial.suggest_int("seed", 0, 1)


def another(trial: optuna.Trial) -> float:
    return suggested(trial)[0] + trial.suggest_float("dropout", 0, 1)


def as_choice(trial: optuna.Trial) -> float:
    return float(trial.suggest_categorical("lr", [0.01, 0.1]))


BAD_OBJECTIVES: dict[str, Objective] = {
    "trial 0 never suggested lr; call trial.suggest_float": lambda trial: 1.0,
    'trial 0 never suggested its seed; call trial.suggest_int("seed", 0, 2), or give seeds=1': no_seed,
    "lr is suggested within [1e-05, 1], and the search may visit [1e-08, 1000]; give BracketSampler limits": narrow,
    "seed is suggested within [0, 1], and the search may visit [0, 2]; give fewer seeds, or call": few_seeds,
    "dropout is suggested too, and trials that differ in more than lr and seed cannot be compared; fix": another,
    "lr is suggested as CategoricalDistribution(choices=(0.01, 0.1)); call trial.suggest_float": as_choice,
}


@pytest.mark.parametrize("message", BAD_OBJECTIVES)
def test_objectives_that_cannot_be_searched(message: str) -> None:
    sampler = BracketSampler(0.01)
    study = study_of(sampler)
    with pytest.raises(UsageError) as error:
        study.optimize(BAD_OBJECTIVES[message])
    assert str(error.value).startswith(message)
    assert len(study.trials) == 1
    study.optimize(objective)
    assert sampler.choice(study) == 0.1, "the study is as good as before"


def test_a_single_value_may_be_suggested_beside() -> None:
    sampler = BracketSampler(0.01)
    study = study_of(sampler)
    study.optimize(lambda trial: objective(trial) + len(trial.suggest_categorical("optimizer", ["sgd"])))
    assert sampler.choice(study) == 0.1


def test_reported_needs_a_report() -> None:
    study = study_of(BracketSampler(0.01, initial="reported"))
    with pytest.raises(UsageError, match=r"^trial 0 reported nothing before training; call trial.report"):
        study.optimize(objective)


def test_several_objectives_are_refused() -> None:
    study = study_of(BracketSampler(0.01), directions=["minimize", "minimize"])
    with pytest.raises(UsageError, match=r"^the study has several objectives"):
        study.optimize(objective)


def test_a_lower_bound_is_none_of_a_study_that_maximizes() -> None:
    study = study_of(BracketSampler(0.01, lower_bound=0), direction="maximize")
    with pytest.raises(UsageError, match=r"^lower_bound bounds a metric that is to be low"):
        study.optimize(objective)


def test_one_thread_cannot_wait_for_itself() -> None:
    study = study_of(BracketSampler(0.01, seeds=1))
    suggested(study.ask())
    suggested(study.ask())
    with pytest.raises(UsageError, match=r"^nothing can be trained before trial 0, 1 has ended; tell"):
        suggested(study.ask())


def test_a_trial_that_was_enqueued_whole_does_not_count() -> None:
    sampler = BracketSampler(0.01)
    study = study_of(sampler)
    study.enqueue_trial({"lr": 0.02, "seed": 0})
    study.optimize(objective)
    assert [row.value for row in sampler.verdict(study).rows] == [0.01, 0.03, 0.1, 0.3]


def test_one_that_was_enqueued_in_part_is_refused() -> None:
    study = study_of(BracketSampler(0.01))
    study.enqueue_trial({"lr": 0.02})
    with pytest.raises(
        UsageError, match=r"^trial 0 was enqueued with one of lr and seed; enqueue it with both"
    ):
        study.optimize(objective)


def test_a_verdict_before_the_end_is_refused() -> None:
    sampler = BracketSampler(0.01)
    study = study_of(sampler, study_name="young")
    study.optimize(objective, n_trials=2)
    with pytest.raises(
        UnfinishedError, match=r"^the search of lr in young has not ended after 2 trials; go on"
    ):
        sampler.verdict(study)
