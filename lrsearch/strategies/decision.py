"""What a strategy may decide, and how a search may end: one type each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from lrsearch.trial import Trial


@dataclass(frozen=True, slots=True)
class Bracketed:
    """The best candidate's neighbours have both ended and are worse, or lie beyond a closed end."""

    rung: int


@dataclass(frozen=True, slots=True)
class AtLimit:
    """The best candidate lies at a limit, so what is beyond it is unknown."""

    rung: int
    side: Literal["lowest", "highest"]


@dataclass(frozen=True, slots=True)
class NoneLearned:
    """Every candidate within the limits was trained and none learned; or all were ``alike``, so there is no choice."""

    alike: bool = False


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

    def decided(self, trials: Sequence[Trial]) -> dict[int, float | None]:
        """Give the mean metric of the candidates that are decided; None for one that can no longer be chosen."""
        ...

    def skips(self, trials: Sequence[Trial]) -> tuple[Skip, ...]:
        """Say what was not trained of the candidates that the search has begun, lowest rung first."""
        ...
