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
    Strategy,
    Wait,
)

__all__ = [
    "AtLimit",
    "Bracket",
    "Bracketed",
    "Candidate",
    "Decision",
    "Done",
    "Ending",
    "Launch",
    "NoneLearned",
    "Strategy",
    "Wait",
    "candidates_of",
]
