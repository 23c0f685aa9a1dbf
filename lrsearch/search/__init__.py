"""How a search walks its ladder: pure strategies, one a file, that decide from the history alone."""

from lrsearch.search.bracket import Bracket
from lrsearch.search.candidates import Candidate, candidates_of
from lrsearch.search.decision import (
    AtLimit,
    Bracketed,
    Decision,
    Done,
    Ending,
    Launch,
    NoneLearned,
    Skip,
    Stop,
    Strategy,
    Wait,
)
from lrsearch.search.race import Race
from lrsearch.search.resolve import Assessment, Resolve, looks
from lrsearch.search.screen import Screen

__all__ = [
    "Assessment",
    "AtLimit",
    "Bracket",
    "Bracketed",
    "Candidate",
    "Decision",
    "Done",
    "Ending",
    "Launch",
    "NoneLearned",
    "Race",
    "Resolve",
    "Screen",
    "Skip",
    "Stop",
    "Strategy",
    "Wait",
    "candidates_of",
    "looks",
]
