"""Where the tests find real data: ``$LRSEARCH_DATA``, else the folder of shared data beside the checkout."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the real Fashion-MNIST, set as ``$LRSEARCH_DATA``; skips where there is none."""
    folder = Path(os.environ.get("LRSEARCH_DATA") or _BESIDE)
    if not (folder / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"no Fashion-MNIST in {folder}: set LRSEARCH_DATA to its folder")
    monkeypatch.setenv("LRSEARCH_DATA", str(folder))
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads or writes the cache of whoever runs it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder in place of the user's cache, and no ``$LRSEARCH_DATA``."""
    monkeypatch.delenv("LRSEARCH_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    return tmp_path / "cache" / "lrsearch"
