"""How a search walks its ladder: pure strategies, one a file, that decide from the history alone."""

from lrsearch.strategies.bracket import Bracket
from lrsearch.strategies.candidates import Candidate, all_alike, candidates_of, seeds_alike, tells_apart
from lrsearch.strategies.decision import (
    AtLimit,
    Bracketed,
    Cause,
    Decision,
    Done,
    Ending,
    Launch,
    NoneLearned,
    Skip,
    Stop,
    Strategy,
    Trained,
    Wait,
)
from lrsearch.strategies.fixed import Fixed
from lrsearch.strategies.race import Race
from lrsearch.strategies.resolve import Assessment, Resolve, looks
from lrsearch.strategies.screen import Screen
from lrsearch.strategies.standing import Standing, State

__all__ = [
    "Assessment",
    "AtLimit",
    "Bracket",
    "Bracketed",
    "Candidate",
    "Cause",
    "Decision",
    "Done",
    "Ending",
    "Fixed",
    "Launch",
    "NoneLearned",
    "Race",
    "Resolve",
    "Screen",
    "Skip",
    "Standing",
    "State",
    "Stop",
    "Strategy",
    "Trained",
    "Wait",
    "all_alike",
    "candidates_of",
    "looks",
    "seeds_alike",
    "tells_apart",
]
