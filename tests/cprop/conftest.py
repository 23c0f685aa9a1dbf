"""What the CProp tests share."""

import os
import shutil

import pytest
import torch

from cprop.compiled import CompiledUpdate
from cprop.update import BlockUpdate


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Make parameters of a few dozen elements cross all borders: packed or in place, one block or several."""
    monkeypatch.setattr(BlockUpdate, "block", 50)
    monkeypatch.setattr(BlockUpdate, "pack_below", 40)
    monkeypatch.setattr(CompiledUpdate, "pack_below", 40)
    monkeypatch.setattr(CompiledUpdate, "chunk", 50)


@pytest.fixture
def compiler():
    """Skip where ``torch.compile`` finds no C++ compiler."""
    names = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "cl"]
    if not any(shutil.which(name) for name in names):
        pytest.skip(f"no C++ compiler found: {', '.join(names)}")


@pytest.fixture(params=["blocks", "compile"])
def implementation(request):
    if request.param == "compile":
        request.getfixturevalue("compiler")
    return request.param
