"""How an update is made beside its optimizer: from how many batches, in what precision, clipped, compiled or not."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from lrsearch.task.model import Precision, Recipe, Task
from lrsearch.training.workloads import described
from lrsearch.workload import IndexedBatches, Workload, moved


def set_precision(precision: Precision) -> None:
    """Let this process's matrix products and convolutions round to TF32, or not (PyTorch's own default is mixed)."""
    tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Give the context of forward passes: autocast to bfloat16 for ``bf16``, else nothing."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def clip_gradient(norm: float | None, parameters: Iterable[Tensor]) -> None:
    """Scale the gradient of all parameters together down to a 2-norm, if it is longer."""
    if norm is not None:
        nn.utils.clip_grad_norm_(parameters, norm)


def prepare_model(recipe: Recipe, model: nn.Module) -> None:
    """Let the model be compiled when it is first called, if the recipe says so; its parameters keep their names."""
    if not recipe.compile:
        return
    torch.compiler.reset()  # what earlier models compiled counts towards torch's limit of recompilations
    forward = model.forward

    # A frame of ours: model.compile() passes over those of torch.nn, and with them over a whole nn.Sequential.
    def compiled(*arguments: Any, **options: Any) -> Any:
        return forward(*arguments, **options)

    model.forward = torch.compile(compiled)


@contextmanager
def compiling(task: Task) -> Iterator[None]:
    """Say in one line what keeps the model from being compiled, which shows only when it is called."""
    try:
        yield
    except Exception as error:
        if task.recipe.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise task.error(
                f"recipe.compile is true, and the model cannot be compiled here ({described(error)}); "
                "leave it out, or mend what is in the way",
                "recipe",
                "compile",
            ) from error
        raise


def take_gradient(
    task: Task, workload: Workload, batches: IndexedBatches, seed: int, iteration: int, device: torch.device
) -> Tensor:
    """Add the gradient of an iteration to the parameters': the mean over the batches that the recipe accumulates.

    Args:
        task: says the recipe.
        workload: on the device; what it carries from batch to batch moves on.
        batches: of the workload; iteration t takes those from ``t * accumulate`` on.
        seed: of the replica.
        iteration: from 0.
        device: what it trains on.

    Returns:
        The loss, the mean over the batches, one number without a gradient.

    Raises:
        TaskError: the model cannot be compiled.
    """
    recipe = task.recipe
    total: Tensor | None = None
    for batch in range(iteration * recipe.accumulate, (iteration + 1) * recipe.accumulate):
        examples = moved(batches.batch(seed, batch), device)
        with compiling(task), autocast(recipe.precision, device):
            loss = workload.training_loss(examples)
        with compiling(task):
            (loss / recipe.accumulate if recipe.accumulate > 1 else loss).backward()
        one = loss.detach().sum()  # one number, whatever its shape
        total = one if total is None else total + one
    assert total is not None, "an iteration takes a batch at least"
    return total / recipe.accumulate if recipe.accumulate > 1 else total
