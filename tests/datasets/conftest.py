"""Real data for the tests: in ``$LRSEARCH_DATA``, else the folder beside the checkout; small sets are made of it."""

import os
import sys
from pathlib import Path

import pytest

# With --import-mode=importlib a test finds no module beside it, and these share one.
sys.path.append(str(Path(__file__).parent))

import small_sets

_BESIDE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads or writes the cache of whoever runs it, or remembers what another test read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("lrsearch.datasets.reading._read", {})


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real data sets."""
    return Path(os.environ.get("LRSEARCH_DATA") or _BESIDE)


@pytest.fixture(scope="session")
def cache_of_real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests that read real data, which takes seconds to decode."""
    return tmp_path_factory.mktemp("real")


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch, shared_data: Path, cache_of_real_data: Path) -> Path:
    """The folder of the real Fashion-MNIST, set as ``$LRSEARCH_DATA``; skips where there is none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_of_real_data))
    if not (shared_data / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"no Fashion-MNIST in {shared_data}: set LRSEARCH_DATA to its folder")
    monkeypatch.setenv("LRSEARCH_DATA", str(shared_data))
    return shared_data


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, set as ``$LRSEARCH_DATA``."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LRSEARCH_DATA", str(folder))
    return folder


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder in place of the user's cache, and no ``$LRSEARCH_DATA``."""
    monkeypatch.delenv("LRSEARCH_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    return tmp_path / "cache" / "lrsearch"


@pytest.fixture(scope="session")
def real_cifar100(shared_data: Path) -> Path:
    """The real archive of CIFAR-100, or of a subset of it; skips where there is none."""
    return _real(shared_data, "cifar-100-python*.tar.gz")


@pytest.fixture(scope="session")
def real_tiny_imagenet(shared_data: Path) -> Path:
    """The real archive of Tiny ImageNet, or of a subset of it; skips where there is none."""
    return _real(shared_data, "tiny-imagenet-200*.zip")


@pytest.fixture(scope="session")
def cifar100_parts(real_cifar100: Path) -> small_sets.Parts:
    """Two training images and one test image of each class of the real CIFAR-100, as its authors keep them."""
    return small_sets.cifar100_parts(real_cifar100)


@pytest.fixture(scope="session")
def small_tiny_imagenet(real_tiny_imagenet: Path) -> dict[str, bytes]:
    """The files of the real Tiny ImageNet's first training and validation image of each class, with its lists."""
    return small_sets.tiny_imagenet_files(real_tiny_imagenet)


def _real(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        pytest.skip(f"no {pattern} in {folder}: set LRSEARCH_DATA to its folder")
    return found[0]
