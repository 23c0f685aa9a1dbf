"""The table of ``lrsearch paper``: a section a search of the paper, a row a choice."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lrsearch.report.numbers import metric_text, value_text
from lrsearch.report.paper import Agreement, Row

WIDE = 100
"""From so many columns on there is room between the table's columns."""
STYLES = {
    Agreement.SAME: "green",
    Agreement.TIES: "green",
    Agreement.DIFFERS: "yellow",
    Agreement.NOTHING_LEARNED: "bold red",
    Agreement.UNREADABLE: "bold red",
    Agreement.NOT_RUN: "dim",
}
HEADS = ("", "value\npublished", "\nhere", "loss at\npublished", "\nhere", "", "iterations\nof search")
WIDTHS = (19, 9, 6, 9, 7, 13, 10)


def paper_table(rows: Sequence[Row], width: int = 80) -> RenderableType:
    """Draw the paper's choices beside ours, and below them what the words and the marks mean.

    Args:
        rows: as :func:`lrsearch.report.paper.compare` gives them.
        width: columns of the terminal.
    """
    notes = list(dict.fromkeys(note for row in rows for note in row.notes))
    gap = 1 if width < WIDE else 3
    head = _grid(gap)
    head.add_row(*(Text(text, style="bold") for text in HEADS))
    parts: list[RenderableType] = [head]
    for (figure, title), section in groupby(rows, key=lambda row: (row.cell.figure, row.cell.title)):
        parts.append(Text(f"{title} (figure {figure})", style="bold"))
        table = _grid(gap)
        for row in section:
            table.add_row(*_cells(row, notes))
        parts.append(table)
    parts += [Text(), Text(summary(rows))]
    parts += [Text(f"[{number}] {note}") for number, note in enumerate(notes, start=1)]
    if legend := _legend(rows):
        parts.append(Text(legend, style="dim"))
    return Group(*parts)


def summary(rows: Iterable[Row]) -> str:
    """Say in a sentence how much of the paper was repeated here, and how it came out."""
    counts = Counter(row.agreement for row in rows if row.cell.published is not None)
    same, ties, differs = (counts[a] for a in (Agreement.SAME, Agreement.TIES, Agreement.DIFFERS))
    others = [f"{n} {a.words}" for a in Agreement if (n := counts[a]) and a not in _COMPARED]
    rest = f"; {', '.join(others)}" if others else ""
    return (
        f"{counts.total()} published choices: {same} the same here, {ties} tied, "
        f"{differs} {'differs' if differs == 1 else 'differ'}{rest}."
    )


_COMPARED = (Agreement.SAME, Agreement.TIES, Agreement.DIFFERS)


def _grid(gap: int) -> Table:
    table = Table.grid(padding=(0, gap, 0, 0))
    for name, width in zip(HEADS, WIDTHS, strict=True):
        table.add_column(width=width, justify="right" if name else "left", overflow="fold")
    return table


def _cells(row: Row, notes: Sequence[str]) -> tuple[Text, ...]:
    marks = ", ".join(str(notes.index(note) + 1) for note in row.notes)
    fared = row.published_outcome or ""
    at_published = fared.replace("_", " ") if row.published_mean is None else metric_text(row.published_mean)
    texts = (
        f"  {row.cell.label}" + (f" [{marks}]" if marks else ""),
        "" if row.cell.published is None else value_text(row.cell.published),
        "" if row.chosen is None else value_text(row.chosen),
        at_published,
        "" if row.mean is None else metric_text(row.mean),
    )
    agreement = Text(row.agreement.words, style=STYLES.get(row.agreement, ""))
    iterations = "" if row.iterations is None else f"{row.iterations:,}"
    return (*map(Text, texts), agreement, Text(iterations))


def _legend(rows: Sequence[Row]) -> str:
    """What the losses are, and what those words mean that stand in the table."""
    sentences = []
    if metrics := sorted({row.metric for row in rows if row.metric}):
        sentences.append(
            f"Losses: {' or '.join(metrics)} at the end of the search's trainings, mean over seeds."
        )
    words = {
        Agreement.TIES: "Ties: another was chosen here, but the published one may be as good, with 95 % confidence.",
        Agreement.DIFFERS: "Differs: another was chosen here, and the published one did worse or was not tried.",
    }
    sentences += [
        text for agreement, text in words.items() if any(row.agreement is agreement for row in rows)
    ]
    return " ".join(sentences)
