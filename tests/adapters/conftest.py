import sys
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

# With --import-mode=importlib a test finds no module beside it, and these share one.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def quiet_optuna() -> Iterator[None]:
    """Optuna writes a line a trial otherwise."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)
