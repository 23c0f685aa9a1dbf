"""SGD without momentum, whose update is simple enough to be made in the same pass as its scale."""

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor
from torch.optim import SGD, Optimizer


@dataclass(frozen=True)
class PlainSGD:
    """The update ``step * (grad + decay * parameter)``.

    Attributes:
        step: ``-lr``, or ``lr`` where the objective is maximised.
        decay: The weight decay, negative where the objective is maximised.
    """

    step: float
    decay: float

    @classmethod
    def of(cls, group: dict[str, Any]) -> Self:
        """Of a group of an optimizer that `is_plain_sgd`."""
        sign = 1 if group["maximize"] else -1
        return cls(step=sign * group["lr"], decay=-sign * group["weight_decay"])


def is_plain_sgd(optimizer: Optimizer) -> bool:
    """Whether the optimizer's step is `PlainSGD` in every group and nobody would miss the call of it."""
    watched = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    if type(optimizer) is not SGD or watched or "step" in vars(optimizer):
        return False
    return all(
        group["momentum"] == 0 and not group["differentiable"] and not isinstance(group["lr"], Tensor)
        for group in optimizer.param_groups
    )
