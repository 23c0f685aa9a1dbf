"""Training one replica, from evaluation to evaluation, resumable to the bit on CPU."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from lrsearch.task.model import Task
from lrsearch.training.checkpoint import (
    load_newest,
    not_written,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from lrsearch.training.device import training_device
from lrsearch.training.optimizers import make_optimizer
from lrsearch.training.progress import CHECKPOINT_SECONDS, CHECKPOINT_SHARE, Progress, identity_of_replica
from lrsearch.training.recipe import (
    autocast,
    clip_gradient,
    compiling,
    prepare_model,
    set_precision,
    take_gradient,
)
from lrsearch.training.schedules import make_schedule
from lrsearch.training.workloads import find_callable, make_workload
from lrsearch.trial import Curve, Diverged, Evaluation, Finished, Outcome, TrialSpec
from lrsearch.workload import indexed, moved

_INITIAL_METRICS: dict[tuple[Callable[..., Any], str, int, str], dict[str, float]] = {}


class Replica:
    """One replica: ``advance`` trains it to its next evaluation, until that gives an outcome.

    The seed decides initial weights and data order alone, so candidates are compared on the same draws. Evaluations
    draw no random numbers from the training's generators.

    Args:
        task: workload, budget and metric.
        spec: entry, hyperparameters and seed.
        checkpoint: the file that keeps its state; it goes on from there if that can be read.
        clock: gives seconds; decides only when a checkpoint is due.

    Raises:
        LRSearchError: the workload or the optimizer cannot be made.
    """

    def __init__(
        self, task: Task, spec: TrialSpec, checkpoint: Path, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        torch.set_num_threads(task.resources.cpus)
        set_precision(task.recipe.precision)
        self._task = task
        self._spec = spec
        self._checkpoint = checkpoint
        self._clock = clock
        self._device = training_device(task)
        began = clock()
        self._workload = make_workload(task, spec.search.entry, spec.seed).to(self._device)
        self._batches = indexed(self._workload.batches)
        self._optimizer = make_optimizer(
            task.entries[spec.search.entry], self._workload.model, spec.hyperparameters, task.recipe.groups
        )
        self._schedule = make_schedule(self._optimizer, task.recipe, task.budget.iterations, task.metric.mode)
        prepare_model(task.recipe, self._workload.model)
        self._workload.model.train()
        self._iteration = 0
        self._curve: Curve = ()
        self._seconds = 0.0
        self._loss_total = torch.zeros((), device=self._device)
        self._notes: tuple[str, ...] = ()
        self._resume()
        self._seconds += clock() - began
        self._saved_at = self._seconds
        self._saving_took = 0.0

    @property
    def curve(self) -> Curve:
        """The evaluations so far."""
        return self._curve

    def evaluate(self, examples: int | None) -> dict[str, float]:
        """Give the metrics as the replica stands, over some examples or all; its training does not notice."""
        before = random_state(self._device)
        with compiling(self._task), autocast(self._task.recipe.precision, self._device):
            metrics = self._workload.evaluate(examples)
        restore_random_state(before, self._device)
        return metrics

    def count(self, examples: int | None) -> int | None:
        """Give how many examples ``evaluate`` looks at; None where a metric cannot say."""
        return self._workload.count(examples)

    def advance(self) -> Progress:
        """Train to the next evaluation; the first one of a new replica is before any update."""
        began = self._clock()
        target = self._task.budget.evaluation_after(self._curve[-1].iteration if self._curve else -1)
        self._train_to(target)
        evaluation = self._evaluate() if self._is_finite() else None
        if evaluation is not None and math.isfinite(evaluation.value):
            self._curve = (*self._curve, evaluation)
            if self._schedule is not None:
                self._schedule.evaluated(evaluation.value)
        else:
            evaluation = None
        outcome = self._outcome(evaluation)
        self._seconds += self._clock() - began
        if outcome is None and self._checkpoint_is_due():
            try:
                self.save()
            except OSError as error:  # a full disk costs the resumption, not the training
                self._notes += (not_written(error),)
                self._saved_at = self._seconds
        notes, self._notes = self._notes, ()
        return Progress(evaluation, outcome, self._curve, self._seconds, notes=notes)

    def close(self) -> None:
        """Nothing is left to end: a replica trains in ``advance`` alone."""

    def save(self) -> None:
        """Write a checkpoint of the replica as it stands, between two evaluations.

        Raises:
            OSError: it cannot be written.
        """
        began = self._clock()
        save_checkpoint(
            self._checkpoint,
            {
                "of": identity_of_replica(self._task, self._spec),
                "iteration": self._iteration,
                "model": self._workload.model.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "schedule": self._schedule.state_dict() if self._schedule else None,
                "carried": self._workload.carried,
                "random": random_state(self._device),
                "loss_total": self._loss_total,
                "curve": [[e.iteration, e.value, dict(e.metrics)] for e in self._curve],
                "seconds": self._seconds,
            },
        )
        self._saving_took = self._clock() - began
        self._seconds += self._saving_took
        self._saved_at = self._seconds

    def _checkpoint_is_due(self) -> bool:
        since = self._seconds - self._saved_at
        return since >= max(CHECKPOINT_SECONDS, self._saving_took / CHECKPOINT_SHARE)

    def _train_to(self, target: int) -> None:
        workload, optimizer, recipe = self._workload, self._optimizer, self._task.recipe
        parameters = list(workload.model.parameters())
        for iteration in range(self._iteration, target):
            optimizer.zero_grad()
            self._loss_total += take_gradient(
                self._task, workload, self._batches, self._spec.seed, iteration, self._device
            )
            clip_gradient(recipe, parameters)
            optimizer.step()
            if self._schedule is not None:
                self._schedule.step()
        self._iteration = target

    def _is_finite(self) -> bool:
        """Whether no loss since the start, and no weight now, is NaN or infinite (they never come back from it)."""
        tensors = [self._loss_total, *self._workload.model.parameters()]
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)

    def _evaluate(self) -> Evaluation:
        metric, budget = self._task.metric, self._task.budget
        deciding = self._iteration == 0 or budget.is_among_last(self._iteration, metric.window)
        examples = metric.examples if deciding else metric.curve_examples
        metrics = self._initial_metrics(examples) if self._iteration == 0 else self.evaluate(examples)
        if metric.name not in metrics:
            raise self._task.unknown_metric(metrics)
        return Evaluation(self._iteration, metrics[metric.name], metrics)

    def _initial_metrics(self, examples: int | None) -> dict[str, float]:
        """The same seed starts from the same weights at every candidate: evaluated once a process."""
        arguments = json.dumps(self._task.arguments_of(self._spec.search.entry), sort_keys=True, default=str)
        key = (
            find_callable(self._task),  # itself: another function may have its name
            arguments,
            self._spec.seed,
            f"{self._device}/{self._task.recipe.precision}/{self._task.recipe.compile}/{examples}",
        )
        if key not in _INITIAL_METRICS:
            _INITIAL_METRICS[key] = self.evaluate(examples)
        return _INITIAL_METRICS[key]

    def _outcome(self, evaluation: Evaluation | None) -> Outcome | None:
        if evaluation is None:
            return Diverged(self._iteration)
        if self._iteration < self._task.budget.iterations:
            return None
        return Finished(fmean(e.value for e in self._curve[-self._task.metric.window :]))

    def _resume(self) -> None:
        state, self._notes = load_newest(self._checkpoint, identity_of_replica(self._task, self._spec))
        if state is None:
            return
        self._workload.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._schedule is not None:
            self._schedule.load_state_dict(state["schedule"])
        self._workload.carried = moved(state["carried"], self._device)
        self._loss_total = state["loss_total"].to(self._device)
        self._iteration = state["iteration"]
        self._curve = tuple(
            Evaluation(iteration, value, metrics) for iteration, value, metrics in state["curve"]
        )
        self._seconds = state["seconds"]
        if self._iteration:
            # An iterable is run forward to here.
            self._batches.batch(self._spec.seed, self._iteration * self._task.recipe.accumulate - 1)
        restore_random_state(state["random"], self._device)
