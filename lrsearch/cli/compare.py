"""``lrsearch compare``: entries trained at given rates and set against each other."""

from pathlib import Path
from typing import Annotated

import typer

from lrsearch import streams
from lrsearch.cli.options import (
    DEFAULT_ROOT,
    Address,
    Engine,
    EngineChoice,
    Json,
    Root,
    ShowOutput,
    Storage,
    WorkingDir,
)


def compare(
    comparison_file: Annotated[Path, typer.Argument(metavar="COMPARE.yaml", help="The comparison file.")],
    scale: Annotated[
        float,
        typer.Option(
            "--scale", metavar="PART", help="Train this part of the length, in a study NAME_at_PART."
        ),
    ] = 1.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be trained and what it costs; train nothing.")
    ] = False,
    engine: Engine = EngineChoice.RAY,
    address: Address = None,
    working_dir: WorkingDir = None,
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
    as_json: Json = False,
    show_output: ShowOutput = False,
) -> None:
    """Train entries at their chosen rates and set them in pairs.

    The same command resumes.
    """
    from lrsearch.cli.running import run_task
    from lrsearch.comparing import load_comparison

    task = load_comparison(comparison_file, root, storage, scale)
    if dry_run:
        streams.reserve_stdout()
        from lrsearch.cli.output import print_plan, warn
        from lrsearch.plan import plan
        from lrsearch.studies import Place

        warn(task)
        here = engine is EngineChoice.RAY and address is None
        print_plan(plan(task, None, Place(task.name, root, storage), here), as_json)
        return
    run_task(
        task,
        None,
        engine,
        address,
        working_dir,
        storage,
        root,
        as_json,
        strict=False,
        show_output=show_output,
    )
