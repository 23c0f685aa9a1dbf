"""The two ports: where results are kept (``Store``) and what runs trainings (``Engine``)."""

from collections.abc import Mapping
from typing import Any, Protocol

from lrsearch.task.model import Task
from lrsearch.task.starts import ProposedStart
from lrsearch.trial import Curve, Evaluation, Outcome, SearchId, Trial, TrialSpec


class Store(Protocol):
    """Keeps trials. One writer at a time; whatever a call has returned from is safe from any crash."""

    def trials(self) -> tuple[Trial, ...]:
        """Give all trials on record, oldest first; those without an outcome did not end."""
        ...

    def create(self, spec: TrialSpec) -> str:
        """Write down a new trial before it is handed out, and give its id."""
        ...

    def report(self, trial: str, evaluation: Evaluation) -> None:
        """Add an evaluation to a running trial; one at the same iteration replaces it."""
        ...

    def end(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> None:
        """End a trial with its whole curve. The first outcome stays: a second is ignored."""
        ...

    def proposed_starts(self) -> Mapping[SearchId, tuple[ProposedStart, ...]]:
        """Give what proposed starts is on record, by search: the newest of each kind.

        A range test is left out that was made of trainings that do not go as they do now.
        """
        ...

    def keep_proposed_start(self, search: SearchId, proposed: ProposedStart) -> None:
        """Write down what proposed the start of a search, so that it is found out once."""
        ...

    def remembered(self, name: str) -> Any:
        """Give what was remembered under a name for this task as it is now; None if nothing was."""
        ...

    def remember(self, name: str, value: Any) -> None:
        """Write down what changes no result and takes time to find out: what JSON holds, in place of what was there."""
        ...

    def close(self) -> None:
        """Let go of the record, so that another writer may open it."""
        ...


class Dispatcher(Protocol):
    """What an engine gets its work from and gives its results to: the coordinator."""

    def ask(self) -> Trial | None:
        """Give the next replica to train, already written down; None when there is none now."""
        ...

    def done(self) -> bool:
        """Whether nothing is running and nothing will be asked for again."""
        ...

    def report(self, trial: str, evaluation: Evaluation, seconds: float = 0.0) -> bool:
        """Record an evaluation of a running replica, and the seconds spent on it so far.

        Returns:
            Whether to go on training it. A replica that is not to go on is on record already: it is not told.
        """
        ...

    def tell(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> bool:
        """Record how a replica ended, with its whole curve.

        Returns:
            Whether it has. One that failed for the first time is asked for again and keeps its checkpoints.

        Raises:
            TrainingError: it failed as one did before: the run ends.
        """
        ...

    def lost(self, trial: str, reason: str) -> None:
        """Say that a replica was cut off (its worker died, it hung, there was no room): it is asked for again, a few
        times, then recorded as failed. ``reason`` is one line, and after it the traceback if there is one."""
        ...

    def remembered(self, name: str) -> Any:
        """Give what an earlier run remembered under a name for this task as it is now; None if nothing."""
        ...

    def remember(self, name: str, value: Any) -> None:
        """Keep with the study what changes no result and takes time to find out: what JSON holds."""
        ...

    def note(self, line: str) -> None:
        """Tell the user what changes no result: a damaged checkpoint. The same is said once."""
        ...


class Engine(Protocol):
    """Runs replicas until the dispatcher has no more."""

    @property
    def workers(self) -> int:
        """How many replicas train at the same time; known once ``run`` has begun."""
        ...

    def run(self, task: Task, dispatcher: Dispatcher) -> None:
        """Train what the dispatcher asks for until it is done.

        Raises:
            KeyboardInterrupt: the user interrupted; nothing half-trained was told.
        """
        ...
