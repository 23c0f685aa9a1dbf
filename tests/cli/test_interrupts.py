"""A run that is stopped, killed, looked at or doubled, with real processes: the inline engine."""

import json
import os
import random
import signal
import socket
import subprocess

import pytest
from cli_runs import LRSEARCH, normal, wait_for, without_date, write_task

from lrsearch.training import preflight

RUN = ("run", "valley.yaml", "--engine", "inline")
BEGUN = "CLOCK  sgd/lr: searched from 0.1, at least 4 trainings of 20 iterations each\n"
GOES_ON = "lrsearch resume valley --engine inline"
STATUS = """\
search   ladder, means so far               state
──────────────────────────────────────────────────────────────────
sgd/lr    0.1     0.3                       3 ended, 1 running
         ★0.5578 ▶62 %                      ≥ 1 more

3 trainings ended, at least 2 to go
★ best so far   ▶ running
"""
BATCHES = 6 * 20 + 1
"""What the whole run draws, the one that is tried before it included."""


@pytest.fixture
def stopped(tmp_path, start):
    """Start the run and wait until it stands at its Nth batch; give the process and what lets it go on."""
    write_task(tmp_path)

    def run_to(batch: int, *arguments: str):
        (tmp_path / ".stop_at").write_text(str(batch))
        process = start(*(arguments or RUN))
        wait_for((tmp_path / "stopped").exists, "the batch where the run is to stop")
        return process

    return run_to


def go_on(folder):
    (folder / ".stop_at").unlink()
    (folder / "stopped").unlink()


def same_but_for_the_date(folder, finished):
    assert without_date(folder / "studies/valley/chosen.yaml") == without_date(
        finished / "studies/valley/chosen.yaml"
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_line_that_resumes(tmp_path, cli, stopped, finished, number, status):
    process = stopped(70)
    process.popen.send_signal(number)
    code, out, err = process.ended()
    err = normal(err, tmp_path)
    assert (code, out) == (status, "")
    first = "CLOCK  sgd/lr = 0.1: 0.5578 ± 0.4284 over 2 seeds\n"
    assert err == f"{BEGUN}{first}stopped; every finished training is kept. Go on with: {GOES_ON}\n"
    go_on(tmp_path)
    assert cli(*GOES_ON.split()[1:])[0] == 0
    same_but_for_the_date(tmp_path, finished)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_ends_with_the_same_values(tmp_path, cli, stopped, finished, seed):
    batch = random.Random(seed).randrange(2, BATCHES)
    process = stopped(batch)
    os.killpg(process.popen.pid, signal.SIGKILL)
    process.popen.wait()
    go_on(tmp_path)
    status, out, _ = cli(*RUN, "--json")
    assert status == 0, f"seed {seed}, killed at batch {batch}"
    same_but_for_the_date(tmp_path, finished)
    ended_before = (batch - 2) // 20
    assert json.loads(out)["replicas"] == 6 - ended_before, "a finished replica is not trained again"


def test_a_second_run_is_refused_while_the_first_is_on(tmp_path, cli, stopped, finished, monkeypatch):
    process = stopped(70)
    # The first run's batches stand still, and those of the trial before a run are of the same kind.
    monkeypatch.setattr("lrsearch.training.preflight.check_trains", lambda task: preflight.Tried({}, {}))
    first = f"another lrsearch (process {process.popen.pid} on {socket.gethostname()}, since "
    last = " UTC) is writing to the study valley; wait for it, or look: lrsearch status valley\n"
    status, out, err = cli(*RUN)
    assert (status, out, err[: len(first)], err[-len(last) :]) == (2, "", first, last)
    go_on(tmp_path)
    assert process.ended()[0] == 0
    same_but_for_the_date(tmp_path, finished)


def test_status_while_a_run_is_on_and_after_it_was_killed(tmp_path, cli, stopped):
    process = stopped(70)
    status, out, err = cli("status", "valley")
    assert (status, out, err) == (0, STATUS, "")
    assert "running" in cli("status")[1]
    os.killpg(process.popen.pid, signal.SIGKILL)
    process.popen.wait()
    assert "running" not in cli("status")[1]
    assert "1 interrupted" in cli("status", "valley")[1]


def test_a_reader_that_goes_is_no_failure(tmp_path, finished):
    for arguments in (["schema"], ["explain", "valley"], ["export", "valley"]):
        process = subprocess.Popen(
            [*LRSEARCH, *arguments], cwd=finished, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.stderr.close()
        assert (process.wait(), err) == (0, ""), arguments
