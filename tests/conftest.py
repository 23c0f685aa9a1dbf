"""What all tests share: one Ray for the whole run, and one thread in torch."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from importlib import import_module

import pytest


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
