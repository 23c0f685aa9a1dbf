"""What CProp keeps for a parameter: two moments, and the number of gradients that they are worth."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

# Beside the wrapped optimizer's own state of a parameter. The count is a 0-dimensional float64 tensor, the moments have
# the parameter's shape and at least float32's precision.
COUNT, MEAN = "cprop_n", "cprop_mean"

State = defaultdict[Tensor, Any]


def second_name(second: str) -> str:
    """The name under which the second moment, ``"variance"`` or ``"magnitude"``, is kept."""
    return f"cprop_{second}"


def cohorts(
    state: State, parameters: Iterable[Tensor], second: str, count_device: Callable[[Tensor], torch.device]
) -> list[list[Tensor]]:
    """The parameters that have a gradient, together with those that have had all their gradients with them.

    A cohort shares one count. A member without a gradient this time keeps it, and the others go on with a copy.
    """
    found: dict[Hashable, list[Tensor]] = {}
    left_behind = set()
    for p in parameters:
        count = state[p].get(COUNT) if p in state else None
        if p.grad is None:
            left_behind.add(id(count))
        elif count is None:
            found.setdefault((p.device, p.dtype), []).append(p)
        else:
            found.setdefault(id(count), []).append(p)
    for key, members in found.items():
        if isinstance(key, tuple):
            count = torch.zeros((), dtype=torch.float64, device=count_device(members[0]))
            for p in members:
                state[p].update(new_moments(p, count, second))
        elif key in left_behind:
            count = state[members[0]][COUNT].clone()
            for p in members:
                state[p][COUNT] = count
    return list(found.values())


def new_moments(parameter: Tensor, count: Tensor, second: str) -> dict[str, Tensor]:
    """Zero moments laid out like the parameter, with the count that they share with others."""
    dtype = torch.promote_types(parameter.dtype, torch.float32)
    moments = {name: torch.zeros_like(parameter, dtype=dtype) for name in (MEAN, second_name(second))}
    return {COUNT: count, **moments}


def load_moments(
    state: State,
    parameters: Iterable[Tensor],
    saved: Iterable[Mapping[str, Any]],
    second: str,
    count_device: Callable[[Tensor], torch.device],
) -> None:
    """Copy the moments out of ``saved``, the saved states of ``parameters`` in their order."""
    counts: dict[Hashable, Tensor] = {}
    for p, moments in zip(parameters, saved, strict=True):
        if COUNT not in moments:
            continue
        key = (moments[COUNT].item(), p.device, p.dtype)
        if key not in counts:
            counts[key] = torch.full((), key[0], dtype=torch.float64, device=count_device(p))
        own = new_moments(p, counts[key], second)
        for name in (MEAN, second_name(second)):
            own[name].copy_(moments[name])
        state[p].update(own)
