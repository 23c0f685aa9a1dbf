"""The commands: each parses, wires and prints. What is slow to import is imported by the command that needs it."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

import lrsearch
from lrsearch import streams
from lrsearch.cli.compare import compare
from lrsearch.cli.dashboard import dashboard
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
    ShowOutput,
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
    say,
    stdout_console,
    warn,
)
from lrsearch.cli.paper import paper
from lrsearch.cli.running import entries_of, run_task

app = typer.Typer(
    name="lrsearch",
    help="Pick learning rates by the CProp paper's x3 bracket, and see the evidence.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    show_output: ShowOutput = False,
) -> None:
    """Search, or go on where it stopped: the same command resumes."""
    from lrsearch.task import load_task

    task = load_task(task_file)
    forked_from = task.name if fork is not None else None
    if fork is not None:
        from lrsearch.studies import forked

        task = forked(task, fork)
    if dry_run:
        streams.reserve_stdout()
        from lrsearch.plan import plan
        from lrsearch.studies import Place

        warn(task)
        place = Place(task.name, root, storage)
        here = engine is EngineChoice.RAY and address is None
        print_plan(plan(task, entries_of(task, only), place, here), as_json)
        return
    run_task(
        task, only, engine, address, working_dir, storage, root, as_json, strict, forked_from, show_output
    )


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
    show_output: ShowOutput = False,
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
    root = found.place.root
    run_task(
        found.task,
        only,
        engine,
        address,
        working_dir,
        storage,
        root,
        as_json,
        strict,
        show_output=show_output,
    )


@app.command()
def status(study: MaybeStudy = None, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Show what is done, running and left; works while a run is on."""
    from lrsearch import studies
    from lrsearch.report.comparison_tables import comparison_status
    from lrsearch.report.summaries import studies_table
    from lrsearch.report.tables import status_table

    console = stdout_console()
    if study is None:
        every = studies.every(root, storage)
        console.print(studies_table((s.task, tuple(s.states.values()), s.place.in_use()) for s in every))
        return
    found = studies.read(studies.place_of(study, root, storage))
    live = found.place.in_use()
    if found.task.comparison is None:
        console.print(status_table(found.task, found.states.values(), console.width, live=live))
    else:
        console.print(comparison_status(found.task, found.states.values(), live=live))
    print_checkpoints(console, *found.place.checkpoints_size())


@app.command()
def explain(study: StudyName, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Show why each value was chosen.

    Every candidate with its evidence, and one sentence a search; of a comparison every entry, and one a pair.
    """
    from lrsearch import studies
    from lrsearch.report.comparison_tables import comparison_found
    from lrsearch.report.tables import explain as explanation

    found = studies.read(studies.place_of(study, root, storage))
    if found.task.comparison is not None:
        from lrsearch.results import content_of

        stdout_console().print(comparison_found(found.task, content_of(found, partial=True)))
        return
    stdout_console().print(explanation(found.task, found.states.values(), live=found.place.in_use()))


@app.command()
def report(study: StudyName, storage: Storage = None, root: Root = DEFAULT_ROOT) -> None:
    """Draw curves and ends as an HTML page and pictures.

    They go into the study's folder.
    """
    from lrsearch import studies
    from lrsearch.guards import writable
    from lrsearch.report.pages import write_page  # imports matplotlib
    from lrsearch.results import content_of

    found = studies.read(studies.place_of(study, root, storage))
    content = content_of(found, partial=True)
    with writable(found.place.folder):
        files = write_page(found.place.folder, found.task, found.states.values(), content)
    print_files(files)


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
    from lrsearch.results import content_of

    content = content_of(studies.read(studies.place_of(study, root, storage)), partial)
    if output is None:
        print(to_yaml(content), end="")
    else:
        with writable(output):
            write_yaml(output, content)
        print_files([output])


app.command()(dashboard)
app.command()(paper)
app.command()(compare)


@app.command()
def validate(
    task_files: Annotated[
        list[Path], typer.Argument(metavar="TASK.yaml...", help="Task files, or comparison files.")
    ],
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Check task files and their optimizers.

    No Python beside the task is run; an installed package is imported that an optimizer names as package.module:Class.
    """
    from lrsearch.comparing import load_either
    from lrsearch.plan import searches_of
    from lrsearch.report.numbers import count_text
    from lrsearch.starts import with_scaled_starts
    from lrsearch.task.workload import check_workload
    from lrsearch.training.optimizers import check_optimizers

    for task_file in task_files:
        task = load_either(task_file, root, storage)
        searches = len(searches_of(task))
        with_scaled_starts(task, task.searches())
        unchecked = ", ".join(
            [*check_optimizers(task, installed_only=True), *filter(None, [check_workload(task)])]
        )
        warn(task)
        entries = count_text(len(task.entries), "optimizer")
        counts = f"{entries}, {searches} {'search' if searches == 1 else 'searches'}"
        if task.comparison is not None:
            counts = f"{entries}, {count_text(len(task.comparison.pairs), 'pair')}"
        left = f"not checked: {unchecked}; " if unchecked else ""
        dry_run = shlex.join(
            ["lrsearch", "run" if task.comparison is None else "compare", str(task_file), "--dry-run"]
        )
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
