"""Training one replica, from evaluation to evaluation, resumable to the bit on CPU."""

import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrsearch.averages import mean_of
from lrsearch.task.model import Task
from lrsearch.task.watch import watched_change
from lrsearch.training.checkpoint import (
    load_newest,
    not_written,
    save_checkpoint,
)
from lrsearch.training.device import training_device
from lrsearch.training.evaluation_weights import begin_training, evaluation_weights
from lrsearch.training.generators import restore_whole_state, whole_state
from lrsearch.training.optimizers import make_optimizer
from lrsearch.training.progress import CHECKPOINT_SECONDS, CHECKPOINT_SHARE, Progress, identity_of_replica
from lrsearch.training.reach import generators_of
from lrsearch.training.scales import scale_metrics
from lrsearch.training.schedules import make_schedule
from lrsearch.training.update import (
    autocast,
    clip_gradient,
    compiling,
    prepare_model,
    set_precision,
    take_gradient,
)
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
        self.spec = spec
        self._checkpoint = checkpoint
        self._clock = clock
        self._identity = identity_of_replica(task, spec)
        self._device = training_device(task)
        began = clock()
        self.generators = generators_of(find_callable(task))
        self.workload = make_workload(task, spec.search.entry, spec.seed).to(self._device)
        self.batches = indexed(self.workload.batches)
        self.optimizer = make_optimizer(
            task.entries[spec.search.entry], self.workload.model, spec.hyperparameters, task.recipe.groups
        )
        begin_training(self.optimizer)  # a checkpoint is of this mode, and loads it
        recipe = task.recipe_of(spec.search.entry)
        self.schedule = make_schedule(self.optimizer, recipe, task.budget.iterations, task.metric.mode)
        prepare_model(task.recipe, self.workload.model)
        self.workload.model.train()
        self._iteration = 0
        self._curve: Curve = ()
        self._seconds = 0.0
        self.loss_total = torch.zeros((), device=self._device)
        self._notes: tuple[str, ...] = ()
        self._resume()
        self._seconds += clock() - began
        self._saved_at = self._seconds
        self._saving_took = 0.0

    @property
    def curve(self) -> Curve:
        """The evaluations so far."""
        return self._curve

    @property
    def iteration(self) -> int:
        """How many updates were made."""
        return self._iteration

    @property
    def target(self) -> int:
        """The iteration of the next evaluation."""
        return self._task.budget.evaluation_after(self._curve[-1].iteration if self._curve else -1)

    def evaluate(self, examples: int | None) -> dict[str, float]:
        """Give the metrics as the replica stands, over some examples or all; its training does not notice."""
        before = whole_state(self._device, self.generators)
        # Before the first step the weights are the same, at all optimizers, and those of some cannot be asked.
        weights = evaluation_weights(self.optimizer) if self._iteration else nullcontext()
        with weights, compiling(self._task), autocast(self._task.recipe.precision, self._device):
            metrics = self.workload.evaluate(examples)
        restore_whole_state(before, self._device, self.generators)
        return metrics

    def count(self, examples: int | None) -> int | None:
        """Give how many examples ``evaluate`` looks at; None where a metric cannot say."""
        return self.workload.count(examples)

    def knows_its_generators(self) -> bool:
        """Whether all generators that live longer than a training were there, and seeded, when it began."""
        return self.generators.has_all_of(generators_of(find_callable(self._task)))

    def advance(self) -> Progress:
        """Train to the next evaluation; the first one of a new replica is before any update."""
        began = self._clock()
        self.train_to(self.target)
        self.took(self._clock() - began)
        return self.reach()

    def took(self, seconds: float) -> None:
        """Count the seconds that a stretch of training took."""
        self._seconds += seconds

    def reach(self) -> Progress:
        """Evaluate, at ``target``, and write a checkpoint if one is due."""
        began = self._clock()
        evaluation = self._evaluate() if self._is_finite() else None
        if evaluation is not None and math.isfinite(evaluation.value):
            self._curve = (*self._curve, evaluation)
            if self.schedule is not None:
                self.schedule.evaluated(evaluation.value)
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

    def stands_at(self, iteration: int, loss_total: Tensor, carried: Any) -> None:
        """Take over what a pack trained; parameters, buffers and the optimizer's state it changed in place.

        Args:
            iteration: how many updates were made.
            loss_total: the sum of all training losses so far.
            carried: what goes on to the next batch.
        """
        self._iteration = iteration
        self.loss_total = loss_total
        self.workload.carried = carried

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
                "of": self._identity,
                "iteration": self._iteration,
                "model": self.workload.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict() if self.schedule else None,
                "carried": self.workload.carried,
                "random": whole_state(self._device, self.generators),
                "loss_total": self.loss_total,
                "curve": [[e.iteration, e.value, dict(e.metrics)] for e in self._curve],
                "seconds": self._seconds,
            },
        )
        self._saving_took = self._clock() - began
        self._seconds += self._saving_took
        self._saved_at = self._seconds

    def _checkpoint_is_due(self) -> bool:
        since = self._seconds - self._saved_at
        if since < max(CHECKPOINT_SECONDS, self._saving_took / CHECKPOINT_SHARE):
            return False
        return watched_change(self._task) is None  # nothing goes on from what was trained with other files

    def train_to(self, target: int) -> None:
        """Train to an iteration."""
        workload, optimizer, recipe = self.workload, self.optimizer, self._task.recipe
        parameters = list(workload.model.parameters())
        for iteration in range(self._iteration, target):
            optimizer.zero_grad()
            self.loss_total += take_gradient(
                self._task, workload, self.batches, self.spec.seed, iteration, self._device
            )
            clip_gradient(recipe.gradient_clip, parameters)
            optimizer.step()
            if self.schedule is not None:
                self.schedule.step()
        self._iteration = target

    def _is_finite(self) -> bool:
        """Whether no loss since the start, and no weight now, is NaN or infinite (they never come back from it)."""
        tensors = [self.loss_total, *self.workload.model.parameters()]
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)

    def _evaluate(self) -> Evaluation:
        metric = self._task.metric
        examples = metric.examples_at(self._task.budget, self._iteration)
        metrics = self._initial_metrics(examples) if self._iteration == 0 else self.evaluate(examples)
        if metric.name not in metrics:
            raise self._task.unknown_metric(metrics)
        metrics = {**metrics, **scale_metrics(self._task, self.optimizer, self._iteration)}
        return Evaluation(self._iteration, metrics[metric.name], metrics)

    def _initial_metrics(self, examples: int | None) -> dict[str, float]:
        """The same seed starts from the same weights at every candidate: evaluated once a process."""
        arguments = json.dumps(self._task.arguments_of(self.spec.search.entry), sort_keys=True, default=str)
        key = (
            find_callable(self._task),  # itself: another function may have its name
            arguments,
            self.spec.seed,
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
        return Finished(mean_of([e.value for e in self._task.metric.deciding(self._curve)]))

    def _resume(self) -> None:
        state, self._notes = load_newest(self._checkpoint, self._identity)
        if state is None:
            return
        self.workload.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.workload.carried = moved(state["carried"], self._device)
        self.loss_total = state["loss_total"].to(self._device)
        self._iteration = state["iteration"]
        self._curve = tuple(
            Evaluation(iteration, value, metrics) for iteration, value, metrics in state["curve"]
        )
        self._seconds = state["seconds"]
        if self._iteration:
            # An iterable is run forward to here.
            self.batches.batch(self.spec.seed, self._iteration * self._task.recipe.accumulate - 1)
        restore_whole_state(state["random"], self._device, self.generators)
