"""The data that a function reads from around it (tensors and arrays), as digests that change when it does."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

WHOLE_BYTES = 64 * 2**20
"""What is larger goes by a sample."""
_SAMPLED = 2**20
"""Elements of a sample, evenly spaced."""
_ITEMS = 1000
"""How many items of a list or dict are looked at."""


def data_in(thing: Any) -> Iterator[tuple[str, str]]:
    """Give the digests of the tensors and arrays that a thing is or holds, each with where: ``.dataset``, ``[0]``.

    Lists, dicts, and PyTorch's ``DataLoader``, ``TensorDataset``, ``Subset`` and ``ConcatDataset`` are looked into. A
    tensor that is trained (``requires_grad``) is no data.
    """
    # What is not imported has made nothing.
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if numpy is not None and isinstance(thing, numpy.ndarray):
        yield "", _digest_of_array(thing)
    elif torch is not None and isinstance(thing, torch.Tensor):
        if not thing.requires_grad:
            yield "", _digest_of_tensor(thing)
    else:
        for where, item in _items_of(thing, torch):
            yield from ((f"{where}{deeper}", digest) for deeper, digest in data_in(item))


def holds_unseen(thing: Any) -> bool:
    """Whether a thing holds data of which ``data_in`` sees nothing: a data set or a table of another package."""
    kind = type(thing)
    if kind.__module__ == "builtins" or isinstance(thing, type) or any(True for _ in data_in(thing)):
        return False
    return hasattr(kind, "__getitem__") or (hasattr(kind, "__iter__") and hasattr(kind, "__len__"))


def _items_of(thing: Any, torch: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, list | tuple):
        return [(f"[{number}]", item) for number, item in enumerate(thing[:_ITEMS])]
    if isinstance(thing, Mapping) and type(thing).__module__ == "builtins":
        return [(f"[{key!r}]", thing[key]) for key in list(thing)[:_ITEMS]]
    if torch is not None:
        kinds = torch.utils.data
        if isinstance(thing, kinds.DataLoader | kinds.Subset):
            indices = (
                [(".indices", torch.as_tensor(thing.indices))] if isinstance(thing, kinds.Subset) else []
            )
            return [(".dataset", thing.dataset), *indices]
        if isinstance(thing, kinds.TensorDataset):
            return [(".tensors", thing.tensors)]
        if isinstance(thing, kinds.ConcatDataset):
            return [(".datasets", thing.datasets)]
        if isinstance(thing, kinds.Dataset) and hasattr(thing, "__dict__"):  # one of the user's own
            return [(f".{name}", value) for name, value in vars(thing).items()]
    return []


def _digest_of_array(array: Any) -> str:
    sample = array if array.nbytes <= WHOLE_BYTES else array.reshape(-1)[:: max(1, array.size // _SAMPLED)]
    content = repr(sample.tolist()).encode() if array.dtype.hasobject else sample.tobytes()
    return _digest(array.shape, array.dtype, content)


def _digest_of_tensor(tensor: Any) -> str:
    if tensor.layout is not sys.modules["torch"].strided or tensor.is_quantized:
        return _digest(tuple(tensor.shape), tensor.dtype, b"")
    flat = tensor.detach().reshape(-1)
    if tensor.numel() * tensor.element_size() > WHOLE_BYTES:
        flat = flat[:: max(1, tensor.numel() // _SAMPLED)]
    whole = flat.resolve_conj().resolve_neg().contiguous().cpu()
    return _digest(
        tuple(tensor.shape), tensor.dtype, whole.view(sys.modules["torch"].uint8).numpy().tobytes()
    )


def _digest(shape: tuple[int, ...], dtype: object, content: bytes) -> str:
    return hashlib.sha256(f"{shape} {dtype} ".encode() + content).hexdigest()[:16]
