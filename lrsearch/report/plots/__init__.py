"""Pictures of searches and comparisons as PNG and SVG. Nothing else in the project imports matplotlib.

Figures are made as objects, without matplotlib's global state, so that any thread may make them.
"""

from lrsearch.report.plots.canvas import to_png, to_svg, to_svg_file
from lrsearch.report.plots.charts import draw
from lrsearch.report.plots.curves import curves_figure
from lrsearch.report.plots.valley import valley_figure

__all__ = ["curves_figure", "draw", "to_png", "to_svg", "to_svg_file", "valley_figure"]
