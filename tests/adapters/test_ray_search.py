"""The search algorithm in real Tune runs, and as Tune calls it where orders and accidents are to be many."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import STARTS, comparable, evaluations, plain

from lrsearch.errors import TrainingError, UnfinishedError, UsageError
from lrsearch.ray import BracketSearch


def valley(lr: float, seed: int, best: float = 0.1, dies_above: float = math.inf) -> float:
    """A loss that is least at a rate, with noise that the seeds share."""
    return math.nan if lr > dies_above else 1 + abs(math.log(lr / best)) + 0.01 * seed


def search_from(start: float = 0.01, **more: Any) -> BracketSearch:
    return BracketSearch(start=start, metric="loss", **more)


def ended(value: float, reports: int = 1) -> dict[str, Any]:
    """A trial's last result, as Tune passes it on."""
    return {"loss": value, "training_iteration": reports, "done": True}


def walk(search: BracketSearch, at_most: int = 1000, **shape: float) -> list[tuple[float, int]]:
    """Train one after the other; give the replicas."""
    replicas = []
    while len(replicas) < at_most:
        name = f"{id(replicas)}-{len(replicas)}"
        config = search.suggest(trial_id=name)
        if config == BracketSearch.FINISHED:
            break
        replicas.append((config["lr"], config["seed"]))
        search.on_trial_complete(trial_id=name, result=ended(valley(*replicas[-1], **shape)))
    return replicas


# -- in Tune -----------------------------------------------------------------------------------------------------------


def fitted(
    search: BracketSearch, trainable: Any, folder: Path, param_space: Any = None, at_a_time: int = 1
) -> Any:
    from ray import tune

    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=param_space or {},
        tune_config=tune.TuneConfig(
            search_alg=search, num_samples=-1, max_concurrent_trials=at_a_time, reuse_actors=True
        ),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    ).fit()


@pytest.fixture(scope="module", params=STARTS)
def beside_plain(request: pytest.FixtureRequest, started_ray: None, tmp_path_factory: pytest.TempPathFactory):
    """The noisy quadratic, searched by Tune; it is trained beforehand, as workers do not find this file's modules."""
    table = {
        replica: [evaluation.value for evaluation in evaluations(*replica)]
        for replica in plain(request.param).replicas
    }

    def trained(config: dict[str, Any]) -> None:
        from ray import tune

        curve = table[config["lr"], config["seed"]]
        for value in curve if len(curve) == 11 else [*curve, float("nan")]:
            tune.report({"loss": value})

    search = search_from(request.param, lower_bound=0, initial="reported")
    results = fitted(search, trained, tmp_path_factory.mktemp("tune"))
    return request.param, search, results


def test_it_visits_the_same_replicas_in_the_same_order(beside_plain) -> None:
    start, _, results = beside_plain
    visited = tuple((result.config["lr"], result.config["seed"]) for result in results)
    assert visited == plain(start).replicas


def test_it_comes_to_the_same_verdict(beside_plain) -> None:
    start, search, _ = beside_plain
    assert comparable(search.verdict()) == comparable(plain(start).verdict)
    assert search.choice() == 0.1


def test_two_at_a_time_with_a_config_of_ones_own(started_ray: None, tmp_path: Path) -> None:
    def trained(config: dict[str, Any]) -> None:
        from ray import tune

        tune.report({"loss": abs(math.log(config["lr"] / config["best"])) + 0.01 * config["seed"]})

    search = search_from()
    results = fitted(search, trained, tmp_path, {"best": 0.03}, at_a_time=2)
    assert search.choice() == 0.03
    assert not results.errors


def test_a_trainable_that_raises_ends_the_fit_with_one_line(started_ray: None, tmp_path: Path) -> None:
    def raises(config: dict[str, Any]) -> None:
        raise ValueError("bad luck")

    with pytest.raises(TrainingError, match=r"^lr 0.01 with seed 0 failed 3 times; mend what it raised"):
        fitted(search_from(), raises, tmp_path)


# -- as Tune calls it --------------------------------------------------------------------------------------------------


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
    search = search_from(start)
    running: dict[str, tuple[float, int]] = {}
    for number in range(500):
        if len(running) < 3 and order.random() < 0.6:
            config = search.suggest(trial_id=f"t{number}")
            if config == BracketSearch.FINISHED:
                break
            if config is not None:
                replica = config["lr"], config["seed"]
                assert replica not in running.values(), "runs twice at a time"
                running[f"t{number}"] = replica
        elif running:
            name = order.choice(list(running))
            replica = running.pop(name)
            value = valley(*replica, best=best, dies_above=best * dies_after)
            search.on_trial_complete(trial_id=name, result=ended(value))
    assert search.choice() == best
    for name, replica in running.items():
        search.on_trial_complete(trial_id=name, result=ended(valley(*replica, best=best)))
    assert search.choice() == best, "what ends after the search changes nothing"


def test_it_waits_while_all_that_is_wanted_runs() -> None:
    search = search_from(seeds=1)
    assert [search.suggest(trial_id=name) for name in "abc"][2] is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_rate_whose_training_dies_has_diverged(value: float) -> None:
    search = search_from(0.1, seeds=2)
    for name in "abc":
        config = search.suggest(trial_id=name)
        assert isinstance(config, dict)
        search.on_trial_complete(trial_id=name, result=ended(value if config["lr"] > 0.1 else 1.0, reports=4))
    assert search.suggest(trial_id="d") == {"lr": 0.03, "seed": 0}, "one seed says enough"


def test_a_trial_that_fails_or_is_ended_half_trained_is_trained_again() -> None:
    search = search_from()
    first = search.suggest(trial_id="a")
    search.on_trial_complete(trial_id="a", error=True)
    assert search.suggest(trial_id="b") == first
    search.on_trial_complete(trial_id="b", result={"loss": 1.0, "training_iteration": 2})
    assert search.suggest(trial_id="c") == first
    search.on_trial_complete(trial_id="c")
    assert search.suggest(trial_id="d") == first


def test_saved_and_restored_at_any_point_it_goes_on(tmp_path: Path) -> None:
    whole = walk(search_from())
    for point in range(len(whole) + 1):
        before = search_from()
        walk(before, at_most=point)
        before.suggest(trial_id="running when it was saved")
        before.save(str(tmp_path / "saved.json"))
        after = search_from()
        after.restore(str(tmp_path / "saved.json"))
        assert walk(after) == whole[point:]
        assert after.verdict() == search_after(whole).verdict()


def search_after(replicas: list[tuple[float, int]]) -> BracketSearch:
    search = search_from()
    assert walk(search) == replicas
    return search


def test_divergence_is_saved(tmp_path: Path) -> None:
    search = search_from(0.1)
    walk(search, dies_above=0.1)
    search.save(str(tmp_path / "saved.json"))
    after = search_from(0.1)
    after.restore(str(tmp_path / "saved.json"))
    assert after.verdict() == search.verdict()


def test_tune_goes_on_with_what_ran(tmp_path: Path) -> None:
    before = search_from(seeds=1)
    before.suggest(trial_id="a")
    before.save_to_dir(str(tmp_path), "session")
    after = search_from(seeds=1)
    after.restore_from_dir(str(tmp_path))
    assert after.suggest(trial_id="b") == {"lr": 0.03, "seed": 0}
    after.on_trial_complete(trial_id="a", result=ended(1.0))
    assert after._ended[0].rung == -4


def test_the_saved_state_is_json(tmp_path: Path) -> None:
    search = search_from()
    walk(search, at_most=3)
    search.save_to_dir(str(tmp_path), "session")
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["search"] == {
        "parameter": "lr",
        "ladder": "lr",
        "metric": "loss",
        "mode": "min",
    }


# -- bad use: one line, and what to do ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"search": {}, "trials": [{"trial": "a"}]}', '{"search": 1, "trials": []}']
)
def test_a_file_that_is_no_saved_search(text: str, tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text(text)
    with pytest.raises(
        UsageError, match=r"saved.json is no saved search; give a file that BracketSearch.save wrote"
    ):
        search_from().restore(str(tmp_path / "saved.json"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"none.json cannot be read \(No such file or directory\); check the path"
    ):
        search_from().restore(str(tmp_path / "none.json"))


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no searcher-state-\*.json; check the path"):
        search_from().restore_from_dir(str(tmp_path))


def test_the_file_of_another_search(tmp_path: Path) -> None:
    BracketSearch(start=0.01, metric="accuracy", mode="max").save(str(tmp_path / "saved.json"))
    with pytest.raises(
        UsageError, match=r"is of a search whose metric is accuracy, here it is loss; give it the same"
    ):
        search_from().restore(str(tmp_path / "saved.json"))


def test_a_start_on_no_rung() -> None:
    with pytest.raises(UsageError, match=r"^start is 0.02, on no rung of the lr ladder; give 0.01 or 0.03$"):
        search_from(0.02)


def test_what_is_searched_beside() -> None:
    from ray import tune

    with pytest.raises(
        UsageError, match=r"^model.dropout is searched in param_space too, and trials that differ"
    ):
        search_from().set_search_properties(None, None, {"model": {"dropout": tune.uniform(0, 1)}})


def test_a_seed_of_ones_own() -> None:
    with pytest.raises(
        UsageError, match=r"^seed is in param_space, and the search gives it; leave it out there$"
    ):
        search_from().set_search_properties(None, None, {"seed": 1})


def test_two_metrics() -> None:
    with pytest.raises(
        UsageError, match=r"^metric is loss in BracketSearch and accuracy in TuneConfig; give it once"
    ):
        search_from().set_search_properties("accuracy", None, {})


def test_a_metric_that_is_never_reported() -> None:
    search = search_from()
    search.suggest(trial_id="a")
    search.on_trial_complete(trial_id="a", result={"training_iteration": 1, "done": True})
    with pytest.raises(UsageError, match=r"^trial a never reported loss; report it, or give metric$"):
        search.suggest(trial_id="b")


def test_reported_needs_two_reports() -> None:
    search = search_from(initial="reported")
    search.suggest(trial_id="a")
    search.on_trial_result(trial_id="a", result={"loss": 1.0, "training_iteration": 1})
    search.on_trial_complete(trial_id="a", result=ended(1.0))
    with pytest.raises(UsageError, match=r"^trial a reported once; report before the first update too"):
        search.suggest(trial_id="b")


def test_a_verdict_before_the_end_is_refused() -> None:
    search = search_from()
    walk(search, at_most=2)
    with pytest.raises(UnfinishedError, match=r"^the search of lr has not ended after 2 trials; restore it"):
        search.choice()
