"""The command line: parse, wire, print; nothing else.

What is slow to import is imported by the command that needs it.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

import lrsearch
from lrsearch.errors import LRSearchError, UsageError

STARTED = time.perf_counter()

app = typer.Typer(
    name="lrsearch",
    help="Pick learning rates by the CProp paper's x3 bracket, and see the evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
Address = Annotated[str | None, typer.Option(help="Of a running Ray cluster; without it Ray starts here.")]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="ENTRY", help="Search only this entry, and those it shares from; may be repeated."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the chosen values and the cost as JSON on standard output.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 where a verdict is not resolved.")]
DEFAULT_ROOT = Path("studies")


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Pick learning rates by the CProp paper's x3 bracket, and see the evidence."""
    if version:
        print(f"lrsearch {lrsearch.__version__}")
        raise typer.Exit


@app.command()
def run(
    task_file: TaskFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be trained and what it costs; train nothing.")
    ] = False,
    only: Only = None,
    engine: Engine = EngineChoice.RAY,
    address: Address = None,
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Search, or go on where it stopped: the same command resumes."""
    from lrsearch.task import load_task

    task = load_task(task_file)
    if dry_run:
        from lrsearch.plan import plan

        _print_plan(task, plan(task, _entries(task, only)), as_json)
        return
    _run(task, only, engine, address, storage, root, as_json, strict)


@app.command()
def resume(
    study: MaybeStudy = None,
    only: Only = None,
    engine: Engine = EngineChoice.RAY,
    address: Address = None,
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Go on with a study from the task that it keeps; without a name, the newest unfinished."""
    from lrsearch import studies

    found = studies.read(studies.Place(study, root, storage)) if study else studies.newest_unfinished(root)
    _run(found.task, only, engine, address, storage, root, as_json, strict)


@app.command()
def status(study: MaybeStudy = None, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Show what is done, running and left; works while a run is on."""
    from lrsearch import studies
    from lrsearch.report.summaries import studies_table
    from lrsearch.report.tables import status_table

    console = _console()
    if study is None:
        every = [studies.read(place) for place in studies.places(root, storage)]
        console.print(studies_table((s.task, tuple(s.states.values()), s.place.in_use()) for s in every))
        return
    found = studies.read(studies.Place(study, root, storage))
    console.print(status_table(found.task, found.states.values(), console.width, live=found.place.in_use()))


@app.command()
def explain(study: StudyName, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Show why each value was chosen: every candidate with its evidence, and one sentence."""
    from lrsearch import studies
    from lrsearch.report.tables import explain as explanation

    found = studies.read(studies.Place(study, root, storage))
    _console().print(explanation(found.task, found.states.values()))


@app.command()
def report(study: StudyName, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Draw curves and end losses, as one HTML page and PNGs, into the study's folder."""
    from lrsearch import studies
    from lrsearch.report.page import write_report
    from lrsearch.run import content_of

    found = studies.read(studies.Place(study, root, storage))
    content = content_of(found, partial=True)
    _print_files(write_report(found.place.folder, found.task, found.states.values(), content))


@app.command()
def export(
    study: StudyName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write there; else print.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Also from a study that has not ended.")] = False,
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Give the chosen values as YAML."""
    from lrsearch import studies
    from lrsearch.report.export import to_yaml, write_yaml
    from lrsearch.run import content_of

    content = content_of(studies.read(studies.Place(study, root, storage)), partial)
    if output is None:
        print(to_yaml(content), end="")
    else:
        write_yaml(output, content)
        _print_files([output])


@app.command()
def validate(
    task_files: Annotated[list[Path], typer.Argument(metavar="TASK.yaml...", help="Task files.")],
) -> None:
    """Check task files and their optimizers, without running the Python that they name."""
    from lrsearch.task import load_task
    from lrsearch.training.optimizers import check_optimizers

    for task_file in task_files:
        task = load_task(task_file)
        check_optimizers(task)
        _say(f"{task_file} is fine: {len(task.searches())} searches in {len(task.entries)} entries")


@app.command()
def schema() -> None:
    """Print the JSON schema of the task file, for editors."""
    from lrsearch.task import task_schema

    print(json.dumps(task_schema(), indent=2))


@app.command()
def init(
    name: Annotated[
        str, typer.Argument(help="The task's name; the files are NAME.yaml and NAME.py.")
    ] = "my_task",
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where to write them.")] = Path(),
) -> None:
    """Write a first task file and workload, which run as they are."""
    from lrsearch.task.template import write_template

    files = write_template(folder, name)
    _print_files(files)
    _say(f"try it: lrsearch run {files[0]}")


@app.command()
def data(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets to fetch.")
    ] = None,
) -> None:
    """List the data sets that are known, where they are and whether their files are right; fetch those named."""
    from lrsearch import datasets
    from lrsearch.report.summaries import datasets_table

    for name in names or []:
        _say(f"{name} is in {datasets.fetch(name, progress=sys.stderr.isatty())}")
    if not names:
        _console().print(datasets_table(datasets.status()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status; every error is one line, unless ``--debug`` is given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    # Wherever it stands on the line: people add it to the end of what just failed.
    given = ["--debug"] * debug + [argument for argument in given if argument != "--debug"]
    try:
        status = app(given, standalone_mode=False)
    except typer.Abort:
        return 130
    except LRSearchError as error:
        if debug:
            raise
        _say(str(error))
        return error.exit_status
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)
    except BrokenPipeError:
        # The reader of standard output has gone (`| head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # What the parser refuses shows itself; its class is typer's in newer releases and click's in older ones.
        if hasattr(error, "show") and isinstance(status := getattr(error, "exit_code", None), int):
            error.show()
            return status
        if debug:
            raise
        _say(f"lrsearch failed: {type(error).__name__}: {error}; run it again with --debug to see where")
        return 1
    return status if isinstance(status, int) else 0


def _run(
    task: Any,
    only: list[str] | None,
    engine: EngineChoice,
    address: str | None,
    storage: str | None,
    root: Path,
    as_json: bool,
    strict: bool,
) -> None:
    from rich.console import Console

    from lrsearch.report.summaries import result
    from lrsearch.run import run as search
    from lrsearch.studies import Place

    console = Console(stderr=True)
    place = Place(task.name, root, storage)
    entries = _entries(task, only)
    try:
        found = search(task, place, engine.value, address, entries, console, STARTED)
    except KeyboardInterrupt as interrupt:
        interrupt.args = (place,)
        raise
    console.print(result(task, found.states, found.files, **found.cost.as_dict()))
    if as_json:
        print(json.dumps(found.chosen | found.cost.as_dict(), indent=2))
    if strict and not found.resolved:
        raise typer.Exit(3)


def _entries(task: Any, only: list[str] | None) -> frozenset[str] | None:
    unknown = [name for name in only or () if name not in task.entries]
    if unknown:
        raise UsageError(
            f"--only {unknown[0]}: {task.name} has no such entry; it has {', '.join(task.entries)}"
        )
    return frozenset(only) if only else None


def _interrupted(interrupt: KeyboardInterrupt) -> int:
    from lrsearch.run import Terminated

    if interrupt.args:
        from lrsearch.store.optuna import shown_url

        place = interrupt.args[0]
        options = f" --studies {place.root}" if place.root != DEFAULT_ROOT else ""
        options += f" --storage {shown_url(place.storage)}" if place.storage else ""
        _say(f"stopped; every finished training is kept. Go on with: lrsearch resume {place.name}{options}")
    return 143 if isinstance(interrupt, Terminated) else 130


def _print_plan(task: Any, planned: Any, as_json: bool) -> None:
    from lrsearch.report.summaries import plan_table

    if as_json:
        print(json.dumps(planned.as_dict(), indent=2))
    else:
        _console().print(plan_table(planned))


def _print_files(files: Sequence[Path]) -> None:
    for file in files:
        print(file)


def _console() -> Any:
    from rich.console import Console

    return Console()


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
