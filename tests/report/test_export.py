import re
from math import nan

import pytest
import yaml
import yamlcore
from hypothesis import given
from hypothesis import strategies as st
from report_runs import (
    Run,
    accuracy_over_beta,
    blocked,
    entry,
    failing,
    lr,
    make_task,
    none_learned,
    paper_task,
    sgd,
    valley,
)

from lrsearch import load_chosen
from lrsearch.errors import UnfinishedError
from lrsearch.ladder import LR
from lrsearch.report import export
from lrsearch.report.export import chosen, to_yaml, write_yaml
from lrsearch.store.memory import MemoryStore
from lrsearch.task.model import Metric, ParameterGroup, Recipe, Schedule, SearchSettings, Shared
from lrsearch.trial import SearchId, Stopped, TrialSpec

MADE_WITH = {"torch": "2.13.0", "device": "cpu", "date": "2026-11-23T11:40:00Z"}
CHOSEN = """\
lrsearch: 0.1.0
task: fashion_mnist_fc
fingerprint: '12e5'
metric: {name: train_loss, iteration: 5000, window: 1}
chosen:
  sgd:
    optimizer: sgd
    hyperparameters: {lr: 0.03}
    searches:
      lr:
        verdict: bracketed
        resolved: false
        regret_at_most: REGRET
        mean: 0.38883
        std: 0.012271
        seeds: 3
        bracket: [0.01, 0.1]
        ties: [0.01, 0.1, 0.3]
        iterations: 75250
        iterations_saved: 500
        candidates:
          0.01: {mean: 0.42121, std: 0.0102993, seeds: 3}
          0.03: {mean: 0.38883, std: 0.012271, seeds: 3}
          0.1: {mean: 0.390539, std: 0.00903444, seeds: 3}
          0.3: {mean: 0.405951, std: 0.00953789, seeds: 3}
          1.0: {mean: 0.450423, std: 0.010751, seeds: 3}
          3.0: {outcome: diverged, seeds: 1, seeds_diverged: 1}
        skipped:
          3.0:
            seeds: [1, 2]
            reason: seed 0 diverged at iteration 250, so it did not learn
  adam:
    optimizer: adam
    hyperparameters:
      lr: 0.001
      betas: [0.9, 0.99]
    searches:
      lr:
        verdict: bracketed
        resolved: true
        regret_at_most: 0.0
        mean: 0.307765
        std: 0.00656348
        seeds: 3
        bracket: [0.0003, 0.003]
        ties: []
        iterations: 60000
        iterations_saved: 0
        candidates:
          0.0001: {mean: 0.33881, std: 0.00953702, seeds: 3}
          0.0003: {mean: 0.317684, std: 0.00674293, seeds: 3}
          0.001: {mean: 0.307765, std: 0.00656348, seeds: 3}
          0.003: {mean: 0.320581, std: 0.00686947, seeds: 3}
  amsgrad:
    optimizer: adam
    hyperparameters: {lr: 0.001, amsgrad: true}
  adabound:
    optimizer: pytorch_optimizer:AdaBound
    hyperparameters: {lr: 0.001, final_lr: 0.00375}
  cprop_sgd:
    optimizer: sgd
    hyperparameters:
      lr: 0.03
      cprop: {c: 3.0, beta: 0.999}
    searches:
      cprop.c:
        verdict: bracketed
        resolved: true
        regret_at_most: 0.0
        mean: 0.350123
        std: 0.00809855
        seeds: 3
        bracket: [1.0, 9.0]
        ties: []
        iterations: 45000
        iterations_saved: 0
        candidates:
          1.0: {mean: 0.35596, std: 0.00813542, seeds: 3}
          3.0: {mean: 0.350123, std: 0.00809855, seeds: 3}
          9.0: {mean: 0.355725, std: 0.00832862, seeds: 3}
made_with: {torch: 2.13.0, device: cpu, date: '2026-11-23T11:40:00Z'}
"""


def content(run: Run, partial: bool = False):
    return chosen(run.task, run.states().values(), MADE_WITH, "12e5", partial=partial)


def test_the_whole_file_of_a_finished_study(finished):
    regret = finished.states()[SearchId("sgd", "lr")].verdict.regret_at_most
    assert to_yaml(content(finished)) == CHOSEN.replace("REGRET", f"{regret:.4g}")


def test_what_is_written_reads_back_the_same(finished, tmp_path):
    write_yaml(tmp_path / "new" / "chosen.yaml", content(finished))
    assert yaml.safe_load((tmp_path / "new" / "chosen.yaml").read_text()) == content(finished)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["chosen.yaml"]


def test_another_unit_than_the_value_is_named_beside_the_bound():
    """An accuracy is measured by its error; a bound that there is not has no unit."""
    with_bound, without = (
        content(replaced)["chosen"]["cprop_sgd"]["searches"]["cprop.beta"]
        for replaced in (accuracy_over_beta(), accuracy_over_beta(seeds=1))
    )
    assert (with_bound["regret_at_most"], with_bound["regret_of"]) == (0.0, "error")
    assert (without["regret_at_most"], "regret_of" in without) == (None, False)


def test_what_is_written_makes_optimizers(finished, tmp_path):
    write_yaml(tmp_path / "chosen.yaml", content(finished))
    assert load_chosen(tmp_path / "chosen.yaml")["sgd"].hyperparameters == {"lr": 0.03}


def test_a_crash_while_writing_leaves_the_old_file(finished, tmp_path, monkeypatch):
    path = tmp_path / "chosen.yaml"
    path.write_text("old")
    monkeypatch.setattr(export.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("power cut")))
    with pytest.raises(OSError, match="power cut"):
        write_yaml(path, content(finished))
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["chosen.yaml"]


@pytest.mark.parametrize("value", [1e-5, 1e-8, 3e-4, 1e16, 0.0375, 27.0, 0.9997])
def test_numbers_are_numbers_to_readers_of_either_yaml(value):
    text = to_yaml({"chosen": {"lr": value}})[len("chosen: {lr: ") : -len("}\n")]
    assert float(text) == value
    assert re.fullmatch(r"[-+]?[0-9]+\.[0-9]+([eE][-+][0-9]+)?", text), text


@pytest.mark.parametrize(
    "text", ["12e5", "0o17", "1.5", "017", "0x1f", "2026-11-23", "true", "no", "null", "1_000"]
)
def test_strings_that_look_like_something_else_are_quoted(text):
    written = to_yaml({"fingerprint": text})
    assert f"fingerprint: '{text}'" in written
    assert yaml.safe_load(written) == {"fingerprint": text}


def test_an_unfinished_study_is_refused_with_what_is_left():
    with pytest.raises(UnfinishedError) as refused:
        content(Run(paper_task()).go(evaluations=150))
    assert str(refused.value) == (
        "fashion_mnist_fc has not ended: sgd/lr: at least 1 of 5 trainings to go; adam/lr: at least 2 of 5 trainings "
        "to go; cprop_sgd/cprop.c: at least 4 of 4 trainings to go; go on with: lrsearch resume fashion_mnist_fc, "
        "or export what there is with --partial"
    )


def test_a_failed_training_is_named_as_failed():
    with pytest.raises(UnfinishedError, match=r"sgd/lr: at least 4 of 5 trainings to go \(1 failed\)"):
        content(failing())


def test_a_partial_export_has_no_value_where_none_is_known():
    partial = content(Run(paper_task()).go(evaluations=150), partial=True)["chosen"]
    assert partial["sgd"]["hyperparameters"] == {"lr": None}
    assert partial["sgd"]["searches"]["lr"] == {"verdict": "unfinished", "resolved": False}
    assert partial["adabound"]["hyperparameters"] == {"lr": None, "final_lr": None}


def test_a_search_that_found_nothing_stands_with_its_verdict_and_no_value():
    only = content(none_learned())["chosen"]["sgd"]
    assert only["hyperparameters"] == {"lr": None}
    assert only["searches"]["lr"]["verdict"] == "none_learned"
    assert only["searches"]["lr"]["bracket"] == []
    candidates = only["searches"]["lr"]["candidates"]
    assert {value: candidate["outcome"] for value, candidate in candidates.items()} == {
        **dict.fromkeys((0.01, 0.03, 0.1, 0.3), "did_not_learn"),
        1.0: "diverged",
    }
    assert candidates[0.1] == {"outcome": "did_not_learn", "mean": 2.31, "std": 0.0, "seeds": 3}


def test_a_candidate_that_diverged_on_one_seed_has_no_mean():
    def loss(spec: TrialSpec, iteration: int) -> float:
        return nan if spec.rung == -1 and spec.seed == 1 and iteration > 250 else valley(spec, iteration)

    run = Run(make_task({"sgd": entry("sgd", hyperparameters={"lr": lr(0.1)})}), loss).go()
    candidate = content(run)["chosen"]["sgd"]["searches"]["lr"]["candidates"][0.3]
    assert candidate.keys() == {"outcome", "seeds", "seeds_diverged"}
    assert (candidate["outcome"], candidate["seeds_diverged"]) == ("diverged", 1)


def test_seeds_that_a_divergence_spared_are_skipped_at_what_it_cost():
    run = Run(
        sgd(0.3, (0.01, 3.0)),
        lambda spec, i: nan if spec.seed == 0 and spec.rung == 0 and i else valley(spec, i),
    )
    run.go()
    found = content(run)["chosen"]["sgd"]["searches"]["lr"]
    assert found["candidates"][1.0]["outcome"] == "diverged"
    assert found["skipped"][1.0] == {
        "seeds": [1, 2],
        "reason": "seed 0 diverged at iteration 250, so it did not learn",
    }
    assert found["iterations_saved"] == 2 * 250


def test_a_raced_candidate_is_stopped_and_the_rest_of_its_trainings_saved():
    run = Run(sgd(0.1, (1e-3, 3.0), settings=SearchSettings(race=True)), workers=1).go()
    state = run.states()[SearchId("sgd", "lr")]
    found = content(run, partial=True)["chosen"]["sgd"]["searches"]["lr"]
    stopped = [trial for trial in state.trials if isinstance(trial.outcome, Stopped)]
    assert stopped, "the race ended something"
    for trial in stopped:
        value = trial.spec.hyperparameters["lr"]
        assert found["candidates"][value]["outcome"] == "stopped"
        assert trial.spec.seed in found["skipped"][value]["seeds"]
    unspent = sum(5000 - trial.iterations for trial in stopped)
    assert found["iterations_saved"] >= unspent
    assert found["iterations"] == sum(trial.iterations for trial in state.trials)


def test_a_recipe_other_than_the_usual_stands_at_the_top():
    run = Run(sgd(0.1, (1e-8, 1e3), recipe=Recipe(gradient_clip=0.25, precision="bf16"))).go()
    assert content(run)["recipe"] == {"gradient_clip": 0.25, "precision": "bf16"}
    assert "recipe" not in content(Run(sgd(0.1, (1e-8, 1e3))).go())


def test_a_recipe_comes_back_from_the_file(tmp_path):
    recipe = Recipe(
        schedule=Schedule("CosineAnnealingLR", {"eta_min": {"times": 0.1}}),
        warmup=0.1,
        accumulate=2,
        groups=(ParameterGroup("*.bias", 0.5, {"weight_decay": 0.0}),),
    )
    write_yaml(tmp_path / "chosen.yaml", content(Run(sgd(0.1, (1e-8, 1e3), recipe=recipe)).go()))
    read = load_chosen(tmp_path / "chosen.yaml")["sgd"]
    assert (read.recipe, read.iterations, read.mode) == (recipe, 5000, "min")


def test_a_metric_that_is_to_be_high_or_of_some_examples_says_so():
    assert content(accuracy_over_beta())["metric"] == {
        "name": "accuracy",
        "mode": "max",
        "iteration": 5000,
        "window": 1,
    }
    sampled = Run(sgd(0.1, (1e-8, 1e3), metric=Metric("train_loss", examples=1000))).go()
    assert content(sampled)["metric"]["examples"] == 1000


def test_what_a_run_from_another_start_left_behind_stays_in_the_study():
    store = MemoryStore()
    Run(sgd(0.001, (1e-8, 1e3)), store=store, workers=1).go(evaluations=30)
    run = Run(sgd(0.3, (1e-8, 1e3)), store=store).go()
    left = [trial.spec.hyperparameters["lr"] for trial in store.trials() if isinstance(trial.outcome, Stopped)]
    assert 0.001 in left
    assert content(run) == content(Run(sgd(0.3, (1e-8, 1e3))).go())


@given(rung=st.integers(-16, 6))
def test_a_rate_is_the_same_number_again_whoever_reads_the_file(rung: int):
    rate = LR.value(rung)
    text = to_yaml({"candidates": {rate: {"mean": 0.3, "seeds": 3}}})
    for loader in (yaml.SafeLoader, yamlcore.CoreLoader):
        [read] = yaml.load(text, Loader=loader)["candidates"]
        assert isinstance(read, float)
        assert read == rate


def test_a_search_that_waits_for_one_that_found_nothing_does_not_hold_up_the_rest():
    found = content(blocked())["chosen"]
    assert found["adam"]["hyperparameters"]["lr"] == 1e-3
    assert found["cprop_sgd"]["searches"]["cprop.c"] == {
        "verdict": "not_searched",
        "resolved": False,
        "waits_for": ["sgd/lr"],
    }


def test_entries_whose_searches_were_left_out_are_left_out(finished):
    only_adam = [state for search, state in finished.states().items() if search.entry == "adam"]
    found = chosen(finished.task, only_adam, MADE_WITH, "x")["chosen"]
    assert list(found) == ["adam", "amsgrad"]


def test_a_wrapper_without_numbers_of_its_own_is_still_there():
    task = make_task(
        {
            "sgd": entry("sgd", hyperparameters={"lr": lr(0.1)}),
            "plain": entry(
                "plain", "sgd", hyperparameters={"lr": Shared(SearchId("sgd", "lr"))}, wrapped_in_cprop=True
            ),
            "named": entry(
                "named",
                "sgd",
                hyperparameters={"lr": 0.1},
                options={"cprop.measure": "x"},
                wrapped_in_cprop=True,
            ),
        }
    )
    found = content(Run(task).go())["chosen"]
    assert found["plain"]["hyperparameters"] == {"lr": 0.03, "cprop": {}}
    assert found["named"]["hyperparameters"] == {"lr": 0.1, "cprop": {"measure": "x"}}
