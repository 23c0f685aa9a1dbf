"""Optimizers that train other weights than the model is to be evaluated by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.optim import Optimizer

from cprop.swaps import MODE, SWAPS, Pair

Swap = tuple[Callable[[], object], Callable[[], object]]


def has_mode(optimizer: Optimizer) -> bool:
    """Return whether models are evaluated by other weights than those that the optimizer, or one in it, trains."""
    return any(_swap(optimizer, pair) for pair in SWAPS)


@torch.no_grad()
def begin_training(optimizer: Optimizer) -> None:
    """Call ``train()`` where there is one, as before a first step: some optimizers are made in their other mode."""
    if (mode := _swap(optimizer, MODE)) is not None:
        _, to_training = mode
        to_training()


@contextmanager
def evaluation_weights(optimizer: Optimizer) -> Iterator[None]:
    """Let the model have the weights that it is to be evaluated by; afterwards all is as before, to the bit.

    An optimizer says by its methods that these are others than it trains: ``eval()`` and ``train()`` of Schedule-Free
    optimizers and SPlus; ``backup_and_load_cache()`` and ``clear_and_load_backup()`` of Lookahead, in its first
    version with an underscore before each. An optimizer that has none may hold one that has (as OrthoGrad does).
    Without any, nothing happens.

    Args:
        optimizer: in its mode for training, after at least one step: before it SPlus has nothing to evaluate by.
    """
    swaps = [swap for pair in SWAPS if (swap := _swap(optimizer, pair)) is not None]
    parameters = [p for group in optimizer.param_groups for p in group["params"]] if swaps else []
    # train() undoes eval() but for rounding, and how often a model is evaluated must not change its training.
    trained = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for to_evaluation, _ in swaps:
            to_evaluation()
    try:
        yield
    finally:
        with torch.no_grad():
            for _, to_training in reversed(swaps):
                to_training()
            for parameter, value in zip(parameters, trained, strict=True):
                parameter.copy_(value)


def _swap(optimizer: Optimizer, names: Pair) -> Swap | None:
    """The methods of these names, of the outermost optimizer that has both."""
    for one in _nested(optimizer):
        to_evaluation, to_training = (getattr(one, name, None) for name in names)
        if callable(to_evaluation) and callable(to_training):
            return to_evaluation, to_training
    return None


def _nested(optimizer: Optimizer, seen: tuple[Optimizer, ...] = ()) -> Iterator[Optimizer]:
    yield optimizer
    for value in vars(optimizer).values():
        if isinstance(value, Optimizer) and not any(value is one for one in (*seen, optimizer)):
            yield from _nested(value, (*seen, optimizer))
