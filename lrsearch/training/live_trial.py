"""A trial as a training loop of the user's own sees it: what to train with, and whom to tell."""

import numbers
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import nn

from lrsearch.errors import LoopError
from lrsearch.task.model import Task
from lrsearch.training.optimizers import make_optimizer
from lrsearch.trial import TrialSpec


class Listener(Protocol):
    """Who hears what a loop says."""

    def asked(self, iteration: int) -> None:
        """Take note that the loop asks whether to evaluate at an iteration."""
        ...

    def report(self, iteration: int, metrics: dict[str, float]) -> bool:
        """Take an evaluation; answer whether to stop."""
        ...

    def save(self, state: Any) -> None:
        """Keep a state to go on from."""
        ...

    def resume(self) -> Any:
        """Give the state to go on from, with the random generators as they were; None to begin anew."""
        ...


class LiveTrial:
    """One training: a loop of one's own gets it, trains with what it says, and reports to it.

    ::

        def train(trial):
            model = make_model()                     # torch, numpy and random are seeded with trial.seed
            optimizer = torch.optim.AdamW(model.parameters(), lr=trial.lr)
            for iteration in range(trial.iterations + 1):
                if trial.is_due(iteration) and trial.report(iteration, train_loss=loss_of(model)):
                    return
                ...                                  # one update

    Attributes:
        entry: the name of the optimizer entry in the task.
        hyperparameters: all its numbers by name, the searched one included; CProp's are ``cprop.c`` and so on.
        arguments: the task's ``arguments``, with the entry's own over them.
        seed: decides initial weights and data order; the global generators of torch, NumPy and Python are seeded.
        device: where to train: the CPU, or the GPU that this worker has.
        iterations: updates in the whole training.
        evaluate_every: iterations between evaluations, as the task has it; see ``is_due``.
    """

    def __init__(self, task: Task, spec: TrialSpec, device: torch.device, listener: Listener) -> None:
        self.entry = spec.search.entry
        self.hyperparameters: Mapping[str, float] = MappingProxyType(dict(spec.hyperparameters))
        self.arguments: Mapping[str, Any] = MappingProxyType(task.arguments_of(spec.search.entry))
        self.seed = spec.seed
        self.device = device
        self.iterations = task.budget.iterations
        self.evaluate_every = task.budget.evaluate_every
        self._task = task
        self._listener = listener

    def __repr__(self) -> str:
        numbers_of = ", ".join(f"{name}={value:g}" for name, value in self.hyperparameters.items())
        return f"LiveTrial({self.entry}, {numbers_of}, seed={self.seed})"

    @property
    def lr(self) -> float:
        """The learning rate to train with.

        Raises:
            LoopError: the entry has no ``lr``.
        """
        if "lr" not in self.hyperparameters:
            raise LoopError(
                f"trial.lr: {self.entry} has no lr, but {', '.join(self.hyperparameters)}; read those"
            )
        return self.hyperparameters["lr"]

    @property
    def resumed(self) -> Any:
        """What ``save`` kept last, if an earlier run was interrupted; None to begin at iteration 0.

        Read it once model and optimizer are made: the random generators go back to where they were as well. Tensors
        are on the CPU, as ``load_state_dict`` takes them.
        """
        return self._listener.resume()

    def is_due(self, iteration: int) -> bool:
        """Whether the task wants an evaluation here: at 0, every ``evaluate_every`` iterations, at the last.

        What the evaluation at 0 draws from the random generators, between this question and its report, is put back:
        it is lrsearch that wants it, and the training is to go on as if it had not been.
        """
        self._listener.asked(iteration)
        return iteration % self.evaluate_every == 0 or iteration == self.iterations

    def report(self, iteration: int, *unnamed: Any, **metrics: Any) -> bool:
        """Tell how the model stands after ``iteration`` updates; answers whether to stop.

        The first report is of iteration 0, before any update: what has learned is judged against it. The last is of
        ``iterations``. Those between come when they like, in rising order. The metric that decides is in each; what
        else there is goes on record. A NaN or infinite
        value of it, or of ``train_loss``, ends the trial as diverged.

        Args:
            iteration: updates made so far.
            unnamed: nothing: a metric has a name.
            metrics: by name, each a number or a tensor that holds one: ``train_loss=0.3, test_accuracy=0.9``.

        Returns:
            True if the loop shall return now: the training is over, has diverged, or is no longer wanted.

        Raises:
            LoopError: the report is none: out of order, beyond the end, without the metric, no number.
        """
        if unnamed:
            raise LoopError(
                f"trial.report got a value without a name; write trial.report(iteration, "
                f"{self._task.metric.name}=...)"
            )
        return self._listener.report(
            _whole(iteration, self.iterations), {n: _number(n, v) for n, v in metrics.items()}
        )

    def save(self, state: Any) -> None:
        """Keep a state (tensors, numbers, text, and lists and dicts of them) to go on from after an interruption.

        Call it as often as you like: it is written every few seconds at most, and read back without running anything
        that is in it. On a full disk the training goes on without, and the run says so. A loop that saves nothing
        begins anew when it was interrupted.

        Raises:
            LoopError: it holds something else.
        """
        self._listener.save(state)

    def optimizer(
        self, model: nn.Module | Iterable[torch.Tensor] | Iterable[dict[str, Any]]
    ) -> torch.optim.Optimizer:
        """Make the optimizer that the task's entry describes, with this trial's numbers, CProp included.

        One that is evaluated by other weights than it trains (Schedule-Free, SPlus) has ``eval()`` and ``train()``, in
        CProp too: call ``train()`` before the first step, ``eval()`` before each evaluation and ``train()`` after it.

        Args:
            model: what to optimize: a module, its parameters, or groups of them.

        Raises:
            LoopError: there is no such optimizer, or it does not take its arguments.
        """
        parameters = model.parameters() if isinstance(model, nn.Module) else model
        try:
            return make_optimizer(self._task.entries[self.entry], parameters, self.hyperparameters)
        except (LookupError, TypeError, ValueError) as error:
            raise LoopError(
                f"optimizers.{self.entry}: {error.args[0] if error.args else error}; mend it"
            ) from error


def _whole(iteration: Any, last: int) -> int:
    if isinstance(iteration, bool) or not isinstance(iteration, numbers.Integral):
        raise LoopError(
            f"trial.report got {iteration!r} for an iteration; give a whole number from 0 to {last}"
        )
    return int(iteration)


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        kind = (
            f"a tensor of shape {list(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)[:60]
        )
        raise LoopError(f"trial.report got {kind} for {name}; give one number") from None
