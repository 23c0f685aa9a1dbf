"""A store that lives as long as the process: the port in its plainest form, which the tests compare others with."""

from dataclasses import replace

from lrsearch.store.record import with_evaluation
from lrsearch.task.model import RangeTest
from lrsearch.trial import Curve, Evaluation, Outcome, SearchId, Trial, TrialSpec


class MemoryStore:
    """Keeps trials in a dictionary."""

    def __init__(self) -> None:
        self._trials: dict[str, Trial] = {}
        self._range_tests: dict[SearchId, RangeTest] = {}

    def trials(self) -> tuple[Trial, ...]:
        """Give all trials, oldest first."""
        return tuple(self._trials.values())

    def create(self, spec: TrialSpec) -> str:
        """Add a new trial and give its id."""
        number = sum(trial.spec.search == spec.search for trial in self._trials.values())
        trial = Trial(id=f"{spec.search}/{number}", spec=spec)
        self._trials[trial.id] = trial
        return trial.id

    def report(self, trial: str, evaluation: Evaluation) -> None:
        """Add an evaluation to a running trial; one at the same iteration replaces it."""
        self._trials[trial] = with_evaluation(self._trials[trial], evaluation)

    def end(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> None:
        """End a trial with its whole curve. The first outcome stays."""
        if not self._trials[trial].ended:
            self._trials[trial] = replace(self._trials[trial], outcome=outcome, curve=curve, seconds=seconds)

    def range_tests(self) -> dict[SearchId, RangeTest]:
        """Give the range tests on record, by search."""
        return dict(self._range_tests)

    def keep_range_test(self, search: SearchId, test: RangeTest) -> None:
        """Write down the range test of a search."""
        self._range_tests[search] = test

    def close(self) -> None:
        """Nothing to let go of."""
