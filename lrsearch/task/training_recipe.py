"""How a training goes beside its optimizer: schedule, warm-up, groups, precision. Frozen data, already checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Precision = Literal["float32", "tf32", "bf16"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning-rate schedule: a class of ``torch.optim.lr_scheduler`` by its name, and its arguments.

    An argument that is a learning rate may be ``{"times": X}``: X times the peak, which is the entry's ``lr``.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that train with other numbers: those whose name fits ``match``, a pattern of ``fnmatch``.

    Their learning rate is ``lr_times`` that of the entry; ``arguments`` go over the optimizer's.
    """

    match: str
    lr_times: float = 1.0
    arguments: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How each training goes, beside its optimizer.

    Attributes:
        gradient_clip: the largest 2-norm of the gradient of all parameters together; None: not clipped.
        precision: of the arithmetic.
        schedule: how the learning rate goes after the warm-up; None: it stays.
        warmup: iterations of linear warm-up, or a fraction (below 1) of all; 0: none.
        accumulate: batches whose mean gradient makes one update.
        compile: whether the model goes through ``torch.compile``.
        groups: parameters that train with other numbers; the first that matches wins.
    """

    gradient_clip: float | None = None
    precision: Precision = "float32"
    schedule: Schedule | None = None
    warmup: float = 0
    accumulate: int = 1
    compile: bool = False
    groups: tuple[ParameterGroup, ...] = ()

    @property
    def changes_lr(self) -> bool:
        """Whether the learning rate changes while it trains: what is searched is then its peak."""
        return self.schedule is not None or self.warmup > 0

    def warmup_iterations(self, iterations: int) -> int:
        """Give how many of all iterations the warm-up takes; a fraction is rounded, and is 1 at least."""
        if 0 < self.warmup < 1:
            return max(1, round(self.warmup * iterations))
        return int(self.warmup)
