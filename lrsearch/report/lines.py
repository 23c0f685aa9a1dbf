"""The progress of a run as plain lines: for logs, where nothing can be drawn over."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console

from lrsearch.coordinator import Concluded, Ended, Event, Noted, Started
from lrsearch.report.board import Followed
from lrsearch.report.findings import Finding, Mark, findings, last_line
from lrsearch.report.numbers import clock_text, count_text, spread_text, value_text
from lrsearch.report.remaining import trainings_ended, trainings_left
from lrsearch.report.sentences import sentence
from lrsearch.searches import SearchState, chosen_values, state_of
from lrsearch.strategies import Launch
from lrsearch.task.model import Compared, Task
from lrsearch.trial import Failed, SearchId, Trial


@dataclass
class Lines:
    """Prints a line, with the time since the beginning, for what is worth one.

    That is: each search as it begins, each candidate once nothing more of it is wanted for now, each failure, each
    verdict.
    """

    task: Task
    console: Console
    coordinator: Followed
    clock: Callable[[], float]
    _began: float = field(init=False)
    _begun: set[SearchId] = field(init=False, default_factory=set)
    _said: set[str] = field(init=False, default_factory=set)

    def begin(self) -> None:
        """Start the time and say which searches had ended before."""
        self._began = self.clock()
        for state in self.coordinator.states:
            if state.verdict is not None:
                self._print(sentence(self.task, state))

    def __call__(self, event: Event) -> None:
        """Print what happened, if it is worth a line."""
        match event:
            case Started(trial=trial) if trial.spec.search not in self._begun:
                self._begun.add(trial.spec.search)
                self._print(self._beginning(self._state(trial.spec.search), trial))
            case Ended(trial=trial):
                self._ended(trial)
            case Concluded(verdict=verdict):
                self._print(sentence(self.task, self._state(verdict.search)))
            case Noted(line=line):
                self._print(line)
            case _:
                pass

    def _beginning(self, state: SearchState, trial: Trial) -> str:
        left = count_text(trainings_left(self.task, state), "training")
        earlier = trainings_ended(state)
        if earlier or trial.curve:
            ended = f", {count_text(earlier, 'training')} ended before" if earlier else ""
            return f"{state.search}: goes on{ended}, at least {left} to go"
        start = value_text(state.searched.guess)
        length = f"{self.task.budget.iterations} iterations"
        if isinstance(state.searched, Compared):
            return f"{state.search.entry}: {left} of {length} each, at {start}"
        return f"{state.search}: searched from {start}, at least {left} of {length} each"

    def _ended(self, trial: Trial) -> None:
        state = self._state(trial.spec.search)
        value = value_text(state.searched.ladder.value(trial.spec.rung))
        if isinstance(trial.outcome, Failed):
            error = last_line(trial.outcome.error)
            self._print(f"{state.search} = {value}: seed {trial.spec.seed} failed: {error}")
            return
        if isinstance(state.searched, Compared):
            return  # with its last seed it is said how all ended
        # The coordinator tells of an end before it works out where the search stands after it.
        trials = [*(known for known in state.trials if known.id != trial.id), trial]
        others = {known.search: known for known in self.coordinator.states if known.search != state.search}
        after = state_of(self.task, state.search, trials, chosen_values(others.values()))
        finding = next(f for f in findings(self.task, after) if f.rung == trial.spec.rung)
        diverged = finding.mark is Mark.DIVERGED
        if finding.mark is Mark.FAILED or not (diverged or _at_rest(after, finding)):
            return
        line = f"{state.search} = {value}: {_result(finding)}"
        # Of one that diverged, or was stopped, more seeds end after it has been said.
        said = f"{state.search} = {value}: diverged" if diverged else line
        if said not in self._said:
            self._said.add(said)
            self._print(line)

    def _state(self, search: SearchId) -> SearchState:
        return next(state for state in self.coordinator.states if state.search == search)

    def _print(self, line: str) -> None:
        elapsed = clock_text(self.clock() - self._began)
        self.console.print(f"{elapsed}  {line}", markup=False, highlight=False, soft_wrap=True)


def _at_rest(state: SearchState, finding: Finding) -> bool:
    """Whether nothing of a candidate runs, nor is it to be trained on as far as is known."""
    wanted = state.decision.replicas if isinstance(state.decision, Launch) else ()
    return not finding.running and all(rung != finding.rung for rung, _ in wanted)


def _result(finding: Finding) -> str:
    if finding.mark is Mark.DIVERGED or finding.mean is None:
        why = f", {finding.skipped.reason}" if finding.skipped and not finding.mark.dead else ""
        return f"{finding.words}{why}"
    result = f"{spread_text(finding.mean, finding.std)} over {count_text(finding.whole, 'seed')}"
    return f"{finding.words}, ended at {result}" if finding.mark is Mark.DID_NOT_LEARN else result
