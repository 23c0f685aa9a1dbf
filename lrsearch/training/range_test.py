"""The learning-rate range test (Smith, arXiv:1506.01186, section 3.3), in the form that ``lr_find`` made common.

Over one short training a seed the rate rises by equal ratios; ``lrsearch.strategies.range_test`` reads a start off the
losses. Protocol and numbers are those of fastai's ``Learner.lr_find``.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from lrsearch import users_code
from lrsearch.errors import LRSearchError, WorkloadError
from lrsearch.searches import hyperparameters_of
from lrsearch.strategies.range_test import suggest
from lrsearch.task.model import Searched, Task
from lrsearch.task.starts import RangeTest
from lrsearch.training.device import training_device
from lrsearch.training.evaluation_weights import begin_training
from lrsearch.training.optimizers import make_optimizer
from lrsearch.training.update import clip_gradient, prepare_model, set_precision, take_gradient
from lrsearch.training.workloads import described, make_workload, where_raised
from lrsearch.trial import SearchId
from lrsearch.workload import indexed

LOWEST, HIGHEST, ITERATIONS = 1e-7, 10.0, 100
DECADES_BELOW = 4
"""At least so many decades lie below the highest rate: the loss before its fall is part of what is read."""
SEEDS = 3
"""How many seeds are tested at most."""
SMOOTHING = 0.98
"""How much of the running mean is kept at each iteration; its bias towards 0 is taken out."""
STOP_ABOVE = 4.0
"""A seed's test ends when the smoothed loss exceeds its lowest by so many times."""


def rates_of(searched: Searched) -> list[float]:
    """Give the learning rate of each iteration: 1e-7 to 10, but never above the search's upper limit.

    Rates below its lower limit are harmless, and the rule that reads the losses wants them.
    """
    lowest, highest = searched.limits
    top = highest if lowest > HIGHEST else min(HIGHEST, highest)
    return [float(rate) for rate in np.geomspace(min(LOWEST, top / 10**DECADES_BELOW), top, ITERATIONS)]


def iterations_at_most(task: Task) -> int:
    """Give how many iterations a range test takes if no seed of it diverges."""
    return ITERATIONS * _seeds(task)


@users_code.tried()
def range_test(task: Task, search: SearchId, check: Callable[[], None] = lambda: None) -> RangeTest:
    """Make the range test of a search, on the device that the task trains on.

    Initial weights, batches, optimizer and recipe are those of a replica of the same seed, but for the recipe's
    schedule and warm-up: of the first three, or of all where there are fewer. A loss that is NaN, infinite or four
    times its lowest ends a seed's test and is left out.

    Args:
        task: the task.
        search: of a learning rate; all other values of its entry are known.
        check: called before each iteration; what it raises ends the test.

    Raises:
        LRSearchError: the workload raised, the optimizer has no such rate, or the task takes a GPU and there is none.
    """
    if task.resources.gpus and not torch.cuda.is_available():
        raise task.error(
            f"{search} is to start at what a range test proposes, which is made here, and torch sees no GPU here; "
            "give a number",
            *_key(search),
        )
    torch.set_num_threads(task.resources.cpus)
    set_precision(task.recipe.precision)
    rates = rates_of(task.searches()[search])
    try:
        losses = [tuple(_losses(task, search, seed, rates, check)) for seed in range(_seeds(task))]
    except LRSearchError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkloadError(
            f"{where_raised(error)} {task.workload} raised {described(error)} in the range test of {search}; "
            "mend it, then run again"
        ) from error
    if task.resources.gpus:
        torch.cuda.empty_cache()  # workers on the same GPU need it
    return RangeTest(tuple(rates), tuple(losses), suggest(rates, losses))


def _losses(
    task: Task, search: SearchId, seed: int, rates: Sequence[float], check: Callable[[], None]
) -> Iterator[float]:
    """The loss of each iteration, before the update that its rate makes."""
    device = training_device(task)
    workload = make_workload(task, search.entry, seed).to(device)
    batches = indexed(workload.batches)
    own = {s: searched.guess for s, searched in task.searches().items() if s.entry == search.entry}
    numbers = hyperparameters_of(task, search.entry, own | {search: rates[0]})
    parameters = list(workload.model.parameters())
    optimizer = make_optimizer(task.entries[search.entry], workload.model, numbers, task.recipe.groups)
    begin_training(optimizer)
    prepare_model(task.recipe, workload.model)
    if any(search.hyperparameter not in group for group in optimizer.param_groups):
        raise task.error(
            f"{search} is to start at what a range test proposes, but the optimizer keeps no "
            f"{search.hyperparameter} that can be raised; give a number",
            *_key(search),
        )
    ratios = [group[search.hyperparameter] / rates[0] for group in optimizer.param_groups]
    workload.model.train()
    running, lowest = 0.0, math.inf
    for iteration, rate in enumerate(rates):
        check()
        for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
            group[search.hyperparameter] = rate * ratio
        optimizer.zero_grad()
        value = float(take_gradient(task, workload, batches, seed, iteration, device))
        if not math.isfinite(value):
            return
        yield value
        running = SMOOTHING * running + (1 - SMOOTHING) * value
        smoothed = running / (1 - SMOOTHING ** (iteration + 1))
        lowest = min(lowest, smoothed)
        if smoothed > STOP_ABOVE * lowest > 0:
            return
        clip_gradient(task.recipe.gradient_clip, parameters)
        optimizer.step()


def _seeds(task: Task) -> int:
    return min(SEEDS, task.seeds)


def _key(search: SearchId) -> tuple[str, ...]:
    return ("optimizers", search.entry, *search.hyperparameter.split("."), "start")
