"""The pictures of a search. Nothing else in the project imports matplotlib.

Figures are made as objects, without matplotlib's global state, so that any thread may make them.
"""

from lrsearch.report.plots.canvas import to_png, to_svg
from lrsearch.report.plots.curves import curves_figure
from lrsearch.report.plots.valley import valley_figure

__all__ = ["curves_figure", "to_png", "to_svg", "valley_figure"]
