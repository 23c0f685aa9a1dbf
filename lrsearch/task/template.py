"""The first task file and workload, which ``lrsearch init`` writes: they run as they are."""

import re
from importlib.resources import files
from pathlib import Path

from lrsearch.errors import UsageError
from lrsearch.task.fields import NAME_PATTERN


def write_template(folder: Path, name: str) -> tuple[Path, Path]:
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
            template = files("lrsearch.task") / "templates" / f"NAME{target.suffix}"
            with target.open("x", encoding="utf-8") as stream:
                stream.write(template.read_text(encoding="utf-8").replace("NAME", name))
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written ({error.strerror}); check it"
        ) from None
    return targets
