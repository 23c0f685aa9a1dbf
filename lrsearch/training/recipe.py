"""How a training goes beside its optimizer: the precision of its arithmetic, the clipping of its gradient."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from lrsearch.task.model import Precision, Recipe


def set_precision(precision: Precision) -> None:
    """Let this process's matrix products and convolutions round to TF32, or not (PyTorch's own default is mixed)."""
    tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Give the context of forward passes: autocast to bfloat16 for ``bf16``, else nothing."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def clip_gradient(recipe: Recipe, parameters: Iterable[Tensor]) -> None:
    """Scale the gradient of all parameters together down to the recipe's 2-norm, if it is longer."""
    if recipe.gradient_clip is not None:
        nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
