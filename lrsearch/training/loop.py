"""Training one replica with a loop of the user's own, which runs in a thread of its own between its reports.

The loop calls, where a ``Replica`` is called: each report hands its evaluation over and waits for the answer, so loop
and engine never run at the same time.
"""

import math
import pickle
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from lrsearch.averages import mean_of
from lrsearch.errors import LoopError
from lrsearch.task.model import Task
from lrsearch.task.watch import watched_change
from lrsearch.training.checkpoint import (
    load_checkpoint,
    load_newest,
    not_written,
    remove_checkpoints,
    save_checkpoint,
)
from lrsearch.training.device import training_device
from lrsearch.training.generators import NONE, restore_whole_state, whole_state
from lrsearch.training.live_trial import LiveTrial
from lrsearch.training.progress import CHECKPOINT_SECONDS, CHECKPOINT_SHARE, Progress, identity_of_replica
from lrsearch.training.reach import generators_of
from lrsearch.training.update import set_precision
from lrsearch.training.workloads import check_callable, find_callable, seed_everything
from lrsearch.trial import Curve, Diverged, Evaluation, Finished, Outcome, TrialSpec

LOOP_THREAD = "training loop"
"""What the threads of loops are called."""
_ABANDONED: list[threading.Thread] = []
"""Threads of loops that an interrupt left training: they draw from the generators of whatever trains next."""


def wait_for_abandoned() -> None:
    """Wait until the loops that interrupts left have seen that they are to stop, at their next report."""
    while _ABANDONED:
        _ABANDONED[-1].join()
        _ABANDONED.pop()


@dataclass(frozen=True, slots=True)
class _Ended:
    """The loop returned, or raised ``error``."""

    error: BaseException | None


class LoopReplica:
    """One replica trained by a loop: ``advance`` runs it to its next report, until that gives an outcome.

    Args:
        task: the loop, its budget and metric.
        spec: entry, hyperparameters and seed.
        checkpoint: the file that keeps what the loop saves.
        clock: gives seconds; decides only when a checkpoint is due.

    Raises:
        LRSearchError: there is no such loop.
    """

    def __init__(
        self, task: Task, spec: TrialSpec, checkpoint: Path, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._task = task
        self._spec = spec
        self._checkpoint = checkpoint
        self._clock = clock
        self._identity = identity_of_replica(task, spec)
        self._device = training_device(task)
        self._default_device = torch.get_default_device()
        self._loop = find_callable(task)
        check_callable(task, spec.search.entry, self._loop)
        self._curve: Curve = ()
        self._seconds = 0.0
        self._began = clock()
        self._saved_at = 0.0
        self._saving_took = 0.0
        self._saved_kinds: set[str] = set()
        self._reported = False
        self._generators = NONE
        self._before_first: dict[str, Any] | None = None
        self._drew_at_first = False
        self._notes: tuple[str, ...] = ()
        self._told_to_stop_at: int | None = None
        self._reports: SimpleQueue[Evaluation | _Ended] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=LOOP_THREAD, daemon=True)

    @property
    def curve(self) -> Curve:
        """The evaluations so far."""
        return self._curve

    @property
    def drew_at_first(self) -> bool:
        """Whether the evaluation at iteration 0 drew random numbers, which were put back: once it was reported."""
        return self._drew_at_first

    def knows_its_generators(self) -> bool:
        """Whether all generators that live longer than a training were there, and seeded, when it began."""
        return self._generators.has_all_of(generators_of(self._loop))

    def advance(self) -> Progress:
        """Run the loop to its next report.

        Raises:
            LoopError: it returned before its last iteration, or reported what is no report.
            Exception: whatever it raised.
        """
        self._began = self._clock()
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._answers.put(False)
        said = self._reports.get()
        if isinstance(said, _Ended):
            raise said.error or self._too_early()
        self._seconds += self._clock() - self._began
        notes, self._notes = self._notes, ()
        evaluation = said if self._is_finite(said) else None
        return Progress(evaluation, self._outcome(said), self._curve, self._seconds, notes=notes)

    def close(self) -> None:
        """Tell the loop to stop, and wait until it has: it shares its random generators with what comes next."""
        self.abandon()
        wait_for_abandoned()

    def abandon(self) -> None:
        """Tell the loop to stop, and don't wait; what trains next in this process does."""
        if not self._thread.is_alive() or self._told_to_stop_at is not None:
            return
        _ABANDONED.append(self._thread)
        self._told_to_stop_at = self._curve[-1].iteration if self._curve else 0
        self._answers.put(True)

    def complaint(self) -> BaseException | None:
        """Give what the loop raised after it was told to stop, once ``close`` has returned."""
        while not self._reports.empty():
            if isinstance(said := self._reports.get(), _Ended):
                return said.error
        return None

    def _run(self) -> None:
        if self._default_device.type != "cpu":  # what a thread does not inherit
            torch.set_default_device(self._default_device)
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)
        torch.set_num_threads(self._task.resources.cpus)
        set_precision(self._task.recipe.precision)
        try:
            self._generators = seed_everything(self._spec.seed, self._loop)
            self._loop(LiveTrial(self._task, self._spec, self._device, self))
        except BaseException as error:  # also SystemExit: it would end the thread without a word
            self._reports.put(_Ended(error))
        else:
            self._reports.put(_Ended(None))

    def asked(self, iteration: int) -> None:
        """Remember the random state where the loop asks whether to evaluate at 0: the next thing it does."""
        # Asked of another iteration since, it made a list, and may draw for its model before it evaluates.
        first = iteration == 0 and not self._reported
        self._before_first = whole_state(self._device, self._generators) if first else None

    def report(self, iteration: int, metrics: dict[str, float]) -> bool:
        """Take an evaluation from the loop's thread, and answer when the engine has decided.

        Raises:
            LRSearchError: it is none that fits what came before, or lacks the metric that decides.
        """
        if not self._reported:  # one that goes on may evaluate again where it was
            self._curve = tuple(e for e in self._curve if e.iteration < iteration)
        self._check(iteration, metrics)
        if iteration == 0 and self._before_first is not None:
            self._drew_at_first = _differ(self._before_first, whole_state(self._device, self._generators))
            restore_whole_state(self._before_first, self._device, self._generators)
        self._reported = True
        evaluation = Evaluation(iteration, metrics[self._task.metric.name], metrics)
        if self._is_finite(evaluation):
            self._curve = (*self._curve, evaluation)
        self._reports.put(evaluation)
        return self._answers.get()

    def save(self, state: Any) -> None:
        """Write a state of the loop, if it is time for one.

        Raises:
            LoopError: it holds what cannot be read back safely.
        """
        if self._told_to_stop_at is not None:
            return  # another may be at this checkpoint by now
        if watched_change(self._task) is not None:
            return  # nothing goes on from what was trained with other files; the run ends when it ends
        now = self._seconds + self._clock() - self._began
        if self._saved_kinds and now - self._saved_at < max(
            CHECKPOINT_SECONDS, self._saving_took / CHECKPOINT_SHARE
        ):
            return
        began = self._clock()
        if (kinds := _kinds_in(state)) - self._saved_kinds:
            self._try_to_read_back(state)
            self._saved_kinds |= kinds
        try:
            save_checkpoint(
                self._checkpoint,
                {
                    "of": self._identity,
                    "state": state,
                    "random": whole_state(self._device, self._generators),
                    "curve": [[e.iteration, e.value, dict(e.metrics)] for e in self._curve],
                    "seconds": now,
                },
            )
        except OSError as error:  # a full disk costs the resumption, not the training
            self._notes += (not_written(error),)
        self._saving_took = self._clock() - began
        self._saved_at = now + self._saving_took

    def _try_to_read_back(self, state: Any) -> None:
        """See that a state with kinds of things in it that were not saved before can be read back."""
        tried = self._checkpoint.with_suffix(".tried")
        try:
            save_checkpoint(tried, {"state": state})
            readable = load_checkpoint(tried) is not None
        except OSError:
            return  # there is no room: what is saved cannot be read back at all
        except (AttributeError, TypeError, pickle.PicklingError):
            readable = False
        finally:
            remove_checkpoints(tried)
        if not readable:
            raise LoopError(
                "trial.save got what cannot be read back safely; give tensors, numbers, text, and lists and dicts of "
                "them, such as {'model': model.state_dict(), 'iteration': iteration}"
            )

    def resume(self) -> Any:
        """Give what the loop saved in an earlier run; None if there is nothing of this replica."""
        if self._reported:
            raise LoopError("trial.resumed was read after a report; read it before the first one")
        state, notes = load_newest(self._checkpoint, self._identity)
        self._notes += notes
        if state is None or "state" not in state:
            return None
        self._curve = tuple(
            Evaluation(iteration, value, metrics) for iteration, value, metrics in state["curve"]
        )
        self._seconds = state["seconds"]
        restore_whole_state(state["random"], self._device, self._generators)
        return state["state"]

    def _check(self, iteration: int, metrics: dict[str, float]) -> None:
        last = self._task.budget.iterations
        if self._told_to_stop_at is not None:
            raise LoopError(
                f"the loop reported iteration {iteration} after it was told to stop at {self._told_to_stop_at}; "
                "let the answer end it: if trial.report(...): return"
            )
        if not self._curve and iteration != 0:
            raise LoopError(
                f"the loop's first report is of iteration {iteration}; report iteration 0 first, before any update: "
                "what has learned is judged against it"
            )
        if self._curve and iteration <= self._curve[-1].iteration:
            raise LoopError(
                f"the loop reported iteration {iteration} after {self._curve[-1].iteration}; report each once, in "
                "rising order"
            )
        if iteration > last:
            raise LoopError(
                f"the loop reported iteration {iteration}, beyond its {last}; let it end at trial.iterations"
            )
        if self._task.metric.name not in metrics:
            raise self._task.unknown_metric(metrics)

    def _is_finite(self, evaluation: Evaluation) -> bool:
        """Whether neither what decides nor the training loss is NaN or infinite."""
        return all(math.isfinite(v) for v in (evaluation.value, evaluation.metrics.get("train_loss", 0.0)))

    def _outcome(self, evaluation: Evaluation) -> Outcome | None:
        if not self._is_finite(evaluation):
            return Diverged(evaluation.iteration)
        if evaluation.iteration < self._task.budget.iterations:
            return None
        deciding = self._task.metric.deciding(self._curve)
        if not deciding:
            raise LoopError(
                f"the loop reported {len(self._curve) - 1} times after iteration 0, and metric.window is "
                f"{self._task.metric.window}; report more often"
            )
        return Finished(mean_of([evaluation.value for evaluation in deciding]))

    def _too_early(self) -> LoopError:
        last = self._task.budget.iterations
        if not self._curve:
            return LoopError(
                f"{self._task.callable_name} returned without a report; call trial.report(0, ...) before any update "
                f"and trial.report({last}, ...) at the end"
            )
        return LoopError(
            f"{self._task.callable_name} returned after its report of iteration {self._curve[-1].iteration}; train to "
            f"trial.iterations, {last}, and report that"
        )


def _differ(one: Any, other: Any) -> bool:
    """Whether two random states are not the same."""
    if isinstance(one, torch.Tensor):
        return not torch.equal(one, other)
    if isinstance(one, dict):
        return any(_differ(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return any(_differ(*pair) for pair in zip(one, other, strict=True))
    return bool(one != other)


def _kinds_in(state: Any) -> set[str]:
    """The classes of all that a state holds."""
    kinds = {f"{type(state).__module__}.{type(state).__qualname__}"}
    if isinstance(state, Mapping):
        kinds.update(*map(_kinds_in, state.keys()), *map(_kinds_in, state.values()))
    elif isinstance(state, list | tuple | set | frozenset):
        kinds.update(*map(_kinds_in, state))
    return kinds
