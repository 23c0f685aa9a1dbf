"""What a strategy may decide, and how a search may end: one type each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from lrsearch.strategies.standing import Standing
from lrsearch.trial import Trial


class Cause(Enum):
    """What keeps every rate of a ladder from learning, where the trainings show it."""

    ALIKE = "alike"
    """All candidates were the same to the last bit: the value is not used."""
    WRONG_MODE = "wrong mode"
    """The metric moves smoothly the other way."""
    TURNS_BACK = "turns back"
    """The metric is better in between than at the beginning and at the end."""
    NOT_FINITE = "not finite"
    """The metric improves, and is not finite from the same evaluation on, whatever the rate."""
    TOO_SHORT = "too short"
    """One rung is too slow for the budget, and the next one too bold."""


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Candidates on both sides of the best one have ended and are worse, or lie beyond a closed end.

    ``below`` is the one that closes the lower side, where those between it and the best were too bold to do so.
    """

    rung: int
    below: int | None = None


@dataclass(frozen=True, slots=True)
class AtLimit:
    """The best candidate lies at a limit, or all below it down to the limit was too bold: what is beyond is unknown."""

    rung: int
    side: Literal["lowest", "highest"]


@dataclass(frozen=True, slots=True)
class NoneLearned:
    """No candidate learned: every one within the limits was trained, or there is a ``cause`` that no rate cures."""

    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """The one candidate was trained with all its seeds; nothing was chosen, as nothing was searched."""

    rung: int = 0


Ending = Bracketed | AtLimit | NoneLearned | Trained


@dataclass(frozen=True, slots=True)
class Launch:
    """Train these replicas, ``(rung, seed)``, the most wanted first; as many at once as there is room for."""

    replicas: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """End these running replicas, each by its trial's id and with the reason; then decide again.

    A reason names another candidate as ``{RUNG}``: whoever knows the ladder puts its value there.
    """

    replicas: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to launch until a running replica ends."""


@dataclass(frozen=True, slots=True)
class Done:
    """The search is over."""

    ending: Ending


Decision = Launch | Stop | Wait | Done


@dataclass(frozen=True, slots=True)
class Skip:
    """What of a candidate need not be trained, and why."""

    rung: int
    seeds: tuple[int, ...]
    """Seeds that were not begun, or were ended before their budget."""
    reason: str
    """As in ``Stop``."""


class Strategy(Protocol):
    """Decides what a search does next. Its state is a function of the history, so resuming is the same call."""

    def decide(self, trials: Sequence[Trial]) -> Decision:
        """Decide from all trials of one search, running ones with their curves so far."""
        ...

    def decided(self, trials: Sequence[Trial]) -> dict[int, Standing]:
        """Return how the candidates stand that are decided."""
        ...

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Say what was not trained of the candidates that the search has begun, lowest rung first."""
        ...
