"""The learning-rate range test (Smith, arXiv:1506.01186, section 3.3) in the form that ``lr_find`` made common.

The rate rises exponentially over one short training, and a rule reads a rate off the losses. Here is the training;
rules that read it do not train. Protocol and defaults are those of fastai's ``Learner.lr_find``: 1e-7 to 10 over 100
iterations, ended when the smoothed loss exceeds four times its lowest (Lightning's has the same smoothing, factor
and number of iterations).
"""

import math

import numpy as np
import torch

from lrsearch.searches import hyperparameters_of
from lrsearch.task.model import Task
from lrsearch.training.optimizers import make_optimizer
from lrsearch.training.workloads import make_workload
from lrsearch.trial import SearchId
from lrsearch.workload import indexed

LOWEST, HIGHEST, ITERATIONS = 1e-7, 10.0, 100
SMOOTHING = 0.98
"""How much of the running mean is kept at each iteration; its bias towards 0 is taken out."""
STOP_ABOVE = 4.0
"""How many times its lowest value the smoothed loss may reach."""


def rates() -> list[float]:
    """Give the learning rate of each iteration: equal ratios from lowest to highest."""
    return [float(rate) for rate in np.geomspace(LOWEST, HIGHEST, ITERATIONS)]


def range_test(task: Task, entry: str, seed: int) -> list[float]:
    """Give the training loss of each iteration, before the update that its rate makes; shorter where it stopped.

    Initial weights and batches are those that a replica of the same seed gets. A loss that is NaN or infinite
    ends the test and is left out.
    """
    workload = make_workload(task, entry, seed)
    batches = indexed(workload.batches)
    numbers = hyperparameters_of(task, entry, {SearchId(entry, "lr"): LOWEST})
    optimizer = make_optimizer(task.entries[entry], workload.model.parameters(), numbers)
    workload.model.train()
    losses: list[float] = []
    running, lowest = 0.0, math.inf
    for iteration, rate in enumerate(rates()):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss: torch.Tensor = workload.loss(workload.model, batches.batch(seed, iteration))
        value = loss.item()
        if not math.isfinite(value):
            break
        losses.append(value)
        running = SMOOTHING * running + (1 - SMOOTHING) * value
        smoothed = running / (1 - SMOOTHING ** (iteration + 1))
        lowest = min(lowest, smoothed)
        if smoothed > STOP_ABOVE * lowest:
            break
        loss.backward()
        optimizer.step()
    return losses
