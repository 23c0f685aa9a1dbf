"""What of a workload's files counts as its code: what it imports from beside it, and nothing else."""

import hashlib
import importlib
from pathlib import Path

import pytest

from lrsearch.task import parse_task
from lrsearch.task.fingerprint import identity_of
from lrsearch.task.sources import sources_of_imported

TASK = """\
name: mine
workload: {place}:make
budget: {{iterations: 10, evaluate_every: 5}}
optimizers:
  sgd: {{lr: {{start: 0.1}}}}
"""


def code(folder: Path, place: str = "mine.py") -> str:
    """The digest of what is written in a folder."""
    digest = identity_of(parse_task(TASK.format(place=place), folder / "task.yaml"))["workload's code"]
    assert isinstance(digest, str)
    return digest


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


FOLLOWED: dict[str, tuple[dict[str, str], str]] = {
    "a module": ({"mine.py": "import net"}, "net.py"),
    "a package": ({"mine.py": "import net"}, "net/__init__.py"),
    "a package's module": ({"mine.py": "import net.layers", "net/__init__.py": ""}, "net/layers.py"),
    "the package of a module": (
        {"mine.py": "from net.layers import x", "net/layers.py": ""},
        "net/__init__.py",
    ),
    "from a package": ({"mine.py": "from net import layers", "net/__init__.py": ""}, "net/layers.py"),
    "a folder without __init__": ({"mine.py": "from net import layers"}, "net/layers.py"),
    "a package within": (
        {"mine.py": "import a.b.c", "a/__init__.py": "", "a/b/__init__.py": ""},
        "a/b/c.py",
    ),
    "relative": (
        {"mine.py": "import net", "net/__init__.py": "from .layers import x"},
        "net/layers.py",
    ),
    "relative, a name": (
        {"mine.py": "import net", "net/__init__.py": "from . import layers"},
        "net/layers.py",
    ),
    "relative, one above": (
        {"mine.py": "import a.b.c", "a/__init__.py": "", "a/b/c.py": "from ..d import x"},
        "a/d.py",
    ),
    "absolute within a package": (
        {"mine.py": "import net", "net/__init__.py": "import helper"},
        "helper.py",
    ),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_a_change_of_what_is_imported_is_seen(tmp_path: Path, case: str) -> None:
    files, changed = FOLLOWED[case]
    write(tmp_path, files | {changed: "x = 1"})
    before = code(tmp_path)
    write(tmp_path, {changed: "x = 2"})
    assert code(tmp_path) != before


LEFT_OUT: dict[str, tuple[dict[str, str], str]] = {
    "a package's other modules": ({"mine.py": "import net", "net/__init__.py": ""}, "net/other.py"),
    "a file of the same name as one in a package": (
        {"mine.py": "import net", "net/__init__.py": "from . import layers", "net/layers.py": ""},
        "layers.py",
    ),
    "a checkout of lrsearch": ({"mine.py": "from lrsearch import Workload"}, "lrsearch/__init__.py"),
    "what a script alone imports": (
        {"mine.py": "if __name__ == '__main__':\n    import plots"},
        "plots.py",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_a_change_of_what_no_training_runs_is_not(tmp_path: Path, case: str) -> None:
    files, changed = LEFT_OUT[case]
    write(tmp_path, files | {changed: "x = 1"})
    before = code(tmp_path)
    write(tmp_path, {changed: "x = 2"})
    assert code(tmp_path) == before


@pytest.mark.parametrize("guard", ['__name__ == "__main__"', '"__main__" == __name__'])
def test_what_a_script_alone_runs_may_change(tmp_path: Path, guard: str) -> None:
    write(tmp_path, {"mine.py": "x = 1\n"})
    bare = code(tmp_path)
    write(tmp_path, {"mine.py": f"x = 1\nif {guard}:\n    search(start=0.1)\n"})
    assert code(tmp_path) == bare


@pytest.mark.parametrize(
    "added",
    [
        'if __name__ == "__main__":\n    y = 1\nelse:\n    x = 2\n',
        'if __name__ != "__main__":\n    x = 2\n',
        'def f():\n    if __name__ == "__main__":\n        x = 2\n',
    ],
)
def test_what_runs_where_it_is_imported_counts(tmp_path: Path, added: str) -> None:
    write(tmp_path, {"mine.py": "x = 1\n" + added})
    before = code(tmp_path)
    write(tmp_path, {"mine.py": "x = 1\n" + added.replace("x = 2", "x = 3")})
    assert code(tmp_path) != before


def test_modules_that_import_each_other_are_each_taken_once(tmp_path: Path) -> None:
    write(tmp_path, {"mine.py": "import a", "a/__init__.py": "from . import b", "a/b.py": "import a, mine"})
    joined = "import afrom . import bimport a, mine"
    assert code(tmp_path) == hashlib.sha256(joined.encode()).hexdigest()[:16]


def test_stored_studies_of_modules_alone_keep_their_digest(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"mine.py": "import b\nfrom a import x  # why\n", "a.py": "import b\nx = 1\n", "b.py": "y = 1\n"},
    )
    joined = "import b\nfrom a import xy = 1import b\nx = 1"
    assert code(tmp_path) == hashlib.sha256(joined.encode()).hexdigest()[:16]


@pytest.mark.parametrize("changed", ["mine.py", "other.py", "sub/inner.py"])
def test_a_workload_in_a_package_is_followed_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    own = f"own_{Path(changed).stem}"  # a package is imported once a process
    monkeypatch.syspath_prepend(tmp_path)
    imports = f"from .other import x\nfrom {own}.sub import inner\n"
    files = {"__init__.py": "", "mine.py": imports, "other.py": "", "sub/inner.py": ""}
    write(tmp_path / own, files)
    before = code(tmp_path, f"{own}.mine")
    write(tmp_path / own, {changed: files[changed] + "x = 2"})
    assert code(tmp_path, f"{own}.mine") != before


def test_what_others_installed_beside_a_module_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(installed)
    write(installed, {"alone_in_here.py": "import big", "big/__init__.py": "x = 1"})
    before = code(tmp_path, "alone_in_here")
    write(installed, {"big/__init__.py": "x = 2"})
    assert code(tmp_path, "alone_in_here") == before


def test_a_notebook_s_module_is_followed_through_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(
        tmp_path / "own_live",
        {"__init__.py": "", "net.py": "from own_live import other", "other.py": "x = 1"},
    )
    module = importlib.import_module("own_live.net")
    files = {source.path.relative_to(tmp_path).as_posix() for source in sources_of_imported(module)}
    assert files == {"own_live/__init__.py", "own_live/net.py", "own_live/other.py"}
