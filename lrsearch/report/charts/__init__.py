"""What pictures show, as data: from a search or a comparison, for the page and for matplotlib."""

from lrsearch.report.charts.comparison import charts_of_comparison
from lrsearch.report.charts.model import (
    Chart,
    Curves,
    Grid,
    HeatMap,
    Intervals,
    Line,
    Point,
    Row,
    Span,
    Sweep,
    as_data,
)
from lrsearch.report.charts.search import charts_of_search

__all__ = [
    "Chart",
    "Curves",
    "Grid",
    "HeatMap",
    "Intervals",
    "Line",
    "Point",
    "Row",
    "Span",
    "Sweep",
    "as_data",
    "charts_of_comparison",
    "charts_of_search",
]
