"""The commands: each parses, wires and prints. What is slow to import is imported by the command that needs it."""

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

import lrsearch
from lrsearch.cli.options import (
    DEFAULT_ROOT,
    Address,
    Engine,
    EngineChoice,
    Fork,
    Json,
    KindChoice,
    MaybeStudy,
    Only,
    Root,
    Storage,
    Strict,
    StudyName,
    TaskFile,
    WorkingDir,
)
from lrsearch.cli.output import (
    print_checkpoints,
    print_files,
    print_plan,
    resume_line,
    say,
    stdout_console,
    warn,
)
from lrsearch.cli.paper import paper
from lrsearch.cli.stopping import BEFORE, if_stopped
from lrsearch.errors import UsageError

STARTED = time.perf_counter()

app = typer.Typer(
    name="lrsearch",
    help="Pick learning rates by the CProp paper's x3 bracket, and see the evidence.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class StoppedError(Exception):
    """Ctrl-C or SIGTERM, in a form that the parser lets through."""

    def __init__(self, line: str, interrupt: KeyboardInterrupt) -> None:
        super().__init__(line)
        self.exit_status = int(getattr(interrupt, "exit_status", 130))


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"lrsearch {lrsearch.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Pick learning rates by the CProp paper's x3 bracket, and see the evidence."""


@app.command()
def run(
    task_file: TaskFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be trained and what it costs; train nothing.")
    ] = False,
    only: Only = None,
    engine: Engine = EngineChoice.RAY,
    address: Address = None,
    working_dir: WorkingDir = None,
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
    as_json: Json = False,
    strict: Strict = False,
    fork: Fork = None,
) -> None:
    """Search, or go on where it stopped: the same command resumes."""
    from lrsearch.task import load_task

    task = load_task(task_file)
    forked_from = task.name if fork is not None else None
    if fork is not None:
        from lrsearch.studies import forked

        task = forked(task, fork)
    if dry_run:
        from lrsearch.plan import plan
        from lrsearch.studies import Place

        warn(task)
        place = Place(task.name, root, storage)
        here = engine is EngineChoice.RAY and address is None
        print_plan(plan(task, _entries(task, only), place, here), as_json)
        return
    _run(task, only, engine, address, working_dir, storage, root, as_json, strict, forked_from)


@app.command()
def resume(
    study: MaybeStudy = None,
    only: Only = None,
    engine: Engine = EngineChoice.RAY,
    address: Address = None,
    working_dir: WorkingDir = None,
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Go on with a study, from the task that it keeps.

    Without a name, with the newest that is unfinished.
    """
    from lrsearch import studies

    found = (
        studies.read(studies.place_of(study, root, storage))
        if study
        else studies.newest_unfinished(root, storage)
    )
    _run(found.task, only, engine, address, working_dir, storage, found.place.root, as_json, strict)


@app.command()
def status(study: MaybeStudy = None, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Show what is done, running and left; works while a run is on."""
    from lrsearch import studies
    from lrsearch.report.summaries import studies_table
    from lrsearch.report.tables import status_table

    console = stdout_console()
    if study is None:
        every = studies.every(root, storage)
        console.print(studies_table((s.task, tuple(s.states.values()), s.place.in_use()) for s in every))
        return
    found = studies.read(studies.place_of(study, root, storage))
    console.print(status_table(found.task, found.states.values(), console.width, live=found.place.in_use()))
    print_checkpoints(console, *found.place.checkpoints_size())


@app.command()
def explain(study: StudyName, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Show why each value was chosen.

    Every candidate with its evidence, and one sentence a search.
    """
    from lrsearch import studies
    from lrsearch.report.tables import explain as explanation

    found = studies.read(studies.place_of(study, root, storage))
    stdout_console().print(explanation(found.task, found.states.values(), live=found.place.in_use()))


@app.command()
def report(study: StudyName, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Draw curves and end losses as an HTML page and PNGs.

    They go into the study's folder.
    """
    from lrsearch import studies
    from lrsearch.guards import writable
    from lrsearch.run import content_of

    found = studies.read(studies.place_of(study, root, storage))
    from lrsearch.report.page import write_report  # imports matplotlib

    content = content_of(found, partial=True)
    with writable(found.place.folder):
        print_files(write_report(found.place.folder, found.task, found.states.values(), content))


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
    from lrsearch.guards import writable
    from lrsearch.report.export import to_yaml, write_yaml
    from lrsearch.run import content_of

    content = content_of(studies.read(studies.place_of(study, root, storage)), partial)
    if output is None:
        print(to_yaml(content), end="")
    else:
        with writable(output):
            write_yaml(output, content)
        print_files([output])


app.command()(paper)


@app.command()
def validate(
    task_files: Annotated[list[Path], typer.Argument(metavar="TASK.yaml...", help="Task files.")],
) -> None:
    """Check task files and their optimizers.

    No Python beside the task is run; an installed package is imported that an optimizer names as package.module:Class.
    """
    from lrsearch.plan import searches_of
    from lrsearch.report.numbers import count_text
    from lrsearch.starts import with_scaled_starts
    from lrsearch.task import load_task
    from lrsearch.task.workload import check_workload
    from lrsearch.training.optimizers import check_optimizers

    for task_file in task_files:
        task = load_task(task_file)
        searches = len(searches_of(task))
        with_scaled_starts(task, task.searches())
        unchecked = ", ".join(
            [*check_optimizers(task, installed_only=True), *filter(None, [check_workload(task)])]
        )
        warn(task)
        entries = count_text(len(task.entries), "optimizer")
        counts = f"{entries}, {searches} {'search' if searches == 1 else 'searches'}"
        left = f"not checked: {unchecked}; " if unchecked else ""
        dry_run = shlex.join(["lrsearch", "run", str(task_file), "--dry-run"])
        say(f"{task_file} is fine: {counts}; {left}`{dry_run}` {'' if left else 'also '}tries the workload")


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
    kind: Annotated[
        KindChoice,
        typer.Option("--from", help="What the training is written as."),
    ] = KindChoice.WORKLOAD,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where to write them.")] = Path(),
) -> None:
    """Write a first task file and its Python, which run as they are."""
    from lrsearch.task.template import missing_packages, write_template

    files = write_template(folder, name, kind.value)
    print_files(files)
    if packages := missing_packages(kind.value):
        say(
            f"{' and '.join(packages)} cannot be found here; install with: pip install 'lrsearch[{kind.value}]'"
        )
    say(f"try it: lrsearch run {files[0]}")


@app.command()
def data(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets to fetch.")
    ] = None,
) -> None:
    """List the data sets that are known, or fetch those named.

    The list says where their files are, whether they are right and on what terms they are had.
    """
    from lrsearch import datasets
    from lrsearch.report.data_sets import data_sets_table

    for name in names or []:
        if name in datasets.CATALOGUE:
            say(f"licence of {name}: {datasets.CATALOGUE[name].licence}")
        say(f"{name} is in {datasets.fetch(name, progress=sys.stderr.isatty())}")
    if not names:
        stdout_console().print(data_sets_table(datasets.status()))


def _run(
    task: Any,
    only: list[str] | None,
    engine: EngineChoice,
    address: str | None,
    working_dir: Path | None,
    storage: str | None,
    root: Path,
    as_json: bool,
    strict: bool,
    forked_from: str | None = None,
) -> None:
    from rich.console import Console

    from lrsearch.report.summaries import result
    from lrsearch.run import run as search
    from lrsearch.studies import Place

    if working_dir is not None and address is None:
        raise UsageError("--working-dir is what is sent to a cluster; give --address too, or leave it out")
    console = Console(stderr=True)
    place = Place(task.name, root, storage)
    fork_of = Place(forked_from, root, storage) if forked_from is not None else None
    entries = _entries(task, only)
    warn(task)

    def if_stopped_now() -> str:
        # Only its place knows whether there is a study to go on with, only the command line how it was called.
        goes_on = resume_line(place, engine.value, address, working_dir, entries)
        kept = "stopped; every finished training is kept. Go on with"
        return f"{kept}: {goes_on}" if place.exists() else BEFORE

    if_stopped(if_stopped_now)
    try:
        found = search(task, place, engine.value, address, entries, console, STARTED, working_dir, fork_of)
    except KeyboardInterrupt as interrupt:
        raise StoppedError(if_stopped_now(), interrupt) from interrupt
    # In a log the verdicts stand where they fell; below a display they are said once it is still.
    said = (
        ()
        if console.is_terminal
        else [s.search for s in found.states if s.verdict and s.search in found.searches]
    )
    if console.is_terminal:
        console.print()
    console.print(result(task, found.states, said, **found.cost.as_dict()), soft_wrap=not console.is_terminal)
    for file in found.files:
        console.print(str(file), soft_wrap=True, markup=False, highlight=False)
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
