"""What a search concluded and how sure that is: statistics over paired seeds."""

from lrsearch.verdict.judging import assess, judge, rows_of
from lrsearch.verdict.regret import CONFIDENCE
from lrsearch.verdict.scales import at_scale, mean_scale, scale_of
from lrsearch.verdict.verdict import Row, Verdict, verdict_name

__all__ = [
    "CONFIDENCE",
    "Row",
    "Verdict",
    "assess",
    "at_scale",
    "judge",
    "mean_scale",
    "rows_of",
    "scale_of",
    "verdict_name",
]
