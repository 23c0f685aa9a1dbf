"""Pickles: what the real files hold comes back, anything else is refused, and nothing is ever run."""

import os
import pickle
import pickletools
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrsearch.datasets.pickles import load_plain

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 6)
PLAIN = {b"labels": [1, 2, 3], b"name": "a batch", b"both": (None, True, 0.5, -(2**70))}


class Calls:
    """A value whose pickle calls something when it is read."""

    def __init__(self, what: Any, *arguments: Any) -> None:
        self.call = (what, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [3, 4])
def test_plain_values_and_bytes_arrays_come_back(protocol: int) -> None:
    found = load_plain(pickle.dumps(PLAIN | {b"data": PIXELS}, protocol))
    assert np.array_equal(found.pop(b"data"), PIXELS)
    assert found == PLAIN


def test_columns_before_rows_come_back_as_they_were() -> None:
    assert np.array_equal(load_plain(pickle.dumps(np.asfortranarray(PIXELS), 3)), PIXELS)


def test_the_real_file_gives_what_pickle_gives(real_cifar100: Path) -> None:
    with tarfile.open(real_cifar100) as files:
        content = files.extractfile("cifar-100-python/test").read()
    named = {argument for code, argument, _ in pickletools.genops(content) if code.name == "GLOBAL"}
    assert named == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    found, theirs = load_plain(content), pickle.loads(content, encoding="bytes")
    assert np.array_equal(found.pop(b"data"), theirs.pop(b"data"))
    assert found == theirs


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "call",
    [
        Calls(os.mkdir, "made"),
        Calls(os.system, "mkdir made"),
        Calls(eval, "__import__('os').mkdir('made')"),
        Calls(getattr, os, "mkdir"),
        Calls(pickle.loads, pickle.dumps(Calls(os.mkdir, "made"))),
        Calls(np.load, "made", "r", True),
        Calls(np.memmap, "made", "u1", "w+", 0, (8,)),
    ],
    ids=lambda call: call.call[0].__name__,
)
def test_nothing_else_is_called(
    call: Calls, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        content = pickle.dumps({b"data": call}, protocol)
    except TypeError:  # a module, as an argument
        content = b"\x80\x02cos\nmkdir\nX\x04\x00\x00\x00made\x85R."
    with pytest.raises(ValueError, match="which no file of this data set does; nothing was run"):
        load_plain(content)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (PIXELS.astype(np.int64), "an array of 'i8' where unsigned bytes belong"),
        (np.array([{}, None]), "an array of 'O8' where unsigned bytes belong"),
        (np.zeros(2, np.dtype([("a", "u1")])), "an array of 'V1' where unsigned bytes belong"),
        (np.uint8(3), r"names numpy\._core\.multiarray\.scalar"),
        (Path("x"), "names pathlib"),
        ({1, 2}, "names builtins.set"),
        (np.dtype("u1"), "holds a _DType where plain values belong"),
        (np.ndarray, "holds a str|^$"),
    ],
    ids=repr,
)
def test_what_is_not_plain_is_refused(value: Any, problem: str) -> None:
    content = pickle.dumps({b"data": value}, 3)
    if value is np.ndarray:  # the name alone is a word, as harmless as any
        assert load_plain(content) == {b"data": "ndarray"}
        return
    with pytest.raises(ValueError, match=problem):
        load_plain(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"\x80\x02",
        b"<html>not found</html>",
        b"\x80\x02]q\x00h\x00a.",  # a list in itself
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",  # a list in a list, and so on
        b"\x80\x02]q\x00" + b"(h\x00h\x00e" * 40 + b".",
        b"\x80\x02]" + b"q\x00(h\x00h\x00l" * 60 + b".",  # twice the list before, sixty times over
        b"\x80\x02X\x09\x00\x00\x00builtins\nX\x04\x00\x00\x00eval\x93.",
        b"\x80\x02B\xff\xff\xff\x7fabc.",  # two gigabytes that are not there
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R.",  # an array that was never filled
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R)b.",
        b"\x80\x02cnumpy\ndtype\n.",
        b"\x80\x02Pname\n.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_what_is_no_pickle_of_these_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(is not a whole pickle|holds|names)") as caught:
        load_plain(content)
    assert "\n" not in str(caught.value)


REAL_FORM = pickle.dumps(PLAIN | {b"data": PIXELS}, 3)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.builds(
            lambda place, byte: REAL_FORM[:place] + bytes([byte]) + REAL_FORM[place + 1 :],
            st.integers(0, len(REAL_FORM) - 1),
            st.integers(0, 255),
        ),
        st.integers(0, len(REAL_FORM) - 1).map(lambda length: REAL_FORM[:length]),
    )
)
@example(b"\x80\x03r\xff\xff\xff\x7f.")  # a memo of two thousand million places
def test_any_bytes_are_plain_values_or_one_error(content: bytes) -> None:
    found, problem = None, ""
    try:
        found = load_plain(content)
    except ValueError as error:
        problem = str(error)
    assert "\n" not in problem
    assert len(problem) < 200
    assert isinstance(found, type(None) | bool | int | float | bytes | str | list | tuple | dict | np.ndarray)
