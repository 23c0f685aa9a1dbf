"""The ladder of a search as a strip of cells, lowest rung first: the value above, how it did below."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from lrsearch.report.findings import Finding, Mark
from lrsearch.report.numbers import fitted_text, value_text

CELL_WIDTH = 8
LEAST_CELLS = 4
"""So that a ladder which grows seldom moves what stands beside it."""
_STYLES = {
    Mark.CHOSEN: "bold green",
    Mark.BEST_SO_FAR: "bold green",
    Mark.DID_NOT_LEARN: "red",
    Mark.DIVERGED: "red",
    Mark.FAILED: "bold red",
    Mark.RUNNING: "cyan",
    Mark.PENDING: "dim",
    Mark.STOPPED: "dim",
    Mark.LEFT: "dim",
}


def strip(found: Sequence[Finding], iterations: int, width: int) -> Table:
    """Draw the ladder as far as it has been climbed.

    Args:
        found: the candidates, lowest rung first.
        iterations: how long a training is, for how far the running ones are.
        width: columns to use; candidates far from where the search is give way to an ellipsis.
    """
    shown = window(found, max(1, width // CELL_WIDTH))
    table = Table.grid(padding=0)
    for _ in shown:
        table.add_column(width=CELL_WIDTH, no_wrap=True, overflow="crop")
    cut = (bool(shown) and shown[0] is not found[0], bool(shown) and shown[-1] is not found[-1])
    values = [Text(" " + value_text(finding.value)) for finding in shown]
    if cut[0]:
        values[0] = Text("…" + value_text(shown[0].value))
    if cut[1]:
        values[-1].append("…")
    table.add_row(*values)
    table.add_row(*(_cell(finding, iterations) for finding in shown))
    return table


def strip_width(ladders: Iterable[Sequence[Finding]], width: int) -> int:
    """Give the columns that the longest of some ladders takes, of those that there are."""
    longest = max((len(found) for found in ladders), default=0)
    return CELL_WIDTH * max(1, min(width // CELL_WIDTH, max(LEAST_CELLS, longest)))


def window(found: Sequence[Finding], size: int) -> Sequence[Finding]:
    """Give at most ``size`` neighbouring candidates: around the best or, before one, around what runs."""
    if len(found) <= size:
        return found
    interest = (Mark.CHOSEN, Mark.BEST_SO_FAR, Mark.RUNNING, Mark.PENDING)
    middle = next((i for mark in interest for i, f in enumerate(found) if f.mark is mark), len(found) - 1)
    first = min(max(0, middle - size // 2), len(found) - size)
    return found[first : first + size]


def style_of(mark: Mark) -> str:
    """Give the rich style of a mark; it only repeats what the glyph and the words say."""
    return _STYLES.get(mark, "")


def progress_of(finding: Finding, iterations: int) -> float:
    """Give how much of a candidate's trainings is done, from 0 to 1."""
    done = sum(
        1.0 if t.ended else t.curve[-1].iteration / iterations if t.curve else 0 for t in finding.replicas
    )
    return done / finding.planned


def _cell(finding: Finding, iterations: int) -> Text:
    match finding.mark:
        case Mark.RUNNING:
            text = f"▶{100 * progress_of(finding, iterations):.0f} %"
        case Mark.DID_NOT_LEARN | Mark.DIVERGED | Mark.FAILED | Mark.STOPPED | Mark.PENDING:
            text = finding.mark.glyph
        case mark:
            text = mark.glyph + ("" if finding.mean is None else fitted_text(finding.mean, CELL_WIDTH - 2))
    return Text(text, style=style_of(finding.mark))
