"""The IDX format of the MNIST family, gzipped: a magic number, the dimensions, then the values as bytes."""

import gzip
import math
import zlib

import torch
from torch import Tensor

_UNSIGNED_BYTES = 8
"""The format's code for the type of the values; the MNIST family knows no other."""


def parse_idx(gzipped: bytes, shape: tuple[int, ...]) -> Tensor:
    """Give the values as a uint8 tensor of ``shape``.

    Raises:
        ValueError: the bytes are not whole, not IDX, or hold another shape; the message says which.
    """
    try:
        content = bytearray(gzip.decompress(gzipped))
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"is cut short or not gzip ({error})") from error
    header = 4 * (1 + len(shape))
    magic = bytes((0, 0, _UNSIGNED_BYTES, len(shape)))
    if content[:4] != magic:
        raise ValueError(
            f"begins with {content[:4].hex() or 'nothing'} where IDX of this shape has {magic.hex()}"
        )
    found = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4))
    if found != shape:
        raise ValueError(f"holds {found} values where {shape} belong")
    if len(content) - header != math.prod(shape):
        raise ValueError(f"has {len(content) - header:,} values where its header says {math.prod(shape):,}")
    # A view past the header: a second copy of 47 MB would be held for nothing.
    return torch.frombuffer(content, dtype=torch.uint8, offset=header).view(shape)
