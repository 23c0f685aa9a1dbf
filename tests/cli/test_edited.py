"""Files that are edited, or replaced, while a search runs: what trained is what is on record."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import LRSEARCH, Process, wait_for

from lrsearch import studies
from lrsearch.cli import main
from lrsearch.studies import Place
from lrsearch.task import fingerprint
from lrsearch.trial import Trial

LOOP = """
import os
import signal
from pathlib import Path

from lrsearch.training import loop

loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0, 1e9
HERE = Path(__file__).parent
CODE = 0.0


def train(trial):
    import lazy

    if (HERE / "edit").exists():
        (HERE / "edit").unlink()
        for name in ("work.py", "lazy.py", "late.py"):
            (HERE / name).write_text((HERE / name).read_text().replace("CODE = 0.0", "CODE = 9.9"))
    x, first, late = 3.0, 0, 0.0
    if (state := trial.resumed) is not None:
        x, first = state["x"], state["iteration"]
        (HERE / "resumed").touch()
    for iteration in range(first, trial.iterations + 1):
        if iteration >= 10:
            from late import CODE as late
        if trial.is_due(iteration):
            if trial.report(iteration, train_loss=x * x + 0.01 * trial.seed + CODE + lazy.CODE + late):
                return
            trial.save({"x": x, "iteration": iteration})
            if iteration == 10 and (HERE / "die").exists():
                (HERE / "die").unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        x -= trial.lr * 2 * x
"""
TASK = """\
name: t
loop: work.py:train
budget: {iterations: 20, evaluate_every: 5}
seeds: 2
optimizers: {sgd: {lr: {start: 0.1}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work.py").write_text(LOOP)
    (tmp_path / "lazy.py").write_text("CODE = 0.0\n")
    (tmp_path / "late.py").write_text("CODE = 0.0\n")
    (tmp_path / "t.yaml").write_text(TASK)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*LRSEARCH, "run", "t.yaml", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def trials(folder: Path) -> list[Trial]:
    study = studies.read(Place("t", folder / "studies"))
    return [trial for state in study.states.values() for trial in state.trials]


def codes(folder: Path) -> set[str]:
    """Of which code the evaluations on record are: each file adds 9.9 where it was edited."""
    values = [e.value for trial in trials(folder) for e in trial.curve if trial.spec.hyperparameters["lr"] < 0.3]
    return {"as it began" if value < 9.9 else "edited" for value in values}


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_what_is_edited_while_a_search_runs_trains_as_it_began(folder: Path, engine: str) -> None:
    before = {name: (folder / name).read_text() for name in ("work.py", "lazy.py", "late.py")}
    (folder / "edit").touch()  # in the try-out, before any worker has imported anything
    done = run(folder, "--engine", engine)
    assert done.returncode == 0, done.stderr
    assert (folder / "late.py").read_text() == "CODE = 9.9\n"
    assert codes(folder) == {"as it began"}
    edited = run(folder, "--engine", engine)
    assert edited.returncode == 2
    assert "loop's code has changed" in edited.stderr
    for name, text in before.items():
        (folder / name).write_text(text)
    assert "everything had been trained already" in run(folder, "--engine", engine).stderr


def test_a_training_does_not_go_on_from_a_checkpoint_of_other_code(folder: Path) -> None:
    before = {name: (folder / name).read_text() for name in ("work.py", "lazy.py", "late.py")}
    (folder / "edit").touch()
    (folder / "die").touch()
    assert run(folder, "--engine", "inline").returncode == -signal.SIGKILL
    assert trials(folder)[0].outcome is None
    edited = run(folder, "--engine", "inline")
    # Nothing had ended, so the study is the edited code's from here on.
    assert edited.returncode == 0, edited.stderr
    assert not (folder / "resumed").exists()
    assert codes(folder) == {"edited"}
    for name, text in before.items():
        (folder / name).write_text(text)
    assert "loop's code has changed" in run(folder, "--engine", "inline").stderr


def test_a_training_goes_on_from_a_checkpoint_of_its_code_whatever_the_file_held_meanwhile(folder: Path) -> None:
    before = {name: (folder / name).read_text() for name in ("work.py", "lazy.py", "late.py")}
    (folder / "edit").touch()
    (folder / "die").touch()
    assert run(folder, "--engine", "inline").returncode == -signal.SIGKILL
    for name, text in before.items():
        (folder / name).write_text(text)
    assert run(folder, "--engine", "inline").returncode == 0
    assert (folder / "resumed").exists()
    assert codes(folder) == {"as it began"}


def test_bytecode_that_python_kept_of_a_file_of_the_same_size_and_second_is_not_taken_for_it(folder: Path) -> None:
    script = "import lazy"  # writes its bytecode
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, env=environment)
    assert list(folder.glob("__pycache__/lazy.*.pyc"))
    status = (folder / "lazy.py").stat()
    (folder / "lazy.py").write_text("CODE = 9.9\n")
    os.utime(folder / "lazy.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run(folder, "--engine", "inline").returncode == 0
    assert codes(folder) == {"edited"}


@pytest.mark.parametrize("study", ["fresh", "finished"])
def test_the_identity_is_taken_once_in_a_run(
    folder: Path, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    if study == "finished":
        assert main(["run", "t.yaml", "--engine", "inline"]) == 0
    taken, take = [], fingerprint._identity

    def counting(*arguments):
        taken.append(arguments)
        return take(*arguments)

    monkeypatch.setattr(fingerprint, "_identity", counting)
    assert main(["run", "t.yaml", "--engine", "inline"]) == 0
    assert len(taken) == 1


OPTIMIZER = """
import torch

TIMES = 1.0


class Mine(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            group["lr"] *= TIMES
        return super().step(closure)
"""


def test_an_optimizer_beside_the_task_is_code_too(folder: Path) -> None:
    (folder / "mine.py").write_text(OPTIMIZER)
    (folder / "work.py").write_text(
        "import torch\ndef train(trial):\n"
        "    model = torch.nn.Linear(2, 1)\n    optimizer = trial.optimizer(model)\n"
        "    for iteration in range(trial.iterations + 1):\n"
        "        loss = (model(torch.ones(1, 2)) - 1).square().mean()\n"
        "        if trial.is_due(iteration) and trial.report(iteration, train_loss=loss):\n            return\n"
        "        optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()\n"
    )
    (folder / "t.yaml").write_text(TASK.replace("{lr: {start: 0.1}}", '{base: "mine:Mine", lr: {start: 0.1}}'))
    done = run(folder, "--engine", "inline")
    assert done.returncode == 0, done.stderr
    (folder / "mine.py").write_text(f"# why\n{OPTIMIZER}")
    assert "everything had been trained already" in run(folder, "--engine", "inline").stderr
    (folder / "mine.py").write_text(OPTIMIZER.replace("1.0", "0.9"))
    edited = run(folder, "--engine", "inline")
    assert edited.returncode == 2
    assert "optimizers.sgd.optimizer's code has changed" in edited.stderr


# -- files that the code reads -----------------------------------------------------------------------------------------

READS = """
import time
from pathlib import Path

HERE = Path(__file__).parent


def train(trial):
    x = float((HERE / "weights" / "first.txt").read_text())
    (HERE / "kept.log").write_text("its own")
    (HERE / "kept.log").read_text()
    for iteration in range(trial.iterations + 1):
        while iteration == 10 and (HERE / "stay").exists():
            (HERE / "stays").touch()
            time.sleep(0.01)
        if trial.is_due(iteration) and trial.report(iteration, train_loss=x * x + 0.01 * trial.seed):
            return
        x -= trial.lr * 2 * x
"""
NOTICE = (
    "work.py:train reads weights/first.txt, and a change of it is not noticed; to have it noticed, add to the task: "
    "watch: [weights/first.txt]"
)


@pytest.fixture
def reading(folder: Path) -> Path:
    (folder / "work.py").write_text(READS)
    (folder / "weights").mkdir()
    (folder / "weights/first.txt").write_text("3")
    return folder


def watch(folder: Path, *patterns: str) -> None:
    (folder / "t.yaml").write_text(f"{TASK}watch: [{', '.join(patterns)}]\n")


def test_a_file_that_is_read_and_not_watched_is_named(reading: Path) -> None:
    assert NOTICE in run(reading, "--engine", "inline").stderr


@pytest.mark.parametrize("pattern", ["weights/first.txt", '"weights/*.txt"', '"**/*.txt"', "weights"])
def test_what_is_watched_is_another_training_when_it_changes(reading: Path, pattern: str) -> None:
    watch(reading, pattern)
    first = run(reading, "--engine", "inline")
    assert (first.returncode, NOTICE in first.stderr) == (0, False), first.stderr
    (reading / "kept.log").unlink()
    (reading / "weights/first.txt").write_text("4")
    again = run(reading, "--engine", "inline")
    assert again.returncode == 2
    assert f"{pattern.strip(chr(34))} has changed" in again.stderr


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_what_is_watched_and_changes_while_it_trains_ends_the_run(reading: Path, engine: str) -> None:
    watch(reading, "weights")
    (reading / "stay").touch()
    process = Process.start(reading, "run", "t.yaml", "--engine", engine)
    wait_for((reading / "stays").exists, "the training")
    (reading / "weights/first.txt").write_text("4")
    (reading / "stay").unlink()
    status, _, err = process.ended()
    assert status == 1
    assert "weights, which the task watches, was changed while it trained; what had ended before is kept" in err
    assert [trial.outcome for trial in trials(reading) if trial.ended] == []
    (reading / "weights/first.txt").write_text("3")
    assert run(reading, "--engine", engine).returncode == 0


def test_trainings_from_before_a_file_was_watched_are_kept_and_said_to_be_so(reading: Path) -> None:
    run(reading, "--engine", "inline")
    watch(reading, "weights/first.txt")
    later = run(reading, "--engine", "inline")
    line = "t has trainings from before weights/first.txt was on record; what it was then is not known"
    assert (later.returncode, line in later.stderr) == (0, True)
    assert line not in run(reading, "--engine", "inline").stderr
    (reading / "weights/first.txt").write_text("4")
    assert run(reading, "--engine", "inline").returncode == 2


def test_a_pattern_that_names_nothing_is_refused_at_its_place(reading: Path) -> None:
    watch(reading, "weights", "wieghts.pt")
    done = run(reading, "--engine", "inline")
    assert (done.returncode, done.stderr) == (
        2,
        f"t.yaml:6:18 watch names wieghts.pt, and there is no such file; fix it, or name it relative to {reading}\n",
    )
