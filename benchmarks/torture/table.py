"""The table of docs/reliability.md, from what is on record."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median

from rows import Result, Row

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"
MAIN_WRONG = 3
"""Of so many different faults the table tells."""


def rendered(page: str, rows: Mapping[str, Row], results: Iterable[Result]) -> str:
    """Give a page with the table between its two marks.

    Raises:
        ValueError: it has not both marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    results = list(results)
    lines = ["| row | test | done | found | seed, date, commit |", "|---|---|---|---|---|"]
    lines += [_line(row, [one for one in results if one.row == name]) for name, row in rows.items()]
    used = sorted({f"{name} {number}" for one in results for name, number in one.versions.items()})
    text = "\n".join([*lines, "", f"Versions: {', '.join(used)}."])
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _line(row: Row, results: list[Result]) -> str:
    cells = [f"`{row.name}`: {row.promise}", row.test]
    if not results:
        return f"| {' | '.join([*cells, 'not yet', '', ''])} |"
    counts: Counter[str] = Counter()
    for one in results:
        counts.update(one.counts)
    asked = max(one.asked for one in results)
    others = ", ".join(f"{number} {name}" for name, number in counts.items() if name != row.counted)
    done = f"{counts[row.counted]} of {asked} {row.counted}" + (f" ({others})" if others else "")
    seeds, dates, commits = (
        sorted({str(getattr(one, name)) for one in results}) for name in ("seed", "date", "commit")
    )
    when = f"{', '.join(seeds)}; {' to '.join([dates[0], dates[-1]][: len(dates)])}; {', '.join(commits)}"
    return f"| {' | '.join([*cells, done, _found(row, results), when])} |"


def _found(row: Row, results: list[Result]) -> str:
    wrong = [text for one in results for text in one.wrong]
    parts = []
    if wrong:
        shown = "; ".join(list(dict.fromkeys(wrong))[:MAIN_WRONG]).replace("|", "/")
        parts.append(f"**{len(wrong)} wrong**: {shown}")
    elif row.limit is None:
        parts.append("as promised, each time")
    names = dict.fromkeys(name for one in results for name in one.figures)
    for name in names:
        values = [one.figures[name] for one in results if name in one.figures]
        parts.append(f"{name}: median {median(values):.3g}, at most {max(values):.3g} {row.unit}")
        if row.limit is not None and median(values) > row.limit:
            parts.append(f"**more than the {row.limit:g} {row.unit} that it should be**")
    return "; ".join(parts)
