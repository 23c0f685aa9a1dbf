"""How long the rest of a run takes, at the least, from how fast its trainings have been."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from lrsearch.trial import SearchId, Trial


class Pace:
    """Measures seconds per iteration, for each search apart: optimizers differ in cost.

    Trainings that have ended count with the time that they say they took. Until one has, the time between the
    start and the latest evaluation of those that run stands in.
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self._seconds: defaultdict[SearchId, float] = defaultdict(float)
        self._iterations: defaultdict[SearchId, int] = defaultdict(int)
        self._begun: dict[str, tuple[float, int]] = {}
        self._running: dict[str, tuple[SearchId, float]] = {}
        for trial in trials:
            self.ended(trial)

    def started(self, trial: Trial, now: float) -> None:
        """Note that a training begins, or goes on from its latest evaluation."""
        self._begun[trial.id] = (now, trial.curve[-1].iteration if trial.curve else 0)

    def evaluated(self, trial: Trial, now: float) -> None:
        """Note how far a running training has come."""
        begun, iteration = self._begun.get(trial.id, (now, 0))
        if trial.curve and trial.curve[-1].iteration > iteration:
            rate = (now - begun) / (trial.curve[-1].iteration - iteration)
            self._running[trial.id] = (trial.spec.search, rate)

    def ended(self, trial: Trial) -> None:
        """Note the time that a training took."""
        self._running.pop(trial.id, None)
        if trial.seconds > 0 and trial.curve and trial.curve[-1].iteration > 0:
            self._seconds[trial.spec.search] += trial.seconds
            self._iterations[trial.spec.search] += trial.curve[-1].iteration

    def seconds_per_iteration(self, search: SearchId) -> float | None:
        """Give the pace of a search, or of all before it has one; None before anything was measured."""
        if self._iterations[search]:
            return self._seconds[search] / self._iterations[search]
        running = [*self._running.values()]
        own = [rate for of, rate in running if of == search]
        if own:
            return sum(own) / len(own)
        if total := sum(self._iterations.values()):
            return sum(self._seconds.values()) / total
        return sum(rate for _, rate in running) / len(running) if running else None

    def seconds_left(self, iterations: Mapping[SearchId, int], workers: int) -> float | None:
        """Estimate how long so many iterations of each search take; None before anything was measured."""
        seconds = 0.0
        for search, left in iterations.items():
            rate = self.seconds_per_iteration(search)
            if left and rate is None:
                return None
            seconds += left * (rate or 0.0)
        return seconds / max(1, workers)
