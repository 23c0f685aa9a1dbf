"""One run from task to chosen values: checks, opens the study, trains, reports, exports."""

import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from rich.console import Console

from lrsearch import studies
from lrsearch.coordinator import Coordinator, Ended, Event
from lrsearch.errors import StudyNotFoundError, TrainingError
from lrsearch.ports import Engine
from lrsearch.report.export import chosen, write_yaml
from lrsearch.report.progress import Progress
from lrsearch.searches import SearchState, survey
from lrsearch.studies import Place, Study
from lrsearch.task import Task
from lrsearch.task.fingerprint import Identity, fingerprint, identity_of
from lrsearch.trial import Failed

EngineName = Literal["ray", "inline"]


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the run stops as at Ctrl-C, with another exit status."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What this run took, of all that is on record."""

    wall_seconds: float
    training_seconds: float
    """Summed over the replicas that this run ended."""
    workers: int
    replicas: int

    @property
    def floor_seconds(self) -> float:
        """The wall time if the workers had done nothing but train."""
        return self.training_seconds / max(1, self.workers)

    def as_dict(self) -> dict[str, float]:
        """Give it as JSON has it."""
        return {
            "wall_seconds": round(self.wall_seconds, 3),
            "training_seconds": round(self.training_seconds, 3),
            "workers": self.workers,
            "replicas": self.replicas,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went: what it chose, where each search stands, the files it wrote."""

    chosen: dict[str, Any]
    states: tuple[SearchState, ...]
    cost: Cost
    files: tuple[Path, ...]

    @property
    def resolved(self) -> bool:
        """Whether every search's verdict is resolved."""
        return all(state.verdict is not None and state.verdict.resolved for state in self.states)


def run(
    task: Task,
    place: Place,
    engine: EngineName = "ray",
    address: str | None = None,
    only: frozenset[str] | None = None,
    console: Console | None = None,
    started: float | None = None,
) -> Result:
    """Search, or go on where the study stands; then write the report and the chosen values.

    Args:
        task: what to search.
        place: where its study lies.
        engine: what trains: Ray Tune, or this process.
        address: of a running Ray cluster.
        only: entries to search, with those that they share values from.
        console: where progress is shown; nowhere if None.
        started: when the run began, by ``time.perf_counter``.

    Raises:
        UsageError: the task, its workload, its data or the study cannot be used; nothing was written.
        TrainingError: trainings failed; what had ended is kept.
        KeyboardInterrupt: it was interrupted; what had ended is kept.
    """
    started = time.perf_counter() if started is None else started
    identity = identity_of(task)
    if not _finished(task, place, identity):
        from lrsearch.training.preflight import check_trains

        check_trains(task)
    from lrsearch.store.optuna import open_store

    store = open_store(task, identity, place.url, place.lock)
    try:
        tally = _Tally()
        progress = Progress(task, console or Console(quiet=True))

        def observe(event: Event) -> None:
            tally(event)
            progress(event)

        coordinator = Coordinator(task, store, only, observe)
        runner = make_engine(engine, place, address)
        with progress.following(coordinator, workers=lambda: runner.workers), _terminable():
            runner.run(task, coordinator)
    finally:
        store.close()
    if problem := failures(task, coordinator.states):
        raise TrainingError(problem)
    # With --only, what earlier runs found for other entries stays in the report and the chosen values.
    states = tuple(survey(task, coordinator.trials).values())
    content = chosen(task, states if only is None else ended(states), made_with(task), fingerprint(identity))
    files = write_results(task, place, states, content)
    cost = Cost(time.perf_counter() - started, tally.seconds, max(1, runner.workers), tally.replicas)
    return Result(content, states, cost, files)


def failures(task: Task, states: Iterable[SearchState]) -> str | None:
    """Say in one line what failed, or None."""
    failed = [(state.search, trial) for state in states for trial in state.failures]
    if not failed:
        return None
    search, trial = failed[0]
    assert isinstance(trial.outcome, Failed)
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return (
        f"{search} at {trial.spec.hyperparameters[search.hyperparameter]:g}, seed {trial.spec.seed}, failed: "
        f"{trial.outcome.error.splitlines()[0]}{others}; what had ended is kept; mend it, then go on with: "
        f"lrsearch resume {task.name}"
    )


def ended(states: Iterable[SearchState]) -> tuple[SearchState, ...]:
    """Give the searches that have ended."""
    return tuple(state for state in states if state.verdict is not None)


def make_engine(engine: EngineName, place: Place, address: str | None = None) -> Engine:
    """Make what runs trainings; Ray is imported here and not before."""
    if engine == "ray":
        from lrsearch.engine.ray import RayEngine

        return RayEngine(place.checkpoints, address)
    from lrsearch.engine.inline import InlineEngine

    return InlineEngine(place.checkpoints)


def write_results(
    task: Task, place: Place, states: tuple[SearchState, ...], content: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write the pictures and the page, then the chosen values, last: with them the study is complete.

    Returns:
        The page and the chosen values.
    """
    from lrsearch.report.page import write_report  # imports matplotlib

    page, *_ = write_report(place.folder, task, states, content)
    write_yaml(place.chosen, content)
    return (page, place.chosen)


def content_of(study: Study, partial: bool) -> dict[str, Any]:
    """Give the content of a study's chosen.yaml.

    Raises:
        UnfinishedError: it has not ended and ``partial`` is False.
    """
    return chosen(
        study.task, study.states.values(), made_with(study.task), study.fingerprint, partial=partial
    )


def made_with(task: Task) -> dict[str, str]:
    """Give the versions that matter, the device and the time."""
    return {
        **{package: version(package) for package in ("torch", "ray", "optuna")},
        "device": "gpu" if task.resources.gpus else "cpu",
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


@dataclass
class _Tally:
    """Adds up the replicas that this run ended."""

    seconds: float = 0.0
    replicas: int = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Ended):
            self.seconds += event.trial.seconds
            self.replicas += 1


def _finished(task: Task, place: Place, identity: Identity) -> bool:
    """Whether the study has nothing left to train for this task, so that the workload need not be tried."""
    try:
        study = studies.read(place)
    except StudyNotFoundError:
        return False
    return study.finished and study.fingerprint == fingerprint(identity) and study.task.text == task.text


@contextmanager
def _terminable() -> Iterator[None]:
    """While it lasts, SIGTERM stops the run as Ctrl-C does."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
