"""One run from task to chosen values: checks, opens the study, trains, reports, exports."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from lrsearch import streams, studies, users_code
from lrsearch.coordinator import Coordinator, Ended, Event
from lrsearch.engine.local import LocalRay
from lrsearch.engine.uncollected import uncollected
from lrsearch.errors import StudyNotFoundError, TrainingError
from lrsearch.guards import Terminated, Termination, check_address, nothing_left_behind, writable
from lrsearch.plan import searches_of
from lrsearch.ports import Engine
from lrsearch.report.comparison import comparison
from lrsearch.report.export import chosen
from lrsearch.report.numbers import and_text, value_text
from lrsearch.report.progress import Progress
from lrsearch.results import made_with, reconsidered, results_of
from lrsearch.searches import SearchState, survey
from lrsearch.starts import propose_starts, with_scaled_starts
from lrsearch.studies import Place, Study
from lrsearch.task import Task
from lrsearch.task.fingerprint import (
    fingerprint,
    identity_of,
    prepared,
    shown_when_tried,
    with_data,
)
from lrsearch.task.stale import check_current
from lrsearch.trial import Failed, SearchId

EngineName = Literal["ray", "inline"]
_UNSEEN = "give the search another name after one"


@dataclass(frozen=True, slots=True)
class Cost:
    """What this run took, of all that is on record."""

    wall_seconds: float
    training_seconds: float
    """Summed over the replicas that this run ended."""
    workers: int
    replicas: int

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
    """How a run went: what it chose, where each search stands, the files it wrote or left as they were.

    ``searches`` are those that the run was for; with ``only`` there may be more among the states.
    """

    chosen: dict[str, Any]
    states: tuple[SearchState, ...]
    searches: frozenset[SearchId]
    cost: Cost
    files: tuple[Path, ...]

    @property
    def comparison(self) -> tuple[str, ...]:
        """What a comparison found, a sentence a pair; nothing of a search."""
        return tuple(pair["verdict"] for pair in self.chosen.get("pairs", {}).values())

    @property
    def resolved(self) -> bool:
        """Whether the verdict of every search that the run was for is resolved."""
        own = (state for state in self.states if state.search in self.searches)
        return all(state.verdict is not None and state.verdict.resolved for state in own)


def run(
    task: Task,
    place: Place,
    engine: EngineName = "ray",
    address: str | None = None,
    only: frozenset[str] | None = None,
    console: Console | None = None,
    started: float | None = None,
    working_dir: Path | None = None,
    fork_of: Place | None = None,
    show_output: bool = False,
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
        working_dir: the folder that is sent to the machines of a cluster; the task's own if None.
        fork_of: where the study lies from which what is still valid is taken over.
        show_output: whether to show, on standard error, what the trainings print.

    Raises:
        LeaseLostError: another run took the study over, as this one was taken for dead; what had ended is kept.
        StorageError: the study's storage went away; what had ended is kept.
        UsageError: the task, its workload, its data or the study cannot be used; nothing was written.
        TrainingError: trainings failed; what had ended is kept.
        KeyboardInterrupt: it was interrupted; what had ended is kept. Its argument is the
            place of the study, if there is one to go on with.
    """
    started = time.perf_counter() if started is None else started
    searches = searches_of(task, only)
    tally = _Tally()
    with streams.kept(), Termination() as termination:
        try:
            with_scaled_starts(
                task, searches, place
            )  # what is wrong with them shows before anything is written
            task = prepared(task)
            check_current(task.code.files if task.code is not None else {})
            finished = _finished(task, place)
            with _starting(engine, address) if finished is None else nullcontext() as local:
                unwatched = None
                if finished is None:
                    with uncollected():
                        task, unwatched = _tried(task, place, engine, address)
                else:
                    task = replace(task, identity=finished.identity)
                termination.check()
                make = partial(make_engine, engine, place, address, working_dir, local)
                with nothing_left_behind(place.folder, lambda: tally.begun):
                    task, coordinator, workers = _search(
                        task, place, make, only, console, tally, termination, fork_of, unwatched, show_output
                    )
            if problem := failures(coordinator.states):
                raise problem
            # With --only, what earlier runs found for other entries stays in the report and the chosen values.
            states = tuple(survey(task, coordinator.trials).values())
            of_interest = states if only is None else ended(states)
            before = finished if finished is not None and not tally.begun else studies.read(place)
            made = made_with(task, identity_of(task), before.worked_at)
            if task.comparison is None:
                content = chosen(task, of_interest, made, fingerprint(identity_of(task)))
            else:
                content = comparison(task, states, made, fingerprint(identity_of(task)))
            content, files = results_of(task, place, states, content)
        except TrainingError as error:
            if log := users_code.log_of(place.logs, error.trial):
                error.args = (f"{error}; what it printed is in {place.folder / users_code.LOGS / log.name}",)
            raise
        except KeyboardInterrupt as interrupt:
            # Tune raises one of its own in place of ours.
            raise (termination.came or type(interrupt))(*[place] * place.exists()) from interrupt
    cost = Cost(time.perf_counter() - started, tally.seconds, workers, tally.replicas)
    return Result(content, states, frozenset(searches), cost, files)


def failures(states: Iterable[SearchState]) -> TrainingError | None:
    """Make the error that says in one line what failed; None if nothing did."""
    failed = [(state.search, trial) for state in states for trial in state.failures]
    if not failed:
        return None
    search, trial = failed[0]
    assert isinstance(trial.outcome, Failed)
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    first, *traceback = trial.outcome.error.splitlines()
    return TrainingError(
        f"{search} at {value_text(trial.spec.hyperparameters[search.hyperparameter])}, seed {trial.spec.seed}, "
        f"failed: {first}{others}; what had ended is kept; mend the cause and run it again",
        "\n".join(traceback),
        trial.id,
    )


def ended(states: Iterable[SearchState]) -> tuple[SearchState, ...]:
    """Give the searches that have ended."""
    return tuple(state for state in states if state.verdict is not None)


def make_engine(
    engine: EngineName,
    place: Place,
    address: str | None = None,
    working_dir: Path | None = None,
    local: LocalRay | None = None,
) -> Engine:
    """Make what runs trainings; Ray Tune is imported here and not before."""
    if engine == "ray":
        if local is not None:
            local.wait()  # modules of Ray import each other: not in two threads
        from lrsearch.engine.ray import RayEngine

        data = os.environ.get("LRSEARCH_DATA")
        stays = [path.absolute() for path in (place.root, place.folder, *([Path(data)] if data else []))]
        return RayEngine(place.checkpoints, address, working_dir, stays, local)
    from lrsearch.engine.inline import InlineEngine

    return InlineEngine(place.checkpoints)


@contextmanager
def _starting(engine: EngineName, address: str | None) -> Iterator[LocalRay | None]:
    """Ray of this machine, started while the task is tried and the study opened; None where there is none to start.

    What is wrong with the task is said at once, and Ray stops when it has started.
    """
    if engine != "ray" or address is not None or _runs_already():
        yield None
        return
    local = LocalRay()
    try:
        yield local
    finally:
        local.stop(wait=False)


def _runs_already() -> bool:
    """Whether Ray runs in this process, as in a test or a notebook: it is used as it is."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


@dataclass
class _Tally:
    """Adds up the replicas that this run ended, and knows whether any began."""

    seconds: float = 0.0
    replicas: int = 0
    begun: bool = False

    def __call__(self, event: Event) -> None:
        self.begun = True
        if isinstance(event, Ended):
            self.seconds += event.trial.seconds
            self.replicas += 1


def _search(
    task: Task,
    place: Place,
    make: Callable[[], Engine],
    only: frozenset[str] | None,
    console: Console | None,
    tally: _Tally,
    termination: Termination,
    fork_of: Place | None,
    unwatched: str | None,
    show_output: bool,
) -> tuple[Task, Coordinator, int]:
    """Open the study and train until the searches have ended.

    Returns:
        The task with every start that was proposed, the coordinator, and how many workers there were.
    """
    from lrsearch.store.optuna import Origin, missing_promises, open_store

    origin = Origin(fork_of.name, fork_of.url) if fork_of is not None else None
    with writable(place.folder):
        store = open_store(task, identity_of(task), place.url, place.lock, origin)
    try:
        console = console or Console(quiet=True)
        unseen = task.code and task.code.unseen
        unnoticed = unseen and f"changes of {and_text(unseen)} are not noticed; {_UNSEEN}"
        taken = store.forked and f"{place.name}: {store.forked}"
        for line in (missing_promises(place.url), taken, store.lacks, unnoticed, unwatched):
            if line:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        if others := store.entries_besides():
            console.print(
                f"{place.name} also holds results of {and_text(others)}, not searched this time: the report and "
                "chosen.yaml leave them out; another name (name=... in Python) keeps both",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        task = propose_starts(task, store, searches_of(task, only), console, termination.check)
        progress = Progress(task, console)

        def observe(event: Event) -> None:
            tally(event)
            progress(event)
            termination.check()

        coordinator = Coordinator(task, store, only, observe)
        for line in reconsidered(place, coordinator.states):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        # Where nothing is left to train, neither torch nor Ray is imported.
        with uncollected():
            runner = None if coordinator.done() else make()
        shown = streams.shown(place.logs, progress.show_output) if show_output else nullcontext()
        with progress.following(coordinator, workers=lambda: runner.workers if runner else 1), shown:
            if runner is not None:
                runner.run(task, coordinator)
        store.make_sure()  # the checkpoints would be another's
        # Whatever was handed out has ended: nothing will go on from what a worker left that died too often.
        shutil.rmtree(place.checkpoints, ignore_errors=True)
    except SystemExit as leaving:
        # SIGTERM fell between Ray's start, with its own handler, and the first training.
        if leaving.code == signal.SIGTERM:
            raise Terminated from leaving
        raise
    except Exception as error:
        # Tune raises one of its own in place of ours.
        if store.broken is not None and error is not store.broken:
            raise store.broken from error
        raise
    finally:
        users_code.remove_empty(place.logs)
        store.close()
    return task, coordinator, max(1, runner.workers) if runner else 1


def _tried(task: Task, place: Place, engine: EngineName, address: str | None) -> tuple[Task, str | None]:
    """Try what a run needs before anything is written.

    Returns:
        The task with the data sets that its workloads read in its identity; and a line on the files that it reads and
        does not watch, if there are any.
    """
    from lrsearch import datasets
    from lrsearch.training.device import training_device
    from lrsearch.training.opened import noting_opened, unwatched, unwatched_line
    from lrsearch.training.preflight import check_trains

    if engine == "ray" and address is not None:
        check_address(address)
    else:
        training_device(task)
    with datasets.noting() as read, noting_opened() as opened:
        tried = check_trains(task)
    identity = with_data(identity_of(task), ((data.name, data.summary, data.content) for data in read)) | tried.shown
    files = unwatched(task, opened, [place.root, *(path for data in read for path in data.paths)])
    return replace(task, identity=identity), unwatched_line(task, files) if files else None


def _finished(task: Task, place: Place) -> Study | None:
    """Give the study if it has nothing left to train for this task: its workload need not be tried."""
    try:
        study = studies.read(place)
    except StudyNotFoundError:
        return None
    if not study.tried and (task.trained_by == "loop" or any(":" in e.optimizer for e in task.entries.values())):
        return None  # it is from before what these do was on record
    # What the data holds is known only once it is read; the study says what it was trained on.
    same = identity_of(task) | shown_when_tried(study.identity) == study.identity
    return study if study.finished and same and study.task.text == task.text else None
