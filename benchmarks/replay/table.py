"""The recorded table: one compressed NumPy file, made from the seeds whose every job has a result.

Dimensions are o optimizers, r rungs, s seeds, e evaluations; all numbers are float32 unless said otherwise.

``optimizers`` [o] str
    Names.
``rungs`` [o, r] int64, ``learning_rates`` [o, r] float64
    Rungs of the ``lr`` ladder, lowest first, and their decimals.
``seeds`` [s] int64, ``iterations`` [e] int64
    Seeds, and after how many iterations each evaluation was.
``train_loss`` [o, r, s, e]
    The deciding metric: over ``metric.curve_examples`` examples, but the first and the last evaluation over
    ``metric.examples``. NaN from divergence on.
``value`` [o, r, s]
    What decides, as a search gets it: the last evaluation. NaN where the training diverged.
``diverged_at`` [o, r, s]
    The evaluation's iteration at which divergence was noticed. NaN where the training finished.
``test_loss``, ``test_accuracy`` [o, r, s]
    At the end, over ``metric.examples`` of the test examples. Only where the workload gives them.
``seconds`` [o, r, s]
    What the training took, on a machine that was shared.
``range_test_lr`` [o, s, t] float64, ``range_test_loss`` [o, s, t]
    The range test's iterations. NaN after its stop.
``expected_loss`` [o, r]
    The exact expectation of ``value``. Only where the workload's file has a function of that name.
``provenance`` str
    JSON: the task file, digest of the workload's code, versions, date, threads.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jobs import RUNGS_EACH_SIDE, Job, Results, jobs_of, rungs, workload_module
from range_test import ITERATIONS, rates

from lrsearch.ladder import LR
from lrsearch.task.model import Task

NAN = float("nan")
TEST_METRICS = ("test_loss", "test_accuracy")


def write_table(task: Task, results: Results, seeds: int, path: Path) -> int:
    """Write the table of all whole seeds below ``seeds``; give their number, and write nothing if there is none."""
    whole = [seed for seed in range(seeds) if not results.missing(jobs_of(task, seed))]
    if not whole:
        return 0
    arrays = {
        "optimizers": np.array(list(task.entries)),
        "rungs": np.array([rungs(task, entry) for entry in task.entries]),
        "learning_rates": np.array(_by_rung(task, LR.value)),
        "seeds": np.array(whole),
        "iterations": np.array(list(task.budget.evaluations())),
        **_trainings(task, results, whole),
        **_range_tests(task, results, whole),
        **_expected(task),
        "provenance": np.array(json.dumps(results.provenance)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.npz")
    np.savez_compressed(temporary, **arrays)
    temporary.replace(path)
    return len(whole)


def _trainings(task: Task, results: Results, seeds: list[int]) -> dict[str, np.ndarray]:
    evaluations = len(list(task.budget.evaluations()))
    shape = (len(task.entries), 2 * RUNGS_EACH_SIDE + 1, len(seeds))
    arrays = {
        name: np.full(shape, NAN, np.float32) for name in ("value", "diverged_at", "seconds", *TEST_METRICS)
    }
    arrays["train_loss"] = np.full((*shape, evaluations), NAN, np.float32)
    for o, entry in enumerate(task.entries):
        for r, rung in enumerate(rungs(task, entry)):
            for s, seed in enumerate(seeds):
                result = results.get(Job(entry, rung, seed))
                assert result is not None, "the seed is whole"
                arrays["train_loss"][o, r, s, : len(result["curve"])] = result["curve"]
                numbers = {**result, **result.get("metrics", {})}
                for name in arrays.keys() & numbers.keys() - {"train_loss"}:
                    arrays[name][o, r, s] = numbers[name]
    return {
        name: array for name, array in arrays.items() if name == "diverged_at" or not np.isnan(array).all()
    }


def _range_tests(task: Task, results: Results, seeds: list[int]) -> dict[str, np.ndarray]:
    lrs = np.full((len(task.entries), len(seeds), ITERATIONS), NAN)
    losses = lrs.astype(np.float32)
    for o, entry in enumerate(task.entries):
        for s, seed in enumerate(seeds):
            result = results.get(Job(entry, None, seed))
            assert result is not None, "the seed is whole"
            count = len(result["losses"])
            lrs[o, s, :count] = rates()[:count]
            losses[o, s, :count] = result["losses"]
    return {"range_test_lr": lrs, "range_test_loss": losses}


def _expected(task: Task) -> dict[str, np.ndarray]:
    theory = getattr(workload_module(task), "expected_loss", None)
    if theory is None:
        return {}
    values = _by_rung(task, lambda rung: theory(LR.value(rung), task.budget.iterations, **task.arguments))
    with np.errstate(over="ignore"):  # rates so large that the expectation is beyond float32 become infinite
        return {"expected_loss": np.array(values).astype(np.float32)}


def _by_rung(task: Task, function: Callable[[int], float]) -> list[list[float]]:
    return [[function(rung) for rung in rungs(task, entry)] for entry in task.entries]
