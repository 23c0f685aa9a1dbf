"""What a search concluded and how sure that is: statistics over paired seeds."""

from lrsearch.verdict.judging import assess, judge, rows_of
from lrsearch.verdict.paired import Interval, SpeedUp, interval, paired, speed_up
from lrsearch.verdict.regret import CONFIDENCE
from lrsearch.verdict.scales import at_scale, mean_scale, scale_of
from lrsearch.verdict.units import Measure, Unit, measure_of, outside_share
from lrsearch.verdict.verdict import Row, Verdict, verdict_name

__all__ = [
    "CONFIDENCE",
    "Interval",
    "Measure",
    "Row",
    "SpeedUp",
    "Unit",
    "Verdict",
    "assess",
    "at_scale",
    "interval",
    "judge",
    "mean_scale",
    "measure_of",
    "outside_share",
    "paired",
    "rows_of",
    "scale_of",
    "speed_up",
    "verdict_name",
]
