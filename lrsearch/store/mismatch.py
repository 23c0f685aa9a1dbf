"""The refusal of a task that trains differently from the one that its study was made from."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lrsearch.errors import StudyMismatchError
from lrsearch.store.url import shown_url
from lrsearch.task.document import listed
from lrsearch.task.model import Task


def mismatch(
    task: Task, changed: Mapping[str, str], studies: Sequence[str], url: str, lock: Path
) -> StudyMismatchError:
    """Make the error, with how to begin anew.

    Args:
        task: the task as it is now.
        changed: by the names of the fields that differ, what each was and is.
        studies: the names of the Optuna studies that were made differently.
        url: the storage's.
        lock: the file that was locked; it lies in the study's folder where its database does.
    """
    if Path(url.partition(":///")[2]).parent == lock.parent.resolve():
        remedy = f"remove the folder {lock.parent} to begin anew"
    else:
        command = shlex.join(["optuna", "delete-study", "--storage", shown_url(url), "--study-name"])
        names = listed([shlex.quote(study) for study in studies])
        remedy = (
            f"begin anew after `{command} {names}`"
            if len(studies) == 1
            else f"begin anew after `{command} NAME` for each of {names}"
        )
    keep, what = "", "task" if task.comparison is None else "comparison"
    if task.provided is None and task.comparison is None:
        command = shlex.join(["lrsearch", "run", task.shown_as or str(task.path), "--fork"])
        keep = f"keep what is still valid in a new study with: {command} NAME, "
    return StudyMismatchError(
        f"{task.shown_as or task.path}: the study {task.name} was made from a task that trains differently: "
        f"{'; '.join(changed.values())}; put that back, {keep}give this {what} another name, or {remedy}",
        tuple(changed),
    )
