"""The command line with Ray: a run that is killed, and the same command again."""

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
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
    (tmp_path / ".stop_at").write_text(str(batch))
    killed = start("run", "valley.yaml", RAY_TMPDIR=str(ray_folder))
    wait_for((tmp_path / "stopped").exists, "the batch where a worker is to stop")
    os.killpg(killed.popen.pid, signal.SIGKILL)
    killed.popen.communicate()
    wait_for(lambda: not processes_of(ray_folder), "the end of Ray's processes after that of their driver")
    (tmp_path / ".stop_at").unlink()

    status, out, err = start("run", "valley.yaml", RAY_TMPDIR=str(ray_folder)).ended()
    assert (status, out) == (0, ""), f"seed {seed}, killed at batch {batch}: {err}"
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "studies/valley/chosen.yaml") == expected
    wait_for(lambda: not processes_of(ray_folder), "the end of Ray's processes after the run")


def trial_processes(ray_folder: Path) -> list[int]:
    """Ray's workers, that train or are about to."""
    found = []
    for process in processes_of(ray_folder):
        with suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_bytes()
            # Ray's own agents are called ray::DashboardAgent and the like, and train nothing.
            if (command.startswith(b"ray::") and b"Agent" not in command) or b"default_worker.py" in command:
                found.append(process)
    return found


def seconds_until_gone(ray_folder: Path) -> float:
    began = time.monotonic()
    wait_for(lambda: not trial_processes(ray_folder), "the end of the workers after that of their driver")
    return time.monotonic() - began


def test_no_worker_outlives_its_driver_by_ten_seconds(tmp_path, start, ray_folder):
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text("7")
    driver = start("run", "valley.yaml", RAY_TMPDIR=str(ray_folder))
    wait_for((tmp_path / "stopped").exists, "the batch where a worker stays")
    assert trial_processes(ray_folder)
    os.kill(driver.popen.pid, signal.SIGKILL)
    assert seconds_until_gone(ray_folder) < 10


def test_no_worker_outlives_a_driver_killed_at_its_start_by_thirty_seconds(tmp_path, start, ray_folder):
    write_task(tmp_path)
    driver = start("run", "valley.yaml", RAY_TMPDIR=str(ray_folder))
    wait_for(lambda: trial_processes(ray_folder), "the first worker's start")
    os.kill(driver.popen.pid, signal.SIGKILL)
    assert seconds_until_gone(ray_folder) < 30


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_within_five_seconds(tmp_path, start, ray_folder, number, expected):
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text("7")
    driver = start("run", "valley.yaml", RAY_TMPDIR=str(ray_folder))
    wait_for((tmp_path / "stopped").exists, "the batch where a worker stays")
    began = time.monotonic()
    driver.popen.send_signal(number)
    status, _, err = driver.ended()
    assert time.monotonic() - began < 5
    assert status == expected
    assert err.endswith("stopped; every finished training is kept. Go on with: lrsearch resume valley\n")
