"""The bench's results as tables: in the terminal, and between two marks of the page in docs/."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
BEGIN, END = "<!-- made by benchmarks/replay/bench.py: begin -->", "<!-- end -->"
HEADINGS = (
    "method",
    "iterations, median",
    "mean",
    "regret, mean",
    "worst",
    "over the paper's",
    "best found",
    "searches",
)


def print_tables(rows: Sequence[Row]) -> None:
    """Print the table over all recordings, then one each."""
    console = Console()
    for title, group in tables(rows):
        table = Table(title=title)
        for heading in HEADINGS:
            table.add_column(heading, justify="left" if heading == "method" else "right")
        for cells in group:
            table.add_row(*cells)
        console.print(table)


def document(page: Path, rows: Sequence[Row]) -> None:
    """Put the tables between the page's marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    parts = [f"### {title}\n\n{markdown(group)}" for title, group in tables(rows)]
    page.write_text("\n\n".join([before + BEGIN, *parts, END]) + after, encoding="utf-8")


def tables(rows: Sequence[Row]) -> Iterable[tuple[str, list[tuple[str, ...]]]]:
    """Give each table's title and its cells."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    yield "All", [cells(overall([row for row in rows if row["method"] == method])) for method in methods]
    for recording in dict.fromkeys(row["recording"] for row in rows):
        yield recording, [cells(row) for row in rows if row["recording"] == recording]


def overall(rows: Sequence[Row]) -> Row:
    """Give one method's row over all recordings, each weighing the same; the median is over all searches."""
    means = ("iterations_mean", "regret_mean", "regret_mean_of_papers", "best_found")
    return {
        "method": rows[0]["method"],
        "searches": sum(row["searches"] for row in rows),
        "iterations_median": float(np.median([value for row in rows for value in row["relative"]])),
        "regret_worst": max(row["regret_worst"] for row in rows),
        **{name: float(np.mean([row[name] for row in rows])) for name in means},
    }


def cells(row: Row) -> tuple[str, ...]:
    """Give a row as text."""
    return (
        row["method"],
        f"{row['iterations_median']:.0%}",
        f"{row['iterations_mean']:.0%}",
        f"{row['regret_mean']:.3g} %",
        f"{row['regret_worst']:.3g} %",
        f"{row['regret_mean'] - row['regret_mean_of_papers']:+.2f} pp",
        f"{row['best_found']:.0%}",
        f"{row['searches']}",
    )


def markdown(group: Sequence[tuple[str, ...]]) -> str:
    """Give cells as a Markdown table."""
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *group]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
