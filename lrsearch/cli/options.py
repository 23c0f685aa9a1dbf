"""The options and arguments that commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class KindChoice(StrEnum):
    """What the training of a first task is written as; a folder of templates each."""

    WORKLOAD = "workload"
    LOOP = "loop"
    LIGHTNING = "lightning"
    HUGGINGFACE = "huggingface"


class EngineChoice(StrEnum):
    """What trains."""

    RAY = "ray"
    INLINE = "inline"


TaskFile = Annotated[Path, typer.Argument(metavar="TASK.yaml", help="The task file.")]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name: the task's.")]
MaybeStudy = Annotated[str | None, typer.Argument(metavar="[STUDY]", help="The study's name: the task's.")]
Root = Annotated[
    Path,
    typer.Option("--studies", metavar="DIR", envvar="LRSEARCH_STUDIES", help="The folder of all studies."),
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="LRSEARCH_STORAGE",
        help="An Optuna storage URL; else SQLite in the study's folder.",
    ),
]
Engine = Annotated[
    EngineChoice, typer.Option(help="Train with Ray Tune, or one after the other in this process.")
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Of a running Ray cluster, or auto; without it Ray starts here."),
]
WorkingDir = Annotated[
    Path | None,
    typer.Option(
        "--working-dir",
        metavar="DIR",
        help="With --address: the folder that is sent to the cluster, else the task's own.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="ENTRY", help="Search only this entry, and those it shares from; may be repeated."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the chosen values and the cost as JSON on standard output.")
]
ShowOutput = Annotated[
    bool,
    typer.Option(
        "--show-output",
        help="Show on standard error what the trainings print; the study's folder logs keeps it anyway.",
    ),
]
Fork = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Go on in a new study of this name, with the trainings that are still valid though the task has changed.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 where a verdict is not resolved.")]
DEFAULT_ROOT = Path("studies")
