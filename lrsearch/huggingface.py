"""A Hugging Face Trainer as a training loop: a callback that evaluates when the trial wants it, and reports.

::

    from lrsearch.huggingface import LRSearchCallback

    def train(trial):
        trainer = Trainer(model, arguments, train_dataset=..., eval_dataset=...)
        trainer.add_callback(LRSearchCallback(trial, trainer))
        trainer.train()
"""

from typing import Any

from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback
from transformers.trainer_callback import TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from lrsearch.errors import LoopError
from lrsearch.training.checkpoint import random_state, restore_random_state
from lrsearch.training.live_trial import LiveTrial

__all__ = ["LRSearchCallback"]

_NO_METRICS = ("_runtime", "_per_second", "_preparation_time")
"""How the names of what is measured of the evaluation itself end."""


class LRSearchCallback(TrainerCallback):
    """Reports what the Trainer's evaluation gives: before the first update, where ``trial.is_due``, after the last.

    An ``eval_dataset`` gives ``eval_loss``, and what ``compute_metrics`` gives beside it. A dictionary of several is
    evaluated one by one, each under its own name: ``{"train": ..., "test": ...}`` gives ``train_loss`` and
    ``test_loss``. An evaluation draws no random numbers from the training. Progress bars and printed logs are removed
    from the Trainer. An interrupted training begins anew.

    Args:
        trial: what the loop got.
        trainer: the Trainer that gets the callback: ``trainer.add_callback(LRSearchCallback(trial, trainer))``.

    Raises:
        LoopError: one of them is something else; or, in ``train``, the Trainer does not train as the trial wants it.
    """

    def __init__(self, trial: LiveTrial, trainer: Trainer) -> None:
        for given, kind in ((trial, LiveTrial), (trainer, Trainer)):
            if not isinstance(given, kind):
                raise LoopError(
                    f"LRSearchCallback got {type(given).__name__} for a {kind.__name__}; give it the trial that the "
                    "loop gets, and the Trainer: LRSearchCallback(trial, trainer)"
                )
        self._trial = trial
        self._trainer = trainer
        self._stopped = False
        for noise in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(noise)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Check the Trainer, and report how the model stands before the first update."""
        self._check(args, state)
        self._trial.is_due(0)  # at the report, the user's own generators are put back too
        return self._report(state, control)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Report if this update is one to report."""
        if not self._stopped and self._trial.is_due(state.global_step):
            return self._report(state, control)
        return control

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Say so if the Trainer ended by itself."""
        if not self._stopped and state.global_step < self._trial.iterations:
            raise LoopError(
                f"the Trainer ended after {state.global_step} of {self._trial.iterations} updates; "
                "let max_steps alone end it, and give it data enough"
            )

    def _report(self, state: TrainerState, control: TrainerControl) -> TrainerControl:
        before = random_state(self._trial.device)
        metrics = self._evaluate()
        restore_random_state(before, self._trial.device)
        if self._trial.report(state.global_step, **metrics):
            self._stopped = control.should_training_stop = True
        return control

    def _evaluate(self) -> dict[str, float]:
        trainer = self._trainer
        if isinstance(trainer.eval_dataset, dict):
            given = [
                trainer.evaluate(data, metric_key_prefix=name) for name, data in trainer.eval_dataset.items()
            ]
        else:
            given = [trainer.evaluate()]
        return {
            name: value
            for metrics in given
            for name, value in metrics.items()
            if name != "epoch" and not name.endswith(_NO_METRICS)
        }

    def _check(self, args: TrainingArguments, state: TrainerState) -> None:
        last, trial = self._trial.iterations, self._trial
        if state.max_steps != last:
            raise LoopError(
                f"the Trainer makes {state.max_steps} updates, and the trial's iterations are {last}; "
                "give TrainingArguments(max_steps=trial.iterations)"
            )
        if args.seed != trial.seed:
            raise LoopError(
                f"TrainingArguments has seed {args.seed}, and this training's is {trial.seed}; "
                "give TrainingArguments(seed=trial.seed)"
            )
        if args.world_size * max(1, args.n_gpu) > 1:
            raise LoopError(
                f"the Trainer takes {args.world_size * args.n_gpu} devices; let it see one, by "
                "CUDA_VISIBLE_DEVICES: lrsearch itself trains on several at once"
            )
        if not self._trainer.eval_dataset:
            raise LoopError(
                "the Trainer has nothing to evaluate on; give Trainer(eval_dataset=...), or "
                "eval_dataset={'train': ..., 'test': ...}: what it gives decides"
            )
