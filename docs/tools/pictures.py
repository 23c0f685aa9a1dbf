"""Draws the site's pictures with the tool's own plots: ``python docs/tools/pictures.py`` (two minutes)."""

import re
import tempfile
from pathlib import Path

from matplotlib.figure import Figure

from lrsearch import load_task
from lrsearch.report.findings import findings
from lrsearch.report.palette import dark_of
from lrsearch.report.plots import curves_figure, to_svg, valley_figure
from lrsearch.run import run
from lrsearch.searches import SearchState, survey
from lrsearch.studies import Place, read
from lrsearch.task import Task
from lrsearch.trial import SearchId

CHECKOUT = Path(__file__).parents[2]
PICTURES = CHECKOUT / "docs" / "pictures"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
SANS_SERIF = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
SEARCH = SearchId("sgd", "lr")


def main() -> None:
    """Search the digits' learning rate for SGD, then draw the walk, the valley and the curves."""
    task = load_task(CHECKOUT / "tasks" / "digits_mlp.yaml")
    with tempfile.TemporaryDirectory() as folder:
        place = Place(task.name, Path(folder))
        run(task, place, engine="inline", only=frozenset({"sgd"}))
        state = read(place).states[SEARCH]
    values = list(dict.fromkeys(trial.spec.hyperparameters["lr"] for trial in state.trials))
    for count in range(2, len(values)):
        seen = [trial for trial in state.trials if trial.spec.hyperparameters["lr"] in values[:count]]
        draw(f"walk-{count}", task, survey(task, seen)[SEARCH])
    draw("valley", task, state)
    write("curves", curves_figure(task, state), shown(task, state))


def draw(name: str, task: Task, state: SearchState) -> None:
    """Draw the valley as far as it is known."""
    write(name, valley_figure(task, state), shown(task, state))


def shown(task: Task, state: SearchState) -> int:
    """Count the candidates in a picture."""
    return sum(bool(finding.replicas) for finding in findings(task, state))


def write(name: str, figure: Figure, candidates: int) -> None:
    """Write a picture twice, for light pages and for dark ones."""
    drawn = re.sub(r"^<svg", SVG, to_svg(figure, name, candidates))
    drawn = re.sub(r"'DejaVu Sans'", SANS_SERIF, drawn)
    colours = dark_of(candidates)
    for theme, of in (("light", dict(zip(colours, colours, strict=True))), ("dark", colours)):
        text = re.sub(r"var\(--([0-9a-f]{6})\)", lambda match, of=of: of[f"#{match[1]}"], drawn)
        (PICTURES / f"{name}-{theme}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
