"""``lrsearch paper``: what the paper chose beside what was chosen here."""

import json
import sys
from typing import Annotated

import typer

from lrsearch.cli.options import DEFAULT_ROOT, Root


def paper(
    root: Root = DEFAULT_ROOT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the rows as JSON on standard output.")
    ] = False,
) -> None:
    """Show the paper's choices beside those of the stored studies."""
    from rich.console import Console

    from lrsearch.report.paper import cells_of, compare, load_published, read_studies
    from lrsearch.report.paper_table import paper_table

    published = load_published()
    studies = read_studies(root, (cell.task for cell in cells_of(published)))
    rows = compare(published, studies.read, studies.lacking)
    for problem in studies.problems:
        print(problem, file=sys.stderr)
    if as_json:
        print(json.dumps({"rows": [row.as_dict() for row in rows]}, indent=2, allow_nan=False))
    else:
        console = Console()
        console.print(paper_table(rows, console.width))
