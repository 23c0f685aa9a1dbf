"""What proposes a start that the task does not give as a number: a range test, or another study's result."""

from dataclasses import dataclass
from typing import Literal

Rule = Literal["linear", "sqrt", "inverse", "same"]

POWERS: dict[Rule, float] = {"linear": 1.0, "sqrt": 0.5, "inverse": -1.0, "same": 0.0}
"""To which power each rule raises the ratio before the learning rate is multiplied by it."""

FALLBACK_START = 0.01
"""Where the search of a learning rate begins if its range test suggests nothing."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """What a learning-rate range test gave (Smith, arXiv:1506.01186): the rate rises over one short training.

    Attributes:
        rates: the learning rate of each iteration, rising by equal ratios.
        losses: the training loss of each iteration before its update, a row a seed; shorter where it diverged.
        suggested: the start that was read off them; None if there was nothing to read.
    """

    rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    suggested: float | None

    @property
    def iterations(self) -> int:
        """Iterations trained, over all seeds."""
        return sum(len(row) for row in self.losses)


def rescale(lr: float, ratio: float, rule: Rule) -> float:
    """Give the learning rate that a rule makes of another.

    ``linear`` is for SGD and the batch size (Goyal et al., arXiv:1706.02677), ``sqrt`` for the batch size too
    (Krizhevsky, arXiv:1404.5997; Malladi et al. for Adam, arXiv:2205.10287), ``inverse`` for widths under Adam
    (Yang, Hu et al., arXiv:2203.03466). ``same`` leaves it as it is.

    Args:
        lr: the learning rate there, above 0.
        ratio: of what is scaled by, here to there, above 0.
        rule: the rule.

    Raises:
        OverflowError: the ratio is beyond what a float can hold once the rule is applied.

    >>> rescale(0.1, 3, "linear"), rescale(0.1, 4, "sqrt"), rescale(0.1, 4, "inverse"), rescale(0.1, 4, "same")
    (0.3, 0.2, 0.025, 0.1)
    """
    return float(f"{lr * ratio ** POWERS[rule]:.12g}")  # in floats 0.1 * 3 is 0.30000000000000004


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a task asks for with ``start: {from: ..., rule: ...}``.

    Attributes:
        source: the chosen.yaml as the task file names it, relative to the task file's folder.
        rule: how the learning rate there is scaled.
        by: the workload's argument whose ratio, here to there, is meant; None where there is none.
        here: the value of ``by`` in this task, above 0; None where ``by`` is.
        times: the ratio where the task gives it itself.
        entry: the entry there; None where the task leaves it to the names.
    """

    source: str
    rule: Rule
    by: str | None = None
    here: float | None = None
    times: float | None = None
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class ScaledStart:
    """Where another study's result points, kept so that its file is read once.

    Attributes:
        scaling: what the task asked for.
        entry: the entry there that was taken.
        lr: the learning rate there, above 0.
        there: the value of ``scaling.by`` that it was chosen with, above 0; None where there is none.
    """

    scaling: Scaling
    entry: str
    lr: float
    there: float | None = None

    @property
    def ratio(self) -> float | None:
        """The ratio of what is scaled by, here to there; None where nothing is."""
        if self.scaling.here is None or self.there is None:
            return self.scaling.times
        return self.scaling.here / self.there

    @property
    def value(self) -> float:
        """The learning rate that the rule makes, on no rung yet."""
        return rescale(self.lr, 1.0 if self.ratio is None else self.ratio, self.scaling.rule)

    @property
    def iterations(self) -> int:
        """Iterations trained for it: none."""
        return 0


ProposedStart = RangeTest | ScaledStart
"""What proposes a start that the task does not give as a number."""
