"""The same trainings as a user of Ray Tune writes them: a function, ``OptunaSearch``, an actor for each training.

    python benchmarks/throughput/plain_tune.py TASK.yaml SPECS.json

Prints as JSON what each training took, when the first iteration was made and when the last training had ended.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(RAY_AIR_NEW_OUTPUT="0", RAY_USAGE_STATS_ENABLED="0")

import optuna
import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from lrsearch.task import load_task
from lrsearch.trial import Failed, SearchId, TrialSpec


def main(task: str, specs: str) -> None:
    """Train them all."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    count = len(json.loads(Path(specs).read_text(encoding="utf-8")))
    ray.init(
        address="local", include_dashboard=False, log_to_driver=False, num_cpus=len(os.sched_getaffinity(0))
    )
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            tune.with_resources(
                tune.with_parameters(
                    trained, task=str(Path(task).resolve()), specs=str(Path(specs).resolve())
                ),
                {"cpu": 1},
            ),
            tune_config=tune.TuneConfig(
                num_samples=count,
                search_alg=OptunaSearch(
                    space=_space(count),
                    metric="value",
                    mode="min",
                    points_to_evaluate=[{"index": index} for index in range(count)],
                ),
            ),
            run_config=tune.RunConfig(name="plain", storage_path=folder, verbose=0),
        ).fit()
    assert not results.num_errors, results.errors
    found = [result.metrics for result in results if result.metrics]
    ray.shutdown()
    assert {one["config"]["index"] for one in found} == set(range(count))
    keys = ("seconds", "began", "ended")
    print(json.dumps([{key: one[key] for key in keys} for one in found]))


def _space(count: int) -> Any:
    return {"index": optuna.distributions.IntDistribution(0, count - 1)}


def trained(config: dict[str, Any], task: str, specs: str) -> None:
    """Train one, and report each evaluation as it comes."""
    from lrsearch.training.train import train

    entry, hyperparameter, rung, seed, values = json.loads(Path(specs).read_text(encoding="utf-8"))[
        config["index"]
    ]
    spec = TrialSpec(SearchId(entry, hyperparameter), rung, seed, values)
    with tempfile.TemporaryDirectory() as folder:
        for progress in train(load_task(Path(task)), spec, Path(folder) / "none.pt"):
            if isinstance(progress.outcome, Failed):
                raise RuntimeError(progress.outcome.error)
            value = progress.curve[-1].value if progress.curve else float("inf")
            ended = time.time()
            tune.report(
                {
                    "value": value,
                    "seconds": progress.seconds,
                    "began": ended - progress.seconds,
                    "ended": ended,
                }
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
