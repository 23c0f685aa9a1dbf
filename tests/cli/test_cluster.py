"""The command line with a Ray cluster of two nodes, each started by its own ``ray start`` in a folder of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_runs import PATIENCE, Process, wait_for, without_date, write_task

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="finds Ray's processes in /proc"
)

CHECKOUT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
PAGE = (CHECKOUT / "docs/clusters.md").read_text(encoding="utf-8")
ON_THE_PAGE = "10.0.0.1:6379"
END_SECONDS = 10.0


def command_on_the_page(beginning: str) -> list[str]:
    """The words of the first command on the page about clusters that begins so."""
    (line, *_) = (line[2:] for line in PAGE.splitlines() if line.startswith(f"$ {beginning}"))
    return line.partition("  #")[0].split()


@dataclass
class Cluster:
    """Two nodes of one processor each, which keep their files in two folders."""

    address: str
    folder: Path
    environment: dict[str, str]

    def stopped(self) -> list[Path]:
        """The files that say that a worker waits at its batch, one in each node's copy of the task's folder."""
        return list(self.folder.glob("*/session_2*/runtime_resources/working_dir_files/*/stopped"))

    def wait_for_workers(self, run: Process) -> None:
        wait_for(lambda: len(self.stopped()) == 2 or run.popen.poll() is not None, "a worker on each node")
        assert run.popen.poll() is None, run.ended()

    def workers(self) -> list[int]:
        """The processes that run in a copy of the task's folder."""
        found = []
        for cwd in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if f"{self.folder}/" in (there := os.readlink(cwd)) and "working_dir_files" in there:
                    found.append(int(cwd.parent.name))
        return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster started by the page's commands; none of its processes outlives the tests."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short, for sockets' sake
    make_token = [RAY, *command_on_the_page("ray get-auth-token")[1:]]
    subprocess.run(make_token, env=os.environ | {"HOME": str(folder)}, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("", 0))  # beyond the ports that Ray takes for workers
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": str(CHECKOUT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / ".ray/auth_token"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder),
    }
    nodes: list[subprocess.Popen[bytes]] = []

    def start_node(name: str, *words: str) -> str:
        home = folder / f"home-{name}"
        home.mkdir()
        options = ["--num-cpus=1", f"--temp-dir={folder / name}", "--block"]
        with (home / "log").open("wb") as log:
            nodes.append(
                subprocess.Popen(
                    [RAY, *words[1:], *options],
                    cwd=home,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        log_of = home / "log"
        wait_for(
            lambda: "will now block" in log_of.read_text() or nodes[-1].poll() is not None, f"node {name}"
        )
        assert nodes[-1].poll() is None, log_of.read_text()
        return log_of.read_text()

    try:
        head = command_on_the_page("ray start --head")
        given = {"--port": f"--port={port}", "--node-ip-address": "--node-ip-address=127.0.0.1"}
        said = start_node(
            "1", *(given.get(w.partition("=")[0], w) for w in head), "--include-dashboard=false"
        )
        address = re.findall(r"--address='?([\d.]+:\d+)", said)[0]
        start_node(
            "2", *(w.replace(ON_THE_PAGE, address) for w in command_on_the_page("ray start --address"))
        )
        yield Cluster(address, folder, {k: v for k, v in environment.items() if k.startswith("RAY_")})
    finally:
        for node in reversed(nodes):
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGTERM)
        for process in processes_of(folder):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for node in nodes:
            node.wait(timeout=PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def processes_of(folder: Path) -> list[int]:
    """The processes that have the folder in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"RAY_TMPDIR={folder}".encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


def the_run(cluster: Cluster) -> list[str]:
    """The page's command that searches on a cluster, for the task of these tests."""
    words = command_on_the_page("lrsearch run my_task.yaml --address")[1:]
    changed = {"my_task.yaml": "valley.yaml", ON_THE_PAGE: cluster.address}
    return [changed.get(word, word) for word in words]


def test_both_nodes_train_and_the_values_are_the_inline_engines(
    cluster: Cluster, tmp_path: Path, start, finished: Path
) -> None:
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text(
        "4"
    )  # another folder than the other test's, which would be the same copy
    run = start(*the_run(cluster), **cluster.environment)
    cluster.wait_for_workers(run)
    assert {path.relative_to(cluster.folder).parts[0] for path in cluster.stopped()} == {"1", "2"}
    for path in cluster.stopped():
        path.with_name(".stop_at").unlink()
        path.unlink()
    status, out, err = run.ended()
    assert (status, out) == (0, ""), err
    assert not (tmp_path / "stopped").exists(), "workers have a copy of the folder"
    assert not (tmp_path / "studies/valley/checkpoints").exists()
    expected = without_date(finished / "studies/valley/chosen.yaml")
    assert without_date(tmp_path / "studies/valley/chosen.yaml") == expected


def test_no_worker_outlives_a_driver_that_is_killed(cluster: Cluster, tmp_path: Path, start) -> None:
    write_task(tmp_path)
    (tmp_path / ".stop_at").write_text("3")
    run = start(*the_run(cluster), **cluster.environment)
    cluster.wait_for_workers(run)
    assert len(cluster.workers()) >= 2
    run.popen.kill()
    killed = time.monotonic()
    wait_for(lambda: not cluster.workers(), "the end of all workers")
    assert time.monotonic() - killed < END_SECONDS


def test_a_task_that_fails_there_is_said_with_paths_of_here(cluster: Cluster, tmp_path: Path, start) -> None:
    (tmp_path / "lost.py").write_text("KEPT_HERE = True\n")
    task = write_task(tmp_path)
    (tmp_path / "valley.py").write_text(f"import lost\n{(tmp_path / 'valley.py').read_text()}")
    (tmp_path / ".rayignore").write_text("lost.py\n")
    status, _, err = start(*the_run(cluster), **cluster.environment).ended()
    assert status == 2
    assert len(err.splitlines()) <= 2
    assert f"the workload's code on {socket.gethostname()} is not that on" in err
    assert not (tmp_path / "studies").exists()
    assert task.exists()
