"""A store that lives as long as the process: the port in its plainest form, which the tests compare others with."""

from collections import Counter
from dataclasses import replace
from typing import Any

from lrsearch.store.record import with_evaluation
from lrsearch.task.starts import ProposedStart
from lrsearch.trial import Curve, Evaluation, Outcome, SearchId, Trial, TrialSpec


class MemoryStore:
    """Keeps trials in a dictionary."""

    def __init__(self) -> None:
        self._trials: dict[str, Trial] = {}
        self._created: Counter[SearchId] = Counter()
        self._remembered: dict[str, Any] = {}
        self._proposed: dict[SearchId, dict[type, ProposedStart]] = {}

    def trials(self) -> tuple[Trial, ...]:
        """Give all trials, oldest first."""
        return tuple(self._trials.values())

    def create(self, spec: TrialSpec) -> str:
        """Add a new trial and give its id."""
        trial = Trial(id=f"{spec.search}/{self._created[spec.search]}", spec=spec)
        self._created[spec.search] += 1
        self._trials[trial.id] = trial
        return trial.id

    def report(self, trial: str, evaluation: Evaluation) -> None:
        """Add an evaluation to a running trial; one at the same iteration replaces it."""
        self._trials[trial] = with_evaluation(self._trials[trial], evaluation)

    def end(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> None:
        """End a trial with its whole curve. The first outcome stays."""
        if not self._trials[trial].ended:
            self._trials[trial] = replace(self._trials[trial], outcome=outcome, curve=curve, seconds=seconds)

    def proposed_starts(self) -> dict[SearchId, tuple[ProposedStart, ...]]:
        """Give what proposed starts is on record, by search: the newest of each kind."""
        return {search: tuple(by_kind.values()) for search, by_kind in self._proposed.items()}

    def keep_proposed_start(self, search: SearchId, proposed: ProposedStart) -> None:
        """Write down what proposed the start of a search."""
        self._proposed.setdefault(search, {})[type(proposed)] = proposed

    def remembered(self, name: str) -> Any:
        """Give what was remembered under a name; None if nothing was."""
        return self._remembered.get(name)

    def remember(self, name: str, value: Any) -> None:
        """Keep something under a name."""
        self._remembered[name] = value

    def close(self) -> None:
        """Nothing to let go of."""
