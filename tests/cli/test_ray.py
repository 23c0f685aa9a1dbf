"""The command line with Ray: a run that is killed, and the same command again."""

import os
import random
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import wait_for, without_date, write_task

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="finds Ray's processes in /proc"
)


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """A short folder for Ray, whose path marks the processes that were started with it; none outlives the test."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    yield folder
    for process in processes_of(folder):
        os.kill(process, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def processes_of(ray_folder: Path) -> list[int]:
    """The processes that have the folder in their environment, but for those that have ended."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"RAY_TMPDIR={ray_folder}".encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


@pytest.mark.parametrize("seed", range(1))
def test_killed_at_any_moment_it_ends_with_the_values_of_the_inline_engine(
    tmp_path, start, finished, ray_folder, seed
):
    write_task(tmp_path)
    batch = random.Random(seed).randrange(2, 40)
    (tmp_path / "stop_at").write_text(str(batch))
    killed = start("run", "valley.yaml", RAY_TMPDIR=str(ray_folder))
    wait_for((tmp_path / "stopped").exists, "the batch where a worker is to stop")
    os.killpg(killed.popen.pid, signal.SIGKILL)
    killed.popen.communicate()
    wait_for(lambda: not processes_of(ray_folder), "the end of Ray's processes after that of their driver")
    (tmp_path / "stop_at").unlink()

    status, out, err = start("run", "valley.yaml", RAY_TMPDIR=str(ray_folder)).ended()
    assert (status, out) == (0, ""), f"seed {seed}, killed at batch {batch}: {err}"
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "studies/valley/chosen.yaml") == expected
    wait_for(lambda: not processes_of(ray_folder), "the end of Ray's processes after the run")
