"""The IDX reader: whole files come back, and no damage gives a wrong number."""

import gzip

import pytest
import torch

from lrsearch.datasets.idx import parse_idx

SHAPE = (3, 2, 2)
PIXELS = bytes(range(244, 256))


def idx(magic: bytes = b"\0\0\x08\x03", shape: tuple[int, ...] = SHAPE, values: bytes = PIXELS) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return gzip.compress(magic + sizes + values, mtime=0)


def test_values_and_shape_come_back() -> None:
    images = parse_idx(idx(), SHAPE)
    assert images.dtype == torch.uint8
    assert images.tolist() == [[[244, 245], [246, 247]], [[248, 249], [250, 251]], [[252, 253], [254, 255]]]


@pytest.mark.parametrize("length", range(len(idx())))
def test_a_file_cut_short_anywhere_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match=r"cut short|nothing"):
        parse_idx(idx()[:length], SHAPE)


@pytest.mark.parametrize("position", range(len(idx())))
def test_a_flipped_byte_is_an_error_or_changes_no_value(position: int) -> None:
    damaged = bytearray(idx())
    damaged[position] ^= 0xFF
    try:
        images = parse_idx(bytes(damaged), SHAPE)
    except ValueError:
        return
    assert bytes(images.flatten().tolist()) == PIXELS  # gzip's own header: a time stamp, the system's name


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (idx(magic=b"\0\0\x0d\x03"), "begins with 00000d03 where IDX of this shape has 00000803"),
        (idx(magic=b"\0\0\x08\x01"), "begins with 00000801 where IDX of this shape has 00000803"),
        (idx(shape=(2, 2, 2)), r"holds \(2, 2, 2\) values where \(3, 2, 2\) belong"),
        (idx(values=PIXELS[1:]), "has 11 values where its header says 12"),
        (idx(values=PIXELS + b"\0"), "has 13 values where its header says 12"),
        (gzip.compress(b""), "begins with nothing where"),
        (gzip.compress(b"\0\0\x08\x03\0\0"), r"holds \(0, 0, 0\)"),
        (b"<html>not found</html>", "not gzip"),
    ],
)
def test_what_is_wrong_is_said(file: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_idx(file, SHAPE)
