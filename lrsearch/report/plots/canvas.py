"""What both pictures are made with: an empty figure in the palette's colours, its scale, PNG and SVG."""

import re
from io import BytesIO, StringIO
from math import log10
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, ScalarFormatter

from lrsearch.report.numbers import value_text
from lrsearch.report.palette import LIGHT, dark_of

SIZE = (7.2, 4.3)
DOTS_PER_INCH = 160
FONT_SIZE = 10
FONT: dict[Any, Any] = {"font.family": ["DejaVu Sans"], "font.size": FONT_SIZE}


def new_figure(title: str) -> tuple[Figure, Axes]:
    """Make a figure with one pair of axes and room for names on the right."""
    with matplotlib.rc_context(FONT):
        figure = Figure(figsize=SIZE, facecolor=LIGHT.paper)
        axes = figure.add_axes((0.1, 0.17, 0.77, 0.67), facecolor="none")
    axes.set_title(title, loc="left", color=LIGHT.ink, fontsize=FONT_SIZE + 1, fontweight="bold", pad=24)
    style_axes(axes)
    return figure, axes


def style_axes(axes: Axes) -> None:
    """Give axes the looks of all pictures."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LIGHT.soft_ink)
    axes.tick_params(which="both", colors=LIGHT.soft_ink, labelcolor=LIGHT.ink)
    axes.xaxis.label.set_color(LIGHT.ink)
    axes.yaxis.label.set_color(LIGHT.ink)
    axes.grid(axis="y", color=LIGHT.faint, linewidth=0.8)
    axes.set_axisbelow(True)


def scale_y(
    axes: Axes, low: float, high: float, below: float = 0.06, above: float = 0.06, log_beyond: float = 10
) -> None:
    """Set the range, with room around it in shares of it; in logs where it spans more than ``log_beyond``."""
    if low > 0 and high / low > log_beyond:
        axes.set_yscale("log")
        decades = log10(high / low)
        axes.set_ylim(low / 10 ** (below * decades), high * 10 ** (above * decades))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7) if decades < 1.2 else (1, 3)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: value_text(float(f"{value:.6g}"))))
        return
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    span = high - low or abs(high) or 1.0
    axes.set_ylim(low - below * span, high + above * span)


def to_png(figure: Figure) -> bytes:
    """Render a figure as PNG; the same figure gives the same bytes."""
    buffer = BytesIO()
    with matplotlib.rc_context(FONT):
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def to_svg_file(figure: Figure, name: str) -> bytes:
    """Render a figure as an SVG file, in the colours of a light page; the same figure gives the same bytes.

    Args:
        figure: the figure.
        name: what makes the ids in it.
    """
    buffer = BytesIO()
    with matplotlib.rc_context({**FONT, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def to_svg(figure: Figure, name: str, candidates: int) -> str:
    """Render a figure as an ``svg`` element, for a page that has the palette's colours as CSS variables.

    Args:
        figure: the figure.
        name: what makes the ids in it unique within the page.
        candidates: how many candidates it shows.
    """
    buffer = StringIO()
    with matplotlib.rc_context({**FONT, "svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    text = buffer.getvalue()
    for light in dark_of(candidates):
        text = text.replace(light, f"var(--{light[1:]})")
    # Within HTML an svg element needs no namespaces, and the page is to hold no address at all.
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", text[text.index("<svg") :])
