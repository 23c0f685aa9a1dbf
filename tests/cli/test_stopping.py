"""Ctrl-C and SIGTERM, with real processes: at any moment, twice, on a terminal, within C code that does not end."""

import os
import pty
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_runs import LRSEARCH, Process, wait_for, write_task

BEFORE = "stopped before anything was trained; the same command begins again\n"
GOES_ON = "stopped; every finished training is kept. Go on with: lrsearch resume valley --engine inline\n"
RUN = ("run", "valley.yaml", "--engine", "inline")
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
LOOP = """\
import time
from pathlib import Path


def train(trial):
    if trial.report(0, train_loss=1.0):
        return  # the trial before the run
    Path("stopped").touch()
    while True:
        HANG
"""
IN_C = "__import__('hashlib').pbkdf2_hmac('sha256', b'', b'', 2 * 10**9)"
"""Minutes in C, in which no handler of Python's runs."""

Start = Callable[..., Process]


def write_loop(folder: Path, hang: str, resources: str = "") -> None:
    (folder / "valley.py").write_text(LOOP.replace("HANG", hang))
    (folder / "valley.yaml").write_text(
        "name: valley\nloop: valley.py:train\nbudget: {iterations: 20, evaluate_every: 5}\n"
        f"optimizers: {{sgd: {{lr: {{start: 0.1}}}}}}\n{resources}"
    )


def write_workload(folder: Path, hang: str, resources: str = "") -> None:
    """A task that hangs at its 30th batch, in the second training."""
    path = write_task(folder)
    path.write_text(path.read_text() + resources)
    workload = folder / "valley.py"
    text = workload.read_text()
    mark = "        Noise.drawn += 1\n"
    assert mark in text
    when = 'if Noise.drawn == 30 and (HERE / "hangs").exists():'
    hangs = f'        {when}\n            (HERE / "stopped").touch()\n            {hang}\n'
    workload.write_text(text.replace(mark, mark + hangs))
    (folder / "hangs").touch()


def stop(process: Process, *numbers: int) -> tuple[int, str, float]:
    """Send signals; give the exit status, what was said, and the seconds that it took."""
    began = time.monotonic()
    for number in numbers:
        process.popen.send_signal(number)
        time.sleep(0.1 * (len(numbers) > 1))
    status, _, err = process.ended()
    return status, err, time.monotonic() - began


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize("after", [0.2, 0.6, 1.2, 2.0])
def test_while_modules_are_imported_it_ends_with_a_line(
    tmp_path: Path, start: Start, number: int, status: int, after: float
) -> None:
    write_task(tmp_path)
    process = start(*RUN)
    # Not before Python itself has started: what it does then is its own.
    wait_for(lambda: _imports(process.popen.pid), "the command line's first import")
    time.sleep(after - 0.2)
    assert stop(process, number)[:2] == (status, BEFORE)


def _imports(pid: int) -> bool:
    """Whether the process has set its handlers: the mask of caught signals holds SIGTERM."""
    (caught,) = (
        line.split()[1]
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("SigCgt")
    )
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_a_loop_trains_it_ends_within_five_seconds(
    tmp_path: Path, start: Start, number: int, status: int
) -> None:
    write_loop(tmp_path, "time.sleep(0.01)")
    process = start(*RUN)
    wait_for((tmp_path / "stopped").exists, "the loop's second report")
    ended, err, seconds = stop(process, number)
    assert (ended, err.splitlines(keepends=True)[-1]) == (status, GOES_ON)
    assert seconds < 5


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_within_c_code_it_ends_within_five_seconds(
    tmp_path: Path, start: Start, number: int, status: int
) -> None:
    write_workload(tmp_path, IN_C)
    process = start(*RUN)
    wait_for((tmp_path / "stopped").exists, "the batch that hangs")
    ended, err, seconds = stop(process, number)
    assert (ended, err.splitlines(keepends=True)[-1]) == (status, GOES_ON)
    assert seconds < 5


def test_twice_it_ends_within_a_second(tmp_path: Path, start: Start) -> None:
    write_workload(tmp_path, IN_C)
    process = start(*RUN)
    wait_for((tmp_path / "stopped").exists, "the batch that hangs")
    ended, err, seconds = stop(process, signal.SIGINT, signal.SIGINT)
    assert (ended, err.splitlines(keepends=True)[-1]) == (130, GOES_ON)
    assert seconds < 1


def test_on_a_terminal_it_says_at_once_that_it_stops(tmp_path: Path) -> None:
    write_workload(tmp_path, IN_C)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execv(LRSEARCH[0], [*LRSEARCH, *RUN])
    wait_for((tmp_path / "stopped").exists, "the batch that hangs")
    os.kill(child, signal.SIGINT)
    shown, began = b"", time.monotonic()
    while b"stopping ..." not in shown:
        shown += os.read(terminal, 4096)
    assert time.monotonic() - began < 1
    os.kill(child, signal.SIGINT)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    os.close(terminal)


# -- trainings that hang in this process -------------------------------------------------------------------------------

TIMEOUT = "resources: {timeout: 1.5, max_failures: 1}\n"


@pytest.mark.parametrize(
    ("hang", "says"),
    [
        (IN_C, "as it hangs in C code; so the run ends"),
        ("sum(__import__('itertools').repeat(1))", "Timeout (0:00:05"),
    ],
    ids=["threads run", "threads do not run"],
)
def test_a_hang_in_c_code_ends_the_run_which_goes_on_from_there(
    tmp_path: Path, start: Start, hang: str, says: str
) -> None:
    write_workload(tmp_path, hang, TIMEOUT)
    status, out, err = start(*RUN).ended()
    assert (status, out) == (1, "")
    assert says in err
    (tmp_path / "hangs").unlink()
    status, _, err = start(*RUN).ended()
    assert status == 0, err
    assert "sgd/lr: goes on, 1 training ended before" in err


def test_a_loop_that_hangs_ends_the_run_in_one_line(tmp_path: Path, start: Start) -> None:
    write_loop(tmp_path, "time.sleep(1000)", TIMEOUT)
    status, out, err = start(*RUN).ended()
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith(
        "sgd/lr/0 gave no evaluation for 1.5 s and cannot be ended alone, as its loop does not return; so the run ends"
    )
    assert "Traceback" not in err


def test_a_hang_in_python_is_tried_again_and_then_a_failure(tmp_path: Path, start: Start) -> None:
    write_workload(tmp_path, "time.sleep(1000)", TIMEOUT.replace("1}", "0}"))
    status, _, err = start(*RUN).ended()
    assert status == 1
    assert err.splitlines()[-1] == (
        "sgd/lr at 0.1, seed 1, failed: it gave no evaluation for 1.5 s and was ended; what had ended is kept; "
        "mend the cause and run it again"
    )
