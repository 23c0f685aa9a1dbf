"""Imports point down only, heavy packages have one file each, and what must be quick imports none of them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LAYERS: list[tuple[str, ...]] = [
    ("cli", "api", "run", "results", "comparing", "starts", "studies", "plan", "guards"),
    ("engine", "store", "training", "report"),
    ("coordinator", "standalone"),
    ("searches",),
    ("task", "verdict", "ports"),
    ("strategies",),
    ("ladder", "trial", "errors", "averages", "streams", "users_code"),
]
"""What is higher may import what is lower, and what stands beside it."""
BESIDE = {
    "workload": {"lrsearch"},  # in its docstring's example alone
    "datasets": {"errors", "streams"},
    "lightning": {"training", "errors"},
    "huggingface": {"training", "errors"},
}
"""What a user's code imports, and what of lrsearch that may import itself."""
ADAPTERS = ("optuna", "ray")
"""For users of other tools: nothing of lrsearch imports them, and they import what ``standalone`` does at most."""
ONLY_IN = {
    "ray": {
        "lrsearch/engine/ray.py",
        "lrsearch/engine/worker.py",
        "lrsearch/engine/cluster.py",
        "lrsearch/ray.py",
    },
    "optuna": {
        "lrsearch/store/optuna.py",
        "lrsearch/store/storages.py",
        "lrsearch/store/reading.py",
        "lrsearch/store/fork.py",
        "lrsearch/optuna/sampler.py",
        "lrsearch/optuna/record.py",
        "lrsearch/optuna/checks.py",
    },
    "optuna_dashboard": {"lrsearch/store/dashboard.py"},
    "sqlalchemy": {
        "lrsearch/store/database.py",
        "lrsearch/store/lease.py",
        "lrsearch/store/storages.py",
        "lrsearch/store/url.py",
    },
    "psutil": {"lrsearch/store/filesystem.py", "lrsearch/store/owner.py"},
    "lightning": {"lrsearch/lightning.py"},
    "pytorch_lightning": {"lrsearch/lightning.py"},
    "transformers": {"lrsearch/huggingface.py"},
    "scipy": {"lrsearch/verdict/learning.py", "lrsearch/verdict/paired.py", "lrsearch/verdict/regret.py"},
    "typer": {
        "lrsearch/cli/entry.py",
        "lrsearch/cli/commands.py",
        "lrsearch/cli/options.py",
        "lrsearch/cli/paper.py",
        "lrsearch/cli/compare.py",
        "lrsearch/cli/dashboard.py",
        "lrsearch/cli/running.py",
    },
    "pydantic": {
        "lrsearch/task/fields.py",
        "lrsearch/task/schema.py",
        "lrsearch/task/recipe_schema.py",
        "lrsearch/task/format.py",
        "lrsearch/report/stored.py",
        "lrsearch/comparing/entries.py",
    },
    "pydantic_core": {
        "lrsearch/task/fields.py",
        "lrsearch/task/schema.py",
        "lrsearch/task/recipe_schema.py",
    },
}
PURE = ("standalone", "strategies", "ladder", "trial", "errors")
"""No torch, ray, optuna, clock, randomness or input and output."""
HEAVY = ("torch", "ray", "optuna", "scipy", "matplotlib", "lightning", "transformers")


def sources(package: str) -> list[Path]:
    return sorted(p for p in (CHECKOUT / package).rglob("*.py") if "templates" not in p.parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, wherever in it, with the line; ``from a import b`` is both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relative to itself; name the package"
            assert node.module is not None
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module"
        ):
            yield from ((node.lineno, str(a.value)) for a in node.args if isinstance(a, ast.Constant))


def part_of(path: Path) -> str:
    """The part of lrsearch that a file belongs to: ``task`` of ``lrsearch/task/file.py``."""
    return path.relative_to(CHECKOUT / "lrsearch").parts[0].removesuffix(".py")


PARTS = sorted({part_of(path) for path in sources("lrsearch")} - {"__init__"})


def level(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def test_every_part_has_its_layer() -> None:
    assert sorted([*BESIDE, *ADAPTERS, *(part for layer in LAYERS for part in layer)]) == PARTS


def allowed(part: str) -> set[str]:
    """The parts that one may import."""
    if part in BESIDE:
        return {part, *BESIDE[part]}
    if part in ADAPTERS:
        return {part, "standalone", *allowed("standalone")} - {"coordinator", "searches"}
    lower = {p for layer in LAYERS[level(part) :] for p in layer}
    return lower | set(BESIDE) if level(part) <= level("training") else lower


@pytest.mark.parametrize("part", PARTS)
def test_imports_point_down_only(part: str) -> None:
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{line} imports {name}"
        for path in sources("lrsearch")
        if part_of(path) == part
        for line, name in imports(path)
        if name.startswith("lrsearch.")
        and name.split(".")[1] in PARTS
        and name.split(".")[1] not in allowed(part)
    ]
    assert wrong == []


@pytest.mark.parametrize(("package", "places"), ONLY_IN.items(), ids=list(ONLY_IN))
def test_a_package_is_imported_in_its_place_alone(package: str, places: set[str]) -> None:
    found = {
        str(path.relative_to(CHECKOUT))
        for path in [*sources("lrsearch"), *sources("cprop")]
        for _, name in imports(path)
        if name.split(".")[0] == package
    }
    assert found <= places


def test_cprop_stands_alone_on_torch() -> None:
    found = {name.split(".")[0] for path in sources("cprop") for _, name in imports(path)}
    assert found - set(sys.stdlib_module_names) == {"torch", "cprop"}


def test_training_is_what_imports_cprop() -> None:
    found = {
        part_of(path)
        for path in sources("lrsearch")
        for _, name in imports(path)
        if name.split(".")[0] == "cprop" and name != "cprop.results"  # which is a number
    }
    assert found == {"training"}


def test_what_is_pure_needs_the_standard_library_alone() -> None:
    impure = {
        "random",
        "time",
        "datetime",
        "os",
        "pathlib",
        "socket",
        "subprocess",
        "threading",
        "tempfile",
        "io",
    }
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{line} imports {name}"
        for path in sources("lrsearch")
        if part_of(path) in PURE
        for line, name in imports(path)
        if name.split(".")[0] in impure or name.split(".")[0] not in {"lrsearch", *sys.stdlib_module_names}
    ]
    assert wrong == []


def test_nothing_imports_the_tasks() -> None:
    names = {"tasks", *(path.stem for path in (CHECKOUT / "tasks").glob("*.py"))}
    found = [
        f"{path.relative_to(CHECKOUT)}:{line} imports {name}"
        for path in [*sources("lrsearch"), *sources("cprop")]
        for line, name in imports(path)
        if name.split(".")[0] in names
    ]
    assert found == []


LIGHT = {
    "import lrsearch": "import lrsearch",
    "import lrsearch.cli": "import lrsearch.cli",
    "--help": "from lrsearch.cli import main; main(['--help'])",
    "run --help": "from lrsearch.cli import main; main(['run', '--help'])",
    "--version": "from lrsearch.cli import main; main(['--version'])",
    "schema": "from lrsearch.cli import main; main(['schema'])",
    "the search": "import lrsearch.strategies, lrsearch.ladder, lrsearch.trial, lrsearch.errors",
    "the task": "import lrsearch.task",
}


NEED_LESS = {
    "the store": ("lrsearch.store.optuna", ("torch", "ray", "scipy.special", "matplotlib")),
    "a look at a study": (
        "lrsearch.studies, lrsearch.report.tables",
        ("torch", "ray", "scipy.special", "optuna"),
    ),
    "the verdict": ("lrsearch.verdict.regret", ("torch", "ray", "optuna", "scipy.stats")),
    "to begin a run": ("lrsearch.run", ("torch", "ray", "optuna", "scipy.special", "matplotlib")),
    "to begin with Ray": ("lrsearch.engine.cluster", ("torch", "ray.tune", "pandas", "scipy")),
}


@pytest.mark.parametrize("case", NEED_LESS)
def test_what_is_waited_for_imports_no_more_than_it_needs(case: str) -> None:
    modules, unneeded = NEED_LESS[case]
    code = f"import {modules}\nimport sys\nprint([n for n in {unneeded} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("case", LIGHT)
def test_it_loads_nothing_heavy(case: str) -> None:
    code = f"{LIGHT[case]}\nimport sys\nprint('loaded', [n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_cprop_alone_loads_nothing_of_lrsearch() -> None:
    code = "import cprop, sys; print([n for n in sys.modules if n.split('.')[0] in ('lrsearch', 'ray', 'optuna')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
