"""The only place where a decision becomes a trial: asks the strategies, writes to the store, feeds the engine."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lrsearch.errors import TrainingError
from lrsearch.ports import Store
from lrsearch.searches import (
    SearchState,
    alike_text,
    below_bound,
    chosen_values,
    in_values,
    needed_by,
    state_of,
)
from lrsearch.strategies import Launch, Stop
from lrsearch.task.model import Task
from lrsearch.trial import (
    NOT_FINITE_AT_FIRST,
    Curve,
    Diverged,
    Evaluation,
    Failed,
    Outcome,
    SearchId,
    Stopped,
    Trial,
    TrialSpec,
)
from lrsearch.verdict import Verdict, outside_share

LEFT_OVER = "the search ended without it"
"""Why a replica is stopped that no candidate needs any more."""


@dataclass(frozen=True, slots=True)
class Started:
    """A replica was handed out; one with evaluations on record goes on where it stopped."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A running replica was evaluated."""

    trial: Trial
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Ended:
    """A replica ended."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Concluded:
    """A search ended."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that the user should know, and that changes no result."""

    line: str


Event = Started | Evaluated | Ended | Concluded | Noted
Observer = Callable[[Event], None]


class Coordinator:
    """Hands out replicas one by one as the strategies want them, and records what becomes of them.

    Args:
        task: what to search.
        store: where trials are kept; its history decides where the searches stand.
        only: entries to search, with those that they share values from; all if None.
        observer: told of everything that happens, after it is on record.
    """

    def __init__(
        self,
        task: Task,
        store: Store,
        only: frozenset[str] | None = None,
        observer: Observer = lambda event: None,
    ) -> None:
        self._task = task
        self._store = store
        self._observer = observer
        self._order = needed_by(task, task.entries if only is None else only)
        self._ended: defaultdict[SearchId, dict[str, Trial]] = defaultdict(dict)
        self._running: dict[str, Trial] = {}
        self._unfinished: dict[str, Trial] = {}
        self._failures: Counter[str] = Counter()
        self._failed_at: dict[tuple[str, ...], str] = {}
        self._noted: set[str] = set()
        self._states: dict[SearchId, SearchState] = {}
        self._outdated: set[SearchId] = set(self._order)
        """The searches whose trials have changed, or what they wait for, since it was worked out where they stand."""
        for trial in store.trials():
            # A replica that failed in an earlier run is trained again: the cause may be mended.
            if isinstance(trial.outcome, Failed):
                continue
            if trial.ended:
                self._ended[trial.spec.search][trial.id] = trial
            else:
                self._unfinished[trial.id] = trial
        self._refresh(announce=False)
        for state in self._states.values():
            self._check_bound(state.trials)

    @property
    def states(self) -> tuple[SearchState, ...]:
        """Where each search stands, in the order in which they may run."""
        return tuple(self._states.values())

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial that has ended, of all searches on record."""
        return tuple(trial for trials in self._ended.values() for trial in trials.values())

    @property
    def running(self) -> tuple[Trial, ...]:
        """The replicas that are handed out and have not ended."""
        return tuple(self._running.values())

    def ask(self) -> Trial | None:
        """Give the next replica to train, already written down; None when there is none now."""
        while (spec := self._next_spec()) is not None:
            trial = self._interrupted(spec) or Trial(id=self._store.create(spec), spec=spec)
            self._running[trial.id] = trial
            self._outdated.add(spec.search)
            # With the curve that it has from before, it may itself end its search, or be stopped.
            self._refresh()
            if trial.id in self._running:
                self._observer(Started(trial))
                return trial
        return None

    def done(self) -> bool:
        """Whether nothing is running and nothing will be asked for again."""
        return not self._running and next(self._wanted(), None) is None

    def report(self, trial: str, evaluation: Evaluation, seconds: float = 0.0) -> bool:
        """Record an evaluation of a running replica; give whether to go on training it.

        Raises:
            TrainingError: the metric is below ``metric.lower_bound``, or no accuracy as ``metric.kind`` says; the run
                ends.
        """
        before = self._running.get(trial)
        if before is None:
            return False  # it was stopped for what another replica reported
        curve = (*(e for e in before.curve if e.iteration < evaluation.iteration), evaluation)
        self._store.report(trial, evaluation)
        self._running[trial] = replace(before, curve=curve, seconds=seconds)
        self._check_bound([self._running[trial]])
        self._observer(Evaluated(self._running[trial], evaluation))
        # Only a race looks at trainings that go on; after the last evaluation the outcome follows.
        if self._task.settings.race and evaluation.iteration < self._task.budget.iterations:
            self._outdated.add(before.spec.search)
            self._refresh(of=before.spec.search)
        return trial in self._running

    def tell(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> bool:
        """Record how a replica ended, and let its search and those that share its value go on.

        Returns:
            Whether it has ended: one that failed is asked for again, as ``lost`` says.

        Raises:
            TrainingError: it failed just as a training did before, so all will; the run ends.
        """
        if trial not in self._running:
            return True  # it was stopped before this came
        if outcome == Diverged(0):
            outcome = Failed(NOT_FINITE_AT_FIRST)
        if isinstance(outcome, Failed):
            where = _where(outcome.error)
            if (before := self._failed_at.get(where)) is not None:
                failed = self._running[trial]
                self._end(trial, outcome, curve, seconds)
                raise self._same_again(failed, before, outcome)
            self._failed_at[where] = trial
            return self._try_again(trial, outcome.error)
        self._end(trial, outcome, curve, seconds)
        self._refresh()
        return True

    def lost(self, trial: str, reason: str) -> None:
        """Say that a replica was cut off: it is asked for again, a few times, then recorded as failed."""
        if trial in self._running:  # or it was stopped before its worker died
            self._try_again(trial, reason)

    def remembered(self, name: str) -> Any:
        """Give what an earlier run remembered under a name for this task as it is now; None if nothing."""
        return self._store.remembered(name)

    def remember(self, name: str, value: Any) -> None:
        """Keep with the study what changes no result and takes time to find out: what JSON holds."""
        self._store.remember(name, value)

    def note(self, line: str) -> None:
        """Tell the observer a line for the user, once."""
        if line not in self._noted:
            self._noted.add(line)
            self._observer(Noted(line))

    def _try_again(self, trial: str, reason: str) -> bool:
        """Hand a replica out again, or record it as failed if that was done often enough; give whether it ended."""
        self._failures[trial] += 1
        running, often = self._running[trial], self._failures[trial]
        first, *traceback = reason.splitlines() or [""]
        if ended := often > self._task.resources.max_failures:
            first += f" ({often} times)" if often > 1 else ""
            self._end(trial, Failed("\n".join([first, *traceback])), running.curve, running.seconds)
        else:
            self._unfinished[trial] = self._running.pop(trial)
            self._outdated.add(running.spec.search)
            self.note(
                f"{self._named(running)}: {first}; tried again, {often} of {self._task.resources.max_failures} times"
            )
        self._refresh()
        return ended

    def _same_again(self, trial: Trial, before: str, outcome: Failed) -> TrainingError:
        first, *traceback = outcome.error.splitlines()
        again = "when it was tried again" if before == trial.id else "as another before it"
        return TrainingError(
            f"{self._named(trial)}, failed in the same way {again}: {first}; this is no accident, so the run ends; "
            "what had ended is kept; mend the cause and run it again",
            "\n".join(traceback),
            trial.id,
        )

    def _check_bound(self, trials: Iterable[Trial]) -> None:
        """End the run where the metric was below its bound, or is not what the task says that it is.

        What was skipped by the bound was skipped for no reason.
        """
        if (found := below_bound(self._task, trials)) is not None:
            trial, low = found
            at = next(e.iteration for e in trial.curve if e.value == low)
            metric = self._task.metric
            raise TrainingError(
                f"{self._named(trial)}: {metric.name} is {low:.4g} at iteration {at}, below metric.lower_bound, "
                f"{metric.lower_bound:g}; give a bound that holds or leave it out, and run it again; "
                "what had ended is kept"
            )

        if self._task.settings.kind == "accuracy" and (outside := outside_share(trials)) is not None:
            trial, value = outside
            raise TrainingError(
                f"{self._named(trial)}: {self._task.metric.name} is {value:.4g}, no share of right answers (0 to 1, or "
                "0 to 100 in per cent); mend it or leave out metric.kind: accuracy, and run it again; what had ended "
                "is kept"
            )

    def _named(self, trial: Trial) -> str:
        search = trial.spec.search
        return f"{search} at {trial.spec.hyperparameters[search.hyperparameter]:g}, seed {trial.spec.seed}"

    def _wanted(self) -> Iterator[TrialSpec]:
        """What is to be trained now; the searches with the least behind them first, so that all end together."""
        launching = [state for state in self._states.values() if isinstance(state.decision, Launch)]
        for state in sorted(launching, key=lambda state: len(state.trials)):
            assert isinstance(state.decision, Launch)
            assert state.others is not None
            if state.failures:
                continue
            for rung, seed in state.decision.replicas:
                value = {state.search.hyperparameter: state.searched.ladder.value(rung)}
                yield TrialSpec(state.search, rung, seed, {**state.others, **value})

    def _next_spec(self) -> TrialSpec | None:
        """What to train next: what is begun first, as its curve may spare others."""
        begun = [trial.spec for trial in self._unfinished.values()]
        wanted = list(self._wanted()) if begun else []
        return next((spec for spec in wanted if spec in begun), None) or next(self._wanted(), None)

    def _interrupted(self, spec: TrialSpec) -> Trial | None:
        """The trial that an earlier run, or a worker that died, left unfinished for the same training."""
        for trial in self._unfinished.values():
            if trial.spec == spec:
                return self._unfinished.pop(trial.id)
        return None

    def _end(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> None:
        ended = replace(self._running[trial], outcome=outcome, curve=curve, seconds=seconds)
        self._store.end(trial, outcome, curve, seconds)
        del self._running[trial]
        self._ended[ended.spec.search][trial] = ended
        self._outdated.add(ended.spec.search)
        self._observer(Ended(ended))

    def _refresh(self, announce: bool = True, of: SearchId | None = None) -> None:
        """Work out anew where searches stand, as far as anything has changed that this follows from."""
        for search in self._order if of is None else [of]:
            before = self._states.get(search)
            if search not in self._outdated or (before is not None and before.verdict is not None):
                continue
            state = self._update(search)
            self._outdated.discard(search)
            if state.verdict is not None:
                self._outdated |= {other for other, s in self._states.items() if s.waiting_for}
                if announce:
                    self._observer(Concluded(state.verdict))

    def _update(self, search: SearchId) -> SearchState:
        """Decide anew where a search stands, and end what it wants ended, or leaves over when it ends."""
        while True:
            running = {t.id: t for t in self._running.values() if t.spec.search == search}
            trials = [*self._ended[search].values(), *running.values()]
            chosen = chosen_values(self._states.values())
            state = state_of(self._task, search, trials, chosen, self._states.get(search))
            self._states[search] = state
            if state.seeds_alike is not None:
                self.note(f"{search}: {alike_text(state.seeds_alike)}; one seed is trained from here on")
            if isinstance(state.decision, Stop):
                reasons = {t: in_values(reason, state.searched) for t, reason in state.decision.replicas}
            elif state.verdict is not None:
                # An earlier run may have left some unfinished that nothing asks for any more.
                self._running |= {t.id: t for t in self._left_unfinished(search)}
                reasons = {t.id: LEFT_OVER for t in self._running.values() if t.spec.search == search}
            else:
                return state
            if not reasons:
                return state
            for trial, reason in reasons.items():
                stopped = self._running[trial]
                self._end(trial, Stopped(reason), stopped.curve, stopped.seconds)

    def _left_unfinished(self, search: SearchId) -> list[Trial]:
        left = [trial for trial in self._unfinished.values() if trial.spec.search == search]
        for trial in left:
            del self._unfinished[trial.id]
        return left


def _where(error: str) -> tuple[str, ...]:
    """What is the same of two errors with one cause: where they were raised and of which kind, not the message.

    >>> _where("task.py:3 raised ValueError: 0.1\\nTraceback:\\n  File \"task.py\", line 3, in train\\nValueError: 0.1")
    ('task.py:3 raised ValueError', 'File "task.py", line 3, in train')
    """
    first, *traceback = error.splitlines() or [""]
    frames = [line.strip() for line in traceback if line.lstrip().startswith('File "')]
    if not frames:
        return (first,)
    place, raised, what = first.partition(" raised ")
    return (f"{place}{raised}{what.partition(':')[0]}", *frames)
