"""Things on another device, tensors of data once a process."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_RESIDENT: Any = WeakTensorKeyDictionary()
"""Tensors to their copies by device. A copy is held as long as its tensor is."""


def resident(tensor: Tensor, device: torch.device) -> Tensor:
    """Give a tensor of data on a device: the same copy to all who ask in one process, who must not change it."""
    if tensor.device == device:
        return tensor
    copies = _RESIDENT.setdefault(tensor, {})
    if device not in copies:
        copies[device] = tensor.to(device)
    copy: Tensor = copies[device]
    return copy


def moved(thing: Any, device: torch.device) -> Any:
    """Give a thing on another device: whatever has ``to``, and tuples, lists and dicts of such; the rest as it is."""
    match thing:
        case tuple() | list():
            parts = [moved(part, device) for part in thing]
            return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)
        case dict():
            return {name: moved(part, device) for name, part in thing.items()}
    return thing.to(device) if hasattr(thing, "to") else thing
