"""Which commands run a stranger's code: of a task file none but ``run``; of a study none but ``resume``."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_runs import LRSEARCH

HOSTILE = """\
from pathlib import Path

Path(__file__).with_name("ran").touch()
"""
LOOKS = [
    ("validate", "valley.yaml"),
    ("status",),
    ("status", "valley"),
    ("explain", "valley"),
    ("export", "valley"),
    ("report", "valley"),
    ("paper",),
]


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # As a module, which finds what lies in this folder: the script would not.
    return subprocess.run([*LRSEARCH, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def hostile(tmp_path: Path, finished: Path) -> Path:
    """A study and its task, whose Python leaves a mark when it is imported: the workload and two optimizers."""
    folder = tmp_path / "hostile"
    shutil.copytree(finished, folder)
    optimizers = (
        "  evil: {base: 'evil:Optimizer', lr: {of: sgd}}\n"
        "  worse: {base: 'worse.part:Optimizer', lr: {of: sgd}}\n"
    )
    task = folder / "valley.yaml"
    task.write_text(task.read_text() + optimizers)
    workload = folder / "valley.py"
    workload.write_text(HOSTILE + workload.read_text())
    (folder / "evil.py").write_text(HOSTILE)
    (folder / "worse").mkdir()
    (folder / "worse" / "__init__.py").write_text(
        HOSTILE.replace("__file__).with_name", "__file__).parent.with_name")
    )
    return folder


def test_the_trap_works(hostile: Path) -> None:
    call(hostile, "run", "valley.yaml", "--dry-run")
    assert (hostile / "ran").exists()


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_a_look_runs_nothing_of_the_task(hostile: Path, arguments: tuple[str, ...]) -> None:
    done = call(hostile, *arguments)
    assert not (hostile / "ran").exists()
    assert done.returncode == 0, done.stderr


def test_validate_says_what_it_did_not_look_into(hostile: Path) -> None:
    assert (
        "not checked: evil:Optimizer, worse.part:Optimizer;"
        in call(hostile, "validate", "valley.yaml").stderr
    )


def test_status_says_what_checkpoints_take(hostile: Path) -> None:
    kept = hostile / "studies/valley/checkpoints/run-1"
    kept.mkdir(parents=True)
    for name in ("sgd-lr-7.pt", "sgd-lr-7.older.pt"):
        (kept / name).write_bytes(bytes(600_000))
    assert "2 checkpoints, 1.2 MB\n" in call(hostile, "status", "valley").stdout


def test_ray_is_closed_and_its_token_private(tmp_path: Path) -> None:
    script = """
import os, stat
from pathlib import Path
from lrsearch.engine.cluster import connected
import ray
with connected(None):
    address = ray.get_runtime_context().gcs_address
    print(os.environ["RAY_AUTH_MODE"], ray._private.worker._global_node.webui_url or "no dashboard")
    token = Path(os.environ["HOME"]) / ".ray" / "auth_token"
    print(oct(stat.S_IMODE(token.stat().st_mode)), oct(stat.S_IMODE(token.parent.stat().st_mode)))
    import subprocess, sys
    other = [sys.executable, "-c", f"import ray; ray.init(address={address!r}, log_to_driver=False)"]
    done = subprocess.run(other, env=os.environ | {"RAY_AUTH_TOKEN": "0" * 64}, capture_output=True, text=True)
    print(done.returncode, "AuthenticationError" in done.stderr)
"""
    home = tmp_path / "home"
    home.mkdir()
    without = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [LRSEARCH[0], "-c", script],
        env=without | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "token no dashboard\n0o600 0o700\n1 True\n", done.stderr
