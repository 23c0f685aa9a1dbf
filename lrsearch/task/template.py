"""The first task file and its Python, which ``lrsearch init`` writes: they run as they are.

A folder of ``templates/`` each; a new kind is a new folder, and its name in ``Kind``.
"""

import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lrsearch.errors import UsageError
from lrsearch.task.fields import NAME_PATTERN

Kind = Literal["workload", "loop", "lightning", "huggingface"]
"""What the training of a first task is written as."""
_NEEDED: dict[Kind, tuple[str, ...]] = {
    "lightning": ("lightning",),
    "huggingface": ("transformers", "accelerate"),
}
"""Packages that a kind needs beside lrsearch itself."""


def write_template(folder: Path, name: str, kind: Kind = "workload") -> tuple[Path, Path]:
    """Write NAME.yaml and NAME.py into a folder, which is made where it is missing.

    Returns:
        The task file and the Python that it names.

    Raises:
        UsageError: the name is no name for a task, a file is there already, or cannot be written.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} is no name for a task; use letters, digits, '-', '_' and '.', not '-' or '.' first"
        )
    targets = folder / f"{name}.yaml", folder / f"{name}.py"
    for target in targets:
        if target.exists():
            raise UsageError(f"{target} exists already and is left as it is; choose another name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            template = files("lrsearch.task") / "templates" / kind / f"NAME{target.suffix}"
            with target.open("x", encoding="utf-8") as stream:
                stream.write(template.read_text(encoding="utf-8").replace("NAME", name))
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written ({error.strerror}); check it"
        ) from None
    return targets


def missing_packages(kind: Kind) -> list[str]:
    """Give what a kind of training needs and is not installed here, by the names of packages."""
    return [package for package in _NEEDED.get(kind, ()) if find_spec(package) is None]
