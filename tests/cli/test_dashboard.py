"""``lrsearch dashboard``: a real server over a real study, to look at and for this machine only."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("optuna_dashboard")


@pytest.fixture
def served(finished: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A dashboard over a copy of a finished study, and its port."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    command = (sys.executable, "-m", "lrsearch.cli", "dashboard", "valley", "--port", "0")
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    line = process.stdout.readline()
    found = re.fullmatch(r"valley: http://127\.0\.0\.1:(\d+)/dashboard, until Ctrl-C\n", line)
    assert found, line + process.stderr.read()
    yield process, int(found[1])
    process.kill()
    process.wait()


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_shows_the_study_s_searches(served: tuple[subprocess.Popen[str], int]) -> None:
    status, body = ask(served[1], "GET", "/api/studies")
    assert status == 200
    assert any("valley" in study["study_name"] for study in json.loads(body)["study_summaries"])


def test_it_has_a_page(served: tuple[subprocess.Popen[str], int]) -> None:
    status, body = ask(served[1], "GET", "/dashboard")
    assert status == 200
    assert b"<html" in body.lower()


def test_it_deletes_nothing(served: tuple[subprocess.Popen[str], int]) -> None:
    before = ask(served[1], "GET", "/api/studies")
    study = json.loads(before[1])["study_summaries"][0]["study_id"]
    assert ask(served[1], "DELETE", f"/api/studies/{study}")[0] == 405
    assert ask(served[1], "GET", "/api/studies") == before


def test_it_answers_to_this_machine_s_name_alone(served: tuple[subprocess.Popen[str], int]) -> None:
    assert ask(served[1], "GET", "/api/studies", Host=f"example.org:{served[1]}")[0] == 403


def test_ctrl_c_ends_it_without_a_word(served: tuple[subprocess.Popen[str], int]) -> None:
    process, _ = served
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_a_port_that_is_taken_is_one_line(cli, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = cli("dashboard", "valley", "--port", str(port))
    assert (status, out) == (2, "")
    assert err.startswith(f"port {port} cannot be listened on (")
    assert err.endswith("; give another with --port\n")


def test_without_the_package_it_says_how_to_get_it(
    cli, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    status, _, err = cli("dashboard", "valley")
    assert status == 2
    assert err == (
        "the dashboard is optuna-dashboard, which is not installed: pip install 'lrsearch[dashboard]'\n"
    )
