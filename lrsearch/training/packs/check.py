"""Whether a stack of replicas trains as each would alone: tried on copies before it is used, so that a wrong fusion
decides nothing."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lrsearch.task.model import Task
from lrsearch.training.packs.nested import StackError
from lrsearch.training.packs.passes import Way
from lrsearch.training.packs.stack import Stack
from lrsearch.training.packs.turns import Turn
from lrsearch.training.reach import generators_of
from lrsearch.training.replica import Replica
from lrsearch.training.workloads import described, find_callable
from lrsearch.trial import TrialSpec

UPDATES = 3
LOSS_TOLERANCE = 1e-4
"""Of the mean loss, relative: rounding in float32, which optimizers such as Adam amplify in the parameters."""
STEP_TOLERANCE = 0.02
"""Of how far the parameters went, relative."""


def why_not_together(
    task: Task, specs: Sequence[TrialSpec], device: torch.device, way: Way = "stacked"
) -> str | None:
    """Train copies of some replicas alone and together, from the start; give what keeps them from it.

    Args:
        task: what they train.
        specs: of the replicas, all of one workload.
        device: what they train on.
        way: how they are trained together.

    Returns:
        Words that follow "as"; None if both come out the same.
    """
    if task.recipe.compile:
        return "its model is compiled"
    if own := generators_of(find_callable(task)).places:
        return f"all would draw from {own[0]} at the same time"
    with tempfile.TemporaryDirectory(prefix="lrsearch-") as folder:
        nowhere = Path(folder) / "none.pt"
        alone, turns = _made(task, specs, nowhere, device)
        before = [_flat(replica) for replica in alone]
        for replica, turn in zip(alone, turns, strict=True):
            with turn():
                replica.train_to(UPDATES)
        together, turns = _made(task, specs, nowhere, device)
        try:
            Stack(together, turns, task.recipe, device, way).train(UPDATES)
        except StackError as error:
            return str(error)
        except Exception as error:
            return _in_words(error)
    for one, other, start in zip(alone, together, before, strict=True):
        if not _alike(one, other, start):
            return (
                f"the training of {one.spec.search.entry} came out otherwise there: it depends on more than its "
                "parameters, its batches and what it carries"
            )
    return None


def _made(
    task: Task, specs: Sequence[TrialSpec], checkpoint: Path, device: torch.device
) -> tuple[list[Replica], list[Turn]]:
    replicas, turns = [], []
    for spec in specs:
        replicas.append(Replica(task, spec, checkpoint))
        turns.append(Turn(device))
    return replicas, turns


def _alike(one: Replica, other: Replica, start: Tensor) -> bool:
    alone, stacked = one.loss_total / UPDATES, other.loss_total / UPDATES
    if not bool(alone.isfinite()):
        return not bool(stacked.isfinite())
    if not torch.allclose(alone, stacked.to(alone), rtol=LOSS_TOLERANCE, atol=LOSS_TOLERANCE):
        return False
    went, apart = (_flat(one) - start).norm(), (_flat(one) - _flat(other)).norm()
    return bool(apart <= STEP_TOLERANCE * went + 1e-12) or not bool(went.isfinite())


def _flat(replica: Replica) -> Tensor:
    return torch.cat([p.detach().reshape(-1).double() for p in replica.workload.model.parameters()])


def _in_words(error: Exception) -> str:
    said = str(error)
    if "random operation" in said:
        return "it draws random numbers (dropout), which would not be those that each draws alone"
    if "data-dependent control flow" in said or ".item()" in said:
        return "its Python branches on numbers that are computed"
    return f"torch.func.vmap cannot run it ({described(error)})"
