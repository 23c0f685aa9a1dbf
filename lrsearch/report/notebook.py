"""Searches as a notebook shows them: a sentence, a table and the pictures of each, in one piece of HTML."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape

from lrsearch.report.elements import table
from lrsearch.report.findings import findings
from lrsearch.report.plots import curves_figure, to_png, valley_figure
from lrsearch.report.sentences import sentence
from lrsearch.report.tables import cells
from lrsearch.searches import SearchState
from lrsearch.task.model import Task


def as_html(task: Task, states: Iterable[SearchState]) -> str:
    """Give searches as HTML that needs nothing else: pictures are part of it."""
    by_search = {state.search: state for state in states}
    parts = []
    for search, state in by_search.items():
        rows = []
        for finding in findings(task, state):
            value, mean, std, _, seeds, worse = cells(finding)
            marked = f"{finding.mark.glyph} {finding.words}".strip()
            columns = "".join(f"<td>{escape(text)}</td>" for text in (value, mean, std, seeds, worse, marked))
            rows.append(f"<tr>{columns}</tr>")
        heads = (search.hyperparameter, task.metric.name, "± std", "seeds", "worse by", "verdict")
        parts.append(f"<h4>{escape(str(search))}</h4><p>{escape(sentence(task, state, by_search))}</p>")
        parts.append(table(f"Candidates of {search}", heads, rows, ()))
        if any(trial.curve for trial in state.trials):
            for kind, draw in (("ladder", valley_figure), ("curves", curves_figure)):
                png = b64encode(to_png(draw(task, state))).decode()
                parts.append(
                    f'<img alt="{escape(f"{kind} of {search}")}" style="max-width: 100%; width: 640px" '
                    f'src="data:image/png;base64,{png}">'
                )
    return "\n".join(parts)
