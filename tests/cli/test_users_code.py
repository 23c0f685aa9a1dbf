"""What users' code prints, where it goes to and how it may end, with real processes, in both engines."""

import json
import os
import pty
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_runs import LRSEARCH, Process, write_task

Start = Callable[..., Process]

TASK = """\
name: loud
loop: loud.py:train
budget: {iterations: 20, evaluate_every: 5}
seeds: 2
optimizers: {sgd: {lr: {start: 0.1}}}
resources: {max_failures: 0}
"""
LOOP = """\
import atexit, ctypes, logging, os, subprocess, sys, threading
from pathlib import Path

print("of the module")
atexit.register(print, "at exit")
ctypes_puts = ctypes.CDLL(None).puts


def train(trial):
    BEGINS
    for iteration in range(trial.iterations + 1):
        loss = 1 / (1 + iteration * trial.lr) + trial.lr + 1e-3 * trial.seed
        if trial.is_due(iteration) and trial.report(iteration, train_loss=loss):
            return
        TRAINS
"""
LOUD = """\
os.chdir("data")
    print("by print", Path("data.txt").read_text())
    ctypes_puts(b"by C")
    subprocess.run("echo by a process; echo its error >&2", shell=True, check=True)
    logging.basicConfig()
    logging.warning("by logging")
    (speaker := threading.Thread(target=print, args=("by a thread",))).start()
    speaker.join()
    if (child := os.fork()) == 0:
        os.execv("/bin/sh", ["sh", "-c", "echo by a child; exit 7"])
    if (other := os.fork()) == 0:
        os._exit(8)
    assert [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in (child, other)] == [7, 8]
    sys.stdout = open("replaced.txt", "w")
    sys.stdout.close()
    sys.stderr.close()"""
WORKLOAD_EXITS = 'os.execlp("true", "true")'
WORKLOAD = f'    import os\n    print("before it leaves")\n    {WORKLOAD_EXITS}'
IN_EACH_LOG = ("by print", "by C", "by a process", "its error", "by a thread", "by a child")


def write(folder: Path, begins: str = "pass", trains: str = "pass") -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/data.txt").write_text("data read")
    (folder / "loud.yaml").write_text(TASK)
    (folder / "loud.py").write_text(LOOP.replace("BEGINS", begins).replace("TRAINS", trains))


@dataclass
class Run:
    folder: Path
    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """Of what lrsearch said; what is printed at exit comes after it."""
        return self.err.removesuffix("at exit\n").splitlines()[-1]

    @property
    def logs(self) -> dict[str, str]:
        return {log.stem: log.read_text() for log in (self.folder / "studies/loud/logs").glob("*.log")}


@pytest.fixture(scope="module", params=["inline", "ray"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def loud(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a loop that prints in every way, changes the folder, and leaves its streams closed."""
    folder = tmp_path_factory.mktemp("loud")
    write(folder, LOUD)
    return Run(
        folder,
        *Process.start(folder, "run", "loud.yaml", "--engine", engine, "--json", "--show-output").ended(),
    )


def test_json_is_one_document_whatever_is_printed(loud: Run) -> None:
    assert loud.status == 0, loud.err
    assert json.loads(loud.out)["chosen"]["sgd"]["hyperparameters"]["lr"] == 0.1


def test_each_training_has_its_output_in_its_log(loud: Run) -> None:
    assert len(loud.logs) == json.loads(loud.out)["replicas"]
    for name, log in loud.logs.items():
        assert {words: words in log for words in IN_EACH_LOG} == dict.fromkeys(IN_EACH_LOG, True), (name, log)
        assert "I/O operation" not in log


def test_what_is_shown_says_of_which_training_it_is(loud: Run) -> None:
    shown = re.findall(r"^(sgd-lr-\d+) \| (by print data read|by C)$", loud.err, re.MULTILINE)
    assert shown
    assert sorted(shown) == sorted(
        (name, words) for name in loud.logs for words in ("by print data read", "by C")
    )


def test_nothing_else_of_it_reaches_the_terminal(loud: Run) -> None:
    rest = [line for line in loud.err.splitlines() if " | " not in line and line != "at exit"]
    assert [line for line in rest if line.startswith(("by ", "its ", "of the module"))] == []


def test_the_results_are_where_the_run_was_started(loud: Run) -> None:
    files = [line for line in loud.err.splitlines() if line.startswith("studies/")]
    assert files == ["studies/loud/report.html", "studies/loud/chosen.yaml"]
    assert all((loud.folder / file).is_file() for file in files)
    assert {path.name for path in (loud.folder / "data").iterdir()} == {"data.txt", "replaced.txt"}


def test_nothing_printed_leaves_no_log(finished: Path) -> None:
    assert not (finished / "studies/valley/logs").exists()


@pytest.fixture
def refused(engine: str, tmp_path: Path) -> Run:
    write(tmp_path, trains='iteration == 5 and (print("so far"), os._exit(0))')
    return Run(tmp_path, *Process.start(tmp_path, "run", "loud.yaml", "--engine", engine).ended())


def test_os_exit_fails_the_training_and_says_where(refused: Run) -> None:
    assert refused.status == 1
    last = refused.last_line
    assert (
        f"{refused.folder}/loud.py:15 called os._exit(0), which would end the run without an answer; " in last
    )
    assert "return from the loop or raise" in last
    (log,) = re.findall(r"what it printed is in (studies/loud/logs/sgd-lr-[01]\.log)$", last)
    assert "so far\n" in (refused.folder / log).read_text()


def test_a_workload_that_replaces_the_process_is_refused_before_it_trains(
    tmp_path: Path, start: Start
) -> None:
    write_task(tmp_path)
    workload = tmp_path / "valley.py"
    text = workload.read_text().replace(
        "    return workload(lambda model, noise: model(noise), scale)", WORKLOAD
    )
    workload.write_text(text)
    status, out, err = start("run", "valley.yaml", "--engine", "inline").ended()
    assert (status, out) == (2, "")
    first, second = err.splitlines()
    line = text.splitlines().index(f"    {WORKLOAD_EXITS}") + 1
    assert first == "before it leaves"
    assert second == (
        f"{workload}:{line} called os.execlp(...), which would end the run without an answer; raise an error instead"
    )
    assert not (tmp_path / "studies").exists()


def test_trainings_of_one_network_share_a_log_and_begin_in_the_same_folder(
    engine: str, tmp_path: Path, start: Start
) -> None:
    task = write_task(tmp_path)
    task.write_text(task.read_text() + "resources: {pack: 2}\n")
    workload = tmp_path / "valley.py"
    made = '    import os\n    print("made")\n    os.chdir("data")\n    return workload(said, scale)'
    text = workload.read_text().replace("    return workload(lambda model, noise: model(noise), scale)", made)
    said = "\n\ndef said(model, noise):\n    print('in the loss')\n    return model(noise)\n"
    workload.write_text(text + said)
    (tmp_path / "data").mkdir()
    status, _, err = start("run", "valley.yaml", "--engine", engine).ended()
    assert (status, "one replica after the other" in err) == (0, False), err
    logs = {log.stem: log.read_text() for log in (tmp_path / "studies/valley/logs").glob("*.log")}
    assert set(logs.pop("pack").splitlines()) >= {"in the loss"}
    assert {name: log.splitlines()[0] for name, log in logs.items()} == dict.fromkeys(logs, "made")


def test_what_is_caught_or_met_in_a_thread_counts_too(tmp_path: Path, start: Start) -> None:
    thread = "threading.Thread(target=os._exit, args=(0,))"
    write(tmp_path, trains=f"iteration == 3 and [(t := {thread}).start(), t.join()]")
    status, _, err = start("run", "loud.yaml", "--engine", "inline").ended()
    assert status == 1
    assert "called os._exit(0), which would end the run" in err.splitlines()[-2]


def test_a_dry_run_prints_one_document_and_holds_back_what_is_tried(tmp_path: Path, start: Start) -> None:
    write(tmp_path, LOUD)
    status, out, err = start("run", "loud.yaml", "--dry-run", "--json", "--engine", "inline").ended()
    assert (status, err) == (0, "at exit\n")
    assert json.loads(out)["searches"]
    assert not (tmp_path / "studies").exists()


def test_the_log_of_a_training_that_is_resumed_is_added_to(tmp_path: Path, start: Start) -> None:
    kills = f'(Path("killed").touch(), os.kill(os.getpid(), {int(signal.SIGKILL)}))'
    write(
        tmp_path, 'print("begins", trial.seed)', f'iteration == 7 and not Path("killed").exists() and {kills}'
    )
    assert start("run", "loud.yaml", "--engine", "inline").ended()[0] == -signal.SIGKILL
    log = tmp_path / "studies/loud/logs/sgd-lr-0.log"
    assert log.read_text() == "begins 0\n"
    assert start("resume", "loud", "--engine", "inline").ended()[0] == 0
    assert log.read_text() == "begins 0\nbegins 0\n"


def test_a_full_disk_costs_the_log_alone(tmp_path: Path, start: Start) -> None:
    write(tmp_path, 'print("begins", flush=True)')
    (tmp_path / "studies/loud/logs").mkdir(parents=True)
    (tmp_path / "studies/loud/logs/sgd-lr-0.log").symlink_to("/dev/full")
    (tmp_path / "studies/loud/logs/sgd-lr-1.log").mkdir()  # cannot be opened either
    status, _, err = start("run", "loud.yaml", "--engine", "inline").ended()
    assert (status, "failed" in err) == (0, False), err


def test_a_breakpoint_is_on_the_terminal(tmp_path: Path) -> None:
    stops = '(Path("stopped").touch(), breakpoint())'
    write(tmp_path, trains=f'iteration == 7 and not Path("stopped").exists() and {stops}')
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execv(LRSEARCH[0], [*LRSEARCH, "run", "loud.yaml", "--engine", "inline"])
    shown = b""
    with suppress(OSError):
        while more := os.read(terminal, 4096):
            shown += more
            if b"(Pdb) " in more:
                os.write(terminal, b"p 6 * trial.iterations\nc\n")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"120" in shown


def test_on_a_terminal_the_display_stays_and_input_finds_nothing(tmp_path: Path) -> None:
    write(tmp_path, 'print("begins", flush=True)', "iteration == 5 and input('who?')")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execv(LRSEARCH[0], [*LRSEARCH, "run", "loud.yaml", "--engine", "inline"])
    shown = b""
    with suppress(OSError):  # how Linux says that nobody is at the other end any more
        while more := os.read(terminal, 4096):
            shown += more
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 1
    assert b"trainings ended" in shown
    assert b"EOFError" in shown
    assert b"begins" not in shown
    assert b"who?" not in shown
