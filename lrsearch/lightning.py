"""A Lightning Trainer as a training loop: a callback that validates when the trial wants it, and reports.

::

    from lrsearch.lightning import LRSearchCallback

    def train(trial):
        trainer = Trainer(max_steps=trial.iterations, callbacks=[LRSearchCallback(trial)], ...)
        trainer.fit(Module(trial), train_dataloaders=..., val_dataloaders=...)
"""

import logging
import sys
import warnings
from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError as error:
    try:  # the package that Lightning is also published as
        from pytorch_lightning import Callback, LightningModule, Trainer  # type: ignore[assignment]
    except ModuleNotFoundError:
        raise error from None

from lrsearch.errors import LoopError
from lrsearch.training.checkpoint import random_state, restore_random_state
from lrsearch.training.live_trial import LiveTrial

__all__ = ["LRSearchCallback"]

_NEVER = sys.maxsize
"""A number of batches that no training reaches."""


class LRSearchCallback(Callback):
    """Reports what validation logs: before the first update, where ``trial.is_due``, and after the last.

    It decides when the Trainer validates, in place of ``val_check_interval`` and ``check_val_every_n_epoch``: by
    updates of the weights, however many batches each takes. A validation draws no random numbers from the training.
    Progress bars and lines of information are silenced. An interrupted training begins anew.

    Args:
        trial: what the loop got.

    Raises:
        LoopError: that is no trial; or, in ``fit``, the Trainer does not train as the trial wants it.
    """

    def __init__(self, trial: LiveTrial) -> None:
        if not isinstance(trial, LiveTrial):
            raise LoopError(
                f"LRSearchCallback got {type(trial).__name__}; give it the trial that the loop "
                "gets: LRSearchCallback(trial)"
            )
        self._trial = trial
        self._stopped = False
        self._reported = -1
        self._before: dict[str, Any] = {}
        self._random: dict[str, Any] | None = None
        _quiet()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the Trainer, and let this callback alone decide when it validates."""
        self._check(trainer)
        trainer.num_sanity_val_steps = 0  # what it logs is thrown away if there are several loaders
        trainer.check_val_every_n_epoch = None  # only val_check_batch decides
        if trainer.progress_bar_callback is not None:
            trainer.progress_bar_callback.disable()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate before the first update, as Lightning itself does between two batches."""
        self._trial.is_due(0)  # at the report, the user's own generators are put back too
        self._random = random_state(self._trial.device)
        trainer.validating = True
        before = self._random
        trainer.fit_loop.epoch_loop.val_loop.run()
        trainer.training = True
        restore_random_state(before, self._trial.device)  # also what other callbacks drew after the report

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ask for a validation right after this batch if its update is one to report."""
        # Batches that only add to the gradient leave global_step where it was.
        due = trainer.global_step > self._reported and self._trial.is_due(trainer.global_step)
        trainer.val_check_batch = trainer.fit_loop.total_batch_idx + 1 if due else _NEVER
        if due:
            self._random = random_state(self._trial.device)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember what was logged before: the Trainer keeps what training and validation log in one place.

        An optimizer that has an ``eval()`` is told, which Lightning leaves to the module; calls of the module's own do
        no harm.
        """
        if trainer.global_step:
            _call(trainer.optimizers, "eval")
        self._before = dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report what validation logged, and tell an optimizer that has a ``train()`` that it goes on."""
        _call(trainer.optimizers, "train")
        step = trainer.global_step
        if self._stopped or step <= self._reported or self._random is None:
            return  # not asked for here
        # Each validation gives tensors of its own, and what training logged stays as it was.
        logged = {
            name: value
            for name, value in trainer.callback_metrics.items()
            if value is not self._before.get(name)
        }
        if not logged:
            raise LoopError(
                "the validation logged nothing; let validation_step log what decides, such as "
                "self.log('val_loss', loss)"
            )
        restore_random_state(self._random, self._trial.device)
        self._random = None
        self._reported = step
        if self._trial.report(step, **logged):
            self._stopped = trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say so if the Trainer ended by itself."""
        if not self._stopped and trainer.global_step < self._trial.iterations:
            raise LoopError(
                f"the Trainer ended after {trainer.global_step} of {self._trial.iterations} updates; "
                "let max_steps alone end it: no max_epochs, no max_time, no early stopping"
            )

    def _check(self, trainer: Trainer) -> None:
        last = self._trial.iterations
        if trainer.max_steps != last:
            raise LoopError(
                f"the Trainer's max_steps is {trainer.max_steps}, and the trial's iterations are {last}; "
                "give Trainer(max_steps=trial.iterations)"
            )
        if trainer.world_size > 1:
            raise LoopError(
                f"the Trainer takes {trainer.world_size} devices; give Trainer(devices=1, "
                "accelerator=trial.device.type): lrsearch itself trains on several at once"
            )
        if len(trainer.optimizers) != 1:
            raise LoopError(
                f"the module has {len(trainer.optimizers)} optimizers, and LRSearchCallback takes one; "
                "report from a loop of your own instead"
            )
        if not trainer.enable_validation:
            raise LoopError(
                "the Trainer has nothing to validate with; give trainer.fit val_dataloaders, the module a "
                "validation_step, and no limit_val_batches=0: what it logs decides"
            )


def _call(optimizers: Iterable[Optimizer], name: str) -> None:
    for optimizer in optimizers:
        if callable(method := getattr(optimizer, name, None)):
            method()


def _quiet() -> None:
    """Silence what Lightning says of itself: a search makes hundreds of Trainers."""
    for name in ("lightning.pytorch", "pytorch_lightning"):
        logging.getLogger(f"{name}.utilities.rank_zero").setLevel(logging.WARNING)
    # Lightning 2.6 with torch 2.13; and advice on the number of a DataLoader's workers.
    for message in (".*isinstance.treespec, LeafSpec", ".*does not have many workers"):
        warnings.filterwarnings("ignore", message=message)
