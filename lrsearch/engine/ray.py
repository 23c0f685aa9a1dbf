"""Runs replicas as Ray Tune trials.

Ray Tune runs what the dispatcher asks for and tells it what came of it; it decides nothing and keeps nothing. Its own
snapshots are never read: each run is a fresh ``Tuner``.
"""

import gc
import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# Read by Ray when it is imported, here and in its workers.
os.environ.update(
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    TUNE_DISABLE_SIGINT_HANDLER="1",  # its handler would end trials half-trained, as if they had finished
    TUNE_DISABLE_STRICT_METRIC_CHECKING="1",
    TUNE_GLOBAL_CHECKPOINT_S="3600",
    TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S="0",
    RAY_AIR_NEW_OUTPUT="0",
    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
    RAY_USAGE_STATS_ENABLED="0",
)

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from lrsearch.errors import UsageError
from lrsearch.ports import Dispatcher
from lrsearch.task.model import Resources, Task
from lrsearch.training.checkpoint import checkpoint_file
from lrsearch.training.progress import Progress
from lrsearch.training.train import train

_PROGRESS = "progress"
_WATCH_SECONDS = 0.5


class RayEngine:
    """Runs replicas on the processors and GPUs of this machine, or of a running Ray cluster.

    Args:
        checkpoints: the folder for checkpoints; every worker must reach it.
        address: of a running cluster; None starts Ray here and stops it afterwards.
    """

    def __init__(self, checkpoints: Path, address: str | None = None) -> None:
        self._checkpoints = checkpoints.resolve()
        self._address = address
        self._workers = 0

    @property
    def workers(self) -> int:
        """How many replicas train at the same time; 0 before Ray has started."""
        return self._workers

    def run(self, task: Task, dispatcher: Dispatcher) -> None:
        """Train what the dispatcher asks for until it is done.

        Raises:
            UsageError: the cluster cannot be reached, or has no room for one worker.
            KeyboardInterrupt: the user interrupted; nothing half-trained was told.
        """
        if dispatcher.done():
            return
        with _ray(self._address), tempfile.TemporaryDirectory(prefix="lrsearch-") as scratch:
            self._workers = _room_for_workers(task)
            try:
                self._tuner(task, dispatcher, Path(scratch)).fit()
            except KeyboardInterrupt as interrupt:
                # In its traceback are Tune's actors: they would keep their processors while anybody holds it.
                interrupt.__traceback__ = None
                gc.collect()
                raise

    def _tuner(self, task: Task, dispatcher: Dispatcher, scratch: Path) -> tune.Tuner:
        searcher = _Asking(dispatcher)
        trainable = tune.with_parameters(
            _ReplicaTrainable,
            task=task,
            checkpoints=self._checkpoints,
            driver=(socket.gethostname(), os.getpid()),
        )
        return tune.Tuner(
            tune.with_resources(trainable, {"cpu": task.resources.cpus, "gpu": task.resources.gpus}),
            tune_config=tune.TuneConfig(
                num_samples=-1,
                search_alg=searcher,
                scheduler=_Telling(dispatcher, searcher, self._checkpoints),
                max_concurrent_trials=self._workers,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=str(scratch),
                verbose=0,
                # Replicas keep their own.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )


class _NotInSnapshots:
    """Tune pickles its searcher and scheduler into snapshots, which nobody reads: leave a blank there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return object, ()


class _Asking(_NotInSnapshots, Searcher):
    """Gives Tune the dispatcher's replicas. Tune calls its methods by keyword: names matter."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self.running: dict[str, str] = {}
        """Tune's trial ids to ours."""

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        return True

    def suggest(self, trial_id: str) -> Any:
        trial = self._dispatcher.ask()
        if trial is None:
            return Searcher.FINISHED if self._dispatcher.done() else None
        self.running[trial_id] = trial.id
        return {"trial": trial}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        # What ended with an outcome was told by the scheduler; what is left lost its worker.
        if (trial := self.running.pop(trial_id, None)) is not None:
            self._dispatcher.lost(trial, "its process ended; there may be no memory left for it")

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the state is the store's."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the state is the store's."""


class _Telling(_NotInSnapshots, FIFOScheduler):
    """Passes results on. Tune calls the scheduler before all others, and for a trial's last result calls
    ``on_trial_complete`` alone."""

    def __init__(self, dispatcher: Dispatcher, searcher: _Asking, checkpoints: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._dispatcher = dispatcher
        self._searcher = searcher
        self._checkpoints = checkpoints

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        goes_on = self._pass_on(trial.trial_id, result)
        return str(FIFOScheduler.CONTINUE if goes_on else FIFOScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._pass_on(trial.trial_id, result)

    def _pass_on(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Report and tell; give whether the replica goes on."""
        progress = result.get(_PROGRESS)
        trial = self._searcher.running.get(trial_id)
        if trial is None or not isinstance(progress, Progress):
            return True
        goes_on = progress.evaluation is None or self._dispatcher.report(
            trial, progress.evaluation, progress.seconds
        )
        if goes_on and progress.outcome is None:
            return True
        del self._searcher.running[trial_id]
        if goes_on and progress.outcome is not None:
            self._dispatcher.tell(trial, progress.outcome, progress.curve, progress.seconds)
        # Not before its outcome is on record.
        checkpoint_file(self._checkpoints, trial).unlink(missing_ok=True)
        return False


class _ReplicaTrainable(tune.Trainable):
    """One replica in a worker process; the process serves one replica after the other."""

    def setup(  # type: ignore[override]  # Tune passes what with_parameters was given
        self, config: dict[str, Any], task: Task, checkpoints: Path, driver: tuple[str, int]
    ) -> None:
        self._task = task
        self._checkpoints = checkpoints
        if driver[0] == socket.gethostname():
            threading.Thread(target=_end_with, args=(driver[1],), daemon=True).start()
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        trial = new_config["trial"]
        self._progress = train(self._task, trial.spec, checkpoint_file(self._checkpoints, trial.id))
        return True

    def step(self) -> dict[str, Any]:
        progress = next(self._progress)
        return {_PROGRESS: progress, "done": progress.outcome is not None}


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """Ray, started here or reached at an address; one that runs in this process already is used and left running."""
    if ray.is_initialized():
        yield
        return
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost worker is told by the search itself
    if folder := os.environ.get("LRSEARCH_DATA"):
        os.environ["LRSEARCH_DATA"] = str(Path(folder).resolve())  # workers run in a folder of Ray's
    # Whatever happens, Ray's processes go with the run, also when Ctrl-C falls into the start.
    try:
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                num_cpus=None if address else _processors(),
            )
        except ConnectionError as error:
            raise UsageError(
                f"no Ray cluster answers at {address}; start one with: ray start --head"
            ) from error
        if address is None:
            _keep_token_private()
        yield
    finally:
        ray.shutdown()


def _keep_token_private() -> None:
    """Whoever can read Ray's token can run code in its cluster, and Ray writes it for all to read."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", Path.home() / ".ray" / "auth_token"))
    with suppress(OSError):
        token.chmod(0o600)


def _processors() -> int:
    """The processors that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _room_for_workers(task: Task) -> int:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    workers = sum(_workers_of_node(node, task.resources) for node in nodes)
    if workers < 1:
        most = {kind: max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("CPU", "GPU")}
        raise task.error(
            f"resources asks for {task.resources.cpus} CPUs and {task.resources.gpus:g} GPUs a worker; no machine has "
            f"more than {most['CPU']:g} and {most['GPU']:g}; ask for less",
            "resources",
        )
    return workers


def _workers_of_node(there: Mapping[str, float], wanted: Resources) -> int:
    """A worker runs on one machine, and a fraction of a GPU comes from one GPU."""
    by_cpu = int(there.get("CPU", 0.0) // wanted.cpus)
    if not wanted.gpus:
        return by_cpu
    gpus = int(there.get("GPU", 0.0))
    by_gpu = int(gpus // wanted.gpus) if wanted.gpus >= 1 else gpus * int(1 / wanted.gpus)
    return min(by_cpu, by_gpu)


def _end_with(driver: int) -> None:
    """End this process when the driver is gone: Ray takes seconds to notice, and the worker would train on."""
    while True:
        try:
            os.kill(driver, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGKILL)
        except PermissionError:
            return  # another user's process has the number: the driver cannot be seen from here
        time.sleep(_WATCH_SECONDS)
