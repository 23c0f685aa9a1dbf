"""The mean scale of CProp over a whole training, from what its evaluations recorded."""

from collections.abc import Iterable, Mapping

from lrsearch.averages import mean_of
from lrsearch.task.comparison import MEAN_SCALE
from lrsearch.task.entries import is_learning_rate
from lrsearch.task.model import Compared
from lrsearch.trial import SearchId, Trial


def mean_scale(trials: Iterable[Trial]) -> float | None:
    """Give the mean scale over all evaluations of each replica, then over the replicas, from 0 to 1.

    None where none is recorded: without CProp, or where every replica diverged before its first evaluation.
    """
    recorded = ([e.metrics[MEAN_SCALE] for e in trial.curve if MEAN_SCALE in e.metrics] for trial in trials)
    means = [mean_of(scales) for scales in recorded if scales]
    return mean_of(means) if means else None


def scale_of(searched: Compared, chosen: Mapping[SearchId, float]) -> float | None:
    """Give what a compared rate is scaled by; None where no scale was recorded, as every seed diverged at once."""
    return 1.0 if searched.scaled_by is None else chosen.get(SearchId(searched.scaled_by, MEAN_SCALE))


def at_scale(
    searched: Compared, others: Mapping[str, float], scale: float
) -> tuple[Compared, dict[str, float]]:
    """Give a control's rate and its entry's other values; every learning rate is scaled, as CProp scales all of it."""
    if searched.scaled_by is None:
        return searched, dict(others)
    return searched.times(scale), {
        name: float(f"{value * scale:.4g}") if is_learning_rate(name) else value
        for name, value in others.items()
    }
