"""CProp's scales at an evaluation, as metrics beside the workload's."""

from torch.optim import Optimizer

from cprop import CProp
from lrsearch.task.comparison import MEAN_SCALE, bin_name
from lrsearch.task.model import Task


def scale_metrics(task: Task, optimizer: Optimizer, iteration: int) -> dict[str, float]:
    """Give the mean scale of the latest step, and the fraction of elements in each bin of the scale.

    They are worked out from the moments, which costs about two steps an evaluation. Nothing is given but for a
    comparison's optimizers in CProp, after the first step.

    Args:
        task: says whether it is a comparison, how many bins there are and where they are recorded.
        optimizer: as it stands.
        iteration: how many steps it made.
    """
    comparison, budget = task.comparison, task.budget
    if comparison is None or not isinstance(optimizer, CProp) or iteration == 0:
        return {}
    metrics = {MEAN_SCALE: optimizer.mean_scale()}
    if comparison.keeps_histogram(iteration, budget.evaluate_every, budget.iterations):
        counts = optimizer.scale_histogram(comparison.bins)
        fractions = (counts / counts.sum()).tolist()
        # Four digits: a curve is kept whole with its result.
        metrics |= {bin_name(index): float(f"{share:.4g}") for index, share in enumerate(fractions)}
    return metrics
