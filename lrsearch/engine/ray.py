"""Runs replicas as Ray Tune trials.

Ray Tune runs what the dispatcher asks for and tells it what came of it; it decides nothing and keeps nothing. Its own
snapshots are never read: each run is a fresh ``Tuner``.
"""

import gc
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# First: it sets what Ray reads when it is imported.
from lrsearch.engine.cluster import check_machines, connected, forget_checkpoints, room_for_workers

# isort: split
import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from lrsearch.engine.driver import Driver, driving
from lrsearch.engine.local import LocalRay
from lrsearch.engine.passing_on import pass_on
from lrsearch.engine.sending import folder_to_send, runtime_env
from lrsearch.engine.worker import PACKINGS, PROGRESS, SIZE, ReplicaTrainable
from lrsearch.errors import TrainingError
from lrsearch.ports import Dispatcher
from lrsearch.task.fingerprint import prepared
from lrsearch.task.model import Task
from lrsearch.training.checkpoint import checkpoint_file, name_of_run, remove_checkpoints, take_over
from lrsearch.training.packs.size import REMEMBERED
from lrsearch.trial import Trial


class RayEngine:
    """Runs replicas on the processors and GPUs of this machine, or of a running Ray cluster.

    Args:
        checkpoints: the folder for checkpoints. Machines that do not have it keep theirs in a folder of their own.
        address: of a running cluster; None starts Ray here and stops it afterwards.
        working_dir: the folder that is sent to the workers of a cluster; the task's own if None.
        left_out: folders in it that are not sent.
        local: Ray of this machine that was begun before; started when there is something to train if None.
    """

    def __init__(
        self,
        checkpoints: Path,
        address: str | None = None,
        working_dir: Path | None = None,
        left_out: Sequence[Path] = (),
        local: LocalRay | None = None,
    ) -> None:
        self._checkpoints = checkpoints.resolve()
        self._address = address
        self._working_dir = working_dir
        self._left_out = left_out
        self._local = local
        self._workers = 0

    @property
    def workers(self) -> int:
        """How many replicas, or packs of them, train at the same time; 0 before Ray has started."""
        return self._workers

    def run(self, task: Task, dispatcher: Dispatcher) -> None:
        """Train what the dispatcher asks for until it is done.

        Raises:
            UsageError: the cluster cannot be reached, has no room for one worker, or one could not work there.
            TrainingError: trainings fail all in the same way.
            KeyboardInterrupt: the user interrupted; nothing half-trained was told.
        """
        if dispatcher.done():
            return
        run = name_of_run()
        checkpoints = take_over(self._checkpoints, run)
        sent = folder_to_send(task, self._working_dir) if self._address else None
        with (
            connected(self._address, runtime_env(sent, self._left_out) if sent else None, self._local),
            tempfile.TemporaryDirectory(prefix="lrsearch-") as scratch,
            driving(prepared(task), self._checkpoints, run, sent) as driver,
        ):
            self._workers = room_for_workers(task)
            sharing = check_machines(driver) if sent is not None else set()
            try:
                self._tuner(driver, dispatcher, checkpoints, Path(scratch)).fit()
            except (KeyboardInterrupt, _RunEndedError) as ending:
                because = ending.because if isinstance(ending, _RunEndedError) else ending
                # In their tracebacks are Tune's actors: they would keep their processors while anybody holds them.
                for error in (ending, because):
                    error.__traceback__ = error.__context__ = None
                gc.collect()
                raise because from None
            if sent is not None and dispatcher.done():
                forget_checkpoints(driver, sharing)

    def _tuner(self, driver: Driver, dispatcher: Dispatcher, checkpoints: Path, scratch: Path) -> tune.Tuner:
        resources = driver.task.resources
        # How large a pack is best a worker tells when it has begun.
        size = (resources.pack or 1) if driver.task.trained_by != "loop" else 1
        searcher = _Asking(dispatcher, size)
        packings = dispatcher.remembered(REMEMBERED) or {}
        folder = Path.cwd() if driver.sent is None else None
        trainable = tune.with_parameters(ReplicaTrainable, driver=driver, packings=packings, folder=folder)
        return tune.Tuner(
            tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": resources.gpus}),
            tune_config=tune.TuneConfig(
                num_samples=-1,
                search_alg=searcher,
                scheduler=_Telling(driver.task, dispatcher, searcher, checkpoints, packings),
                max_concurrent_trials=self._workers,
                reuse_actors=False,  # one serves as long as there is something to train
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[_Watching(searcher, resources.timeout)] if resources.timeout else [],
                # Replicas keep their own.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )


class _RunEndedError(BaseException):
    """Carries what ends the run through Tune, which takes an ``Exception`` for a failure of its own."""

    def __init__(self, because: TrainingError) -> None:
        self.because = because


class _NotInSnapshots:
    """Tune pickles its searcher and scheduler into snapshots, which nobody reads: leave a blank there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return object, ()


class _Asking(_NotInSnapshots, Searcher):
    """Asks the dispatcher for replicas, and Tune for a worker wherever some wait for one.

    Replicas are not bound to the worker that was asked for on their behalf: where a node was lost there is no room to
    start it while the others serve, and these take what waits. Tune calls its methods by keyword: names matter.
    """

    def __init__(self, dispatcher: Dispatcher, size: int) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self.size = size
        """Replicas of a worker, as the last that was heard of has room for."""
        self.running: dict[str, list[str]] = {}
        """Tune's trial ids, of workers that were heard of, to ours."""
        self.hung: dict[str, str] = {}
        """What to say of those whose process was ended because they hung."""
        self._starting: set[str] = set()
        """Tune's trial ids of workers that were not heard of yet."""
        self._waiting: deque[Trial] = deque()

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        return True

    def suggest(self, trial_id: str) -> Any:
        expected = self.size * len(self._starting)
        while len(self._waiting) < expected + self.size and (trial := self._dispatcher.ask()) is not None:
            self._waiting.append(trial)
        if len(self._waiting) <= expected:
            return Searcher.FINISHED if self._dispatcher.done() else None
        self._starting.add(trial_id)
        return {SIZE: self.size}  # Tune wants a configuration; the worker finds its size itself

    def serves(self, trial_id: str) -> bool:
        """Whether there is a worker of this name, or is to be one."""
        return trial_id in self._starting or trial_id in self.running

    def hears(self, trial_id: str) -> list[str] | None:
        """Give what a worker trains, which is nothing at first; None if Tune has ended it."""
        if trial_id in self._starting:
            self._starting.remove(trial_id)
            self.running[trial_id] = []
        return self.running.get(trial_id)

    def asked(self, room: int) -> list[Trial]:
        """Ask for replicas, as many as there is room for."""
        trials: list[Trial] = []
        while len(trials) < room:
            trial = self._waiting.popleft() if self._waiting else self._dispatcher.ask()
            if trial is None:
                break
            trials.append(trial)
        return trials

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        # What ended with an outcome was told by the scheduler; what is left lost its worker.
        because = self.hung.pop(trial_id, "its process ended; there may be no memory left for it")
        lost = self.running.pop(trial_id, [])
        if trial_id in self._starting:
            # Or workers that cannot start would be tried for ever.
            self._starting.remove(trial_id)
            lost = [self._waiting.popleft().id for _ in range(min(self.size, len(self._waiting)))]
        for trial in lost:
            self._dispatcher.lost(trial, because)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the state is the store's."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the state is the store's."""


class _Telling(_NotInSnapshots, FIFOScheduler):
    """Passes results on, and gives workers what comes next. Tune calls the scheduler before all others."""

    def __init__(
        self,
        task: Task,
        dispatcher: Dispatcher,
        searcher: _Asking,
        checkpoints: Path,
        packings: Mapping[str, Any],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._task = task
        self._packings = dict(packings)
        self._dispatcher = dispatcher
        self._searcher = searcher
        self._checkpoints = checkpoints

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        goes_on = self._pass_on(trial, result)
        return str(FIFOScheduler.CONTINUE if goes_on else FIFOScheduler.STOP)

    def _pass_on(self, trial: Any, result: dict[str, Any]) -> bool:
        """Tell the dispatcher what a worker's replicas have come to; give whether the worker goes on with them."""
        running = self._searcher.hears(trial.trial_id)
        if running is None or PROGRESS not in result:
            return True
        self._searcher.size = room = result[SIZE]
        if new := {name: one for name, one in result[PACKINGS] if name not in self._packings}:
            self._packings |= new
            self._dispatcher.remember(REMEMBERED, self._packings)
        gone, spoilt = [], False
        for name, progress in result[PROGRESS]:
            if name not in running:
                continue
            try:
                over = pass_on(self._task, self._dispatcher, name, progress)
            except TrainingError as error:
                raise _RunEndedError(error) from None
            if over is None:
                continue
            running.remove(name)
            spoilt = spoilt or progress.transient
            if over:  # not before its outcome is on record
                gone.append(name)
                remove_checkpoints(checkpoint_file(self._checkpoints, name))
        if spoilt and not running:
            # On to the step in which its process ends: what it lost, a device say, is not lost to the next.
            return True
        came = self._searcher.asked(room - len(running))
        running += [one.id for one in came]
        if came or gone:
            # It comes to the worker before Tune's next call does.
            trial.temporary_state.ray_actor.change.remote(came, gone)
        return bool(running) or not self._dispatcher.done()


class _Watching(_NotInSnapshots, tune.Callback):
    """Ends the processes of replicas that give no evaluation in time. A hung worker cannot end itself."""

    def __init__(
        self, searcher: _Asking, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._searcher = searcher
        self._timeout = timeout
        self._clock = clock
        self._heard: dict[str, float] = {}

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune calls this every tenth of a second."""
        for trial in trials:
            if not self._searcher.serves(trial.trial_id):
                continue
            # Before it has one, its process is starting, which takes as long as the machine is busy.
            actor = trial.temporary_state.ray_actor
            if actor is None:
                continue
            waited = self._clock() - self._heard.setdefault(trial.trial_id, self._clock())
            if waited > self._timeout and trial.trial_id not in self._searcher.hung:
                self._searcher.hung[trial.trial_id] = (
                    f"it gave no evaluation for {self._timeout:g} s and its process was ended"
                )
                ray.kill(actor)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._heard[trial.trial_id] = self._clock()
