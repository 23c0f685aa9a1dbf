"""What all tests share: one Ray and one PostgreSQL server for the whole run."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

settings.register_profile("fuzz", max_examples=1000, deadline=None)
"""``--hypothesis-profile=fuzz``: ten times what is usual."""


@pytest.fixture(scope="session", autouse=True)
def matplotlib_s_folder() -> Iterator[None]:
    """Matplotlib keeps what fonts there are in a folder of its own, and not in that of the test that draws first."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("MPLCONFIGDIR", folder)
        yield


@pytest.fixture(scope="session")
def started_ray() -> Iterator[None]:
    """Ray with two processors, started once: engines use it as it is. Its folder is short, for sockets' sake."""
    import_module("lrsearch.engine.ray")  # sets what Ray reads when it is imported
    import ray

    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        _temp_dir=folder,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def _postgres() -> ModuleType:
    """The module that starts servers, as the torture does."""
    spec = spec_from_file_location(
        "torture_postgres", Path(__file__).parents[1] / "benchmarks/torture/postgres.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


POSTGRES = _postgres()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of the tests' own, which asks for a password; it ends with them."""
    with ExitStack() as running:
        try:
            url = running.enter_context(POSTGRES.server())
        except POSTGRES.MissingError as error:
            pytest.skip(f"{error}")
        yield url


@pytest.fixture
def postgres_database(postgres_server: str) -> str:
    """The URL of a database of the test's own on that server."""
    return str(POSTGRES.new_database(postgres_server))
