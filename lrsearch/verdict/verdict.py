"""The end of a search with its evidence: frozen data."""

from dataclasses import dataclass

from lrsearch.strategies import AtLimit, Bracketed, Ending, NoneLearned, Trained
from lrsearch.trial import SearchId
from lrsearch.verdict.units import Measure, Unit


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate in the evidence. Metrics are None where the candidate has none to show."""

    rung: int
    value: float
    """The hyperparameter's value at the rung."""
    seeds: int
    """Replicas that have ended, however they ended."""
    learned: bool
    mean: float | None
    std: float | None
    """Sample standard deviation over seeds; None below two."""
    difference: float | None
    """Mean paired difference of the metric to the chosen candidate; positive is worse, whatever the mode."""
    difference_error: float | None
    """Standard error of ``difference``."""
    diverged: dict[int, int]
    """Seed to iteration, for the seeds that diverged."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a search with its evidence.

    ``regret_at_most`` bounds what the chosen candidate loses to the best of those trained, as a fraction of what
    ``regret_of`` names (the metric's value, what was learned, or the error), with 95 % confidence over all looks that
    the search makes; None where it cannot be had (one seed, no rival, no spread over seeds, or nothing learned).
    Candidates that were not trained to the end with all seeds are not covered by it: those stopped, or skipped because
    ``lower_bound`` shows that their mean over these seeds must be worse, which says nothing of other seeds; nor are the
    rungs that were never trained. ``loses_at_most`` is the same in the metric's own units; None where no finite amount
    can be said. ``resolved`` says whether ``regret_at_most`` is within ``tolerance``. ``ties`` are the other values
    that may still be the best, at the same confidence.
    """

    search: SearchId
    ending: Ending
    chosen: float | None
    rows: tuple[Row, ...]
    regret_at_most: float | None
    loses_at_most: float | None
    measure: Measure | None
    """In what it is measured; None where nothing was chosen between."""
    tolerance: float
    ties: tuple[float, ...]
    iterations: int
    """Iterations trained for this search, over all its replicas, and in the range test that proposed its start."""

    @property
    def name(self) -> str:
        """The verdict in one word, as files and tables have it."""
        return verdict_name(self.ending)

    @property
    def regret_of(self) -> Unit:
        """What ``regret_at_most`` and ``tolerance`` are fractions of: ``value``, ``learned`` or ``error``."""
        return "value" if self.measure is None else self.measure.unit

    @property
    def resolved(self) -> bool:
        """Whether the bound on regret is within the tolerance and the choice lies inside its bracket."""
        bounded = self.regret_at_most is not None and self.regret_at_most <= self.tolerance
        return bounded and isinstance(self.ending, Bracketed)

    @property
    def chosen_row(self) -> Row | None:
        """The chosen candidate's row."""
        return next((row for row in self.rows if row.value == self.chosen), None)

    @property
    def bracket(self) -> tuple[float | None, float | None]:
        """The worse values that close either side of the chosen one; None where the ladder ends, or nothing was."""
        chosen = self.chosen_row
        if chosen is None:
            return (None, None)
        below = chosen.rung - 1
        if (
            isinstance(self.ending, Bracketed)
            and self.ending.rung == chosen.rung
            and self.ending.below is not None
        ):
            below = self.ending.below
        beside = {row.rung: row.value for row in self.rows}
        return beside.get(below), beside.get(chosen.rung + 1)


def verdict_name(ending: Ending) -> str:
    """Give an ending in one word: ``bracketed``, ``at_limit``, ``none_learned`` or ``trained``."""
    match ending:
        case Bracketed():
            return "bracketed"
        case AtLimit():
            return "at_limit"
        case NoneLearned():
            return "none_learned"
        case Trained():
            return "trained"
