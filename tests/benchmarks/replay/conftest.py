import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

REPLAY = Path(__file__).parents[3] / "benchmarks/replay"


@pytest.fixture(scope="session")
def load() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the bench, as its scripts do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPLAY)
        yield importlib.import_module
