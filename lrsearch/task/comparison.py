"""What a comparison asks for beside its task: which entries are set against which, and what is recorded of scales."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Spacing = Literal["even", "logarithmic"]

MEAN_SCALE = "mean_scale"
"""The metric that holds the mean of CProp's scale over all elements, from 0 to 1, in the step before an evaluation."""
HISTOGRAM = "scale_histogram."
"""What the names of the histogram's bins begin with: the fraction of elements whose scale lies in each."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison adds to a task whose entries are all trained at given values.

    Attributes:
        pairs: by an entry, the one that it is compared with.
        controls: by an entry in CProp, the one that trains its base at the rate that CProp used in effect: the base's
            times the mean scale.
        bins: of the histogram of scales, of equal width from 0 to 1.
        spacing: the evaluations at which it is recorded: all of them, or about two each time the iterations double.
        scale: how much of its file's length is trained.
    """

    pairs: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    bins: int = 20
    spacing: Spacing = "even"
    scale: float = 1.0

    def keeps_histogram(self, iteration: int, every: int, last: int) -> bool:
        """Whether the histogram is recorded at an evaluation.

        Args:
            iteration: of the evaluation, above 0.
            every: iterations between evaluations.
            last: the iteration of the last one, where it always is.
        """
        number = iteration // every
        if self.spacing == "even" or iteration == last or number <= 1:
            return True
        # Two an octave: the square doubles once where the number grows by the square root of 2.
        return (number**2).bit_length() > ((number - 1) ** 2).bit_length()


def bin_name(index: int) -> str:
    """Give the metric that holds a bin of the histogram; bins count from 0, the lowest scales.

    >>> bin_name(3)
    'scale_histogram.03'
    """
    return f"{HISTOGRAM}{index:02d}"


def is_of_scales(metric: str) -> bool:
    """Whether a metric is one of CProp's scales, not one of the workload's."""
    return metric == MEAN_SCALE or metric.startswith(HISTOGRAM)
