"""Ray itself: started here or reached at an address, how many workers it has room for, and whether they can work."""

import logging
import os
import pickle
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
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
    RAY_CHDIR_TO_TRIAL_DIR="0",  # workers stay in the copy of the folder that was sent
    RAY_OVERRIDE_JOB_RUNTIME_ENV="1",  # within a submitted job, whose own folder would forbid sending another
    RAY_USAGE_STATS_ENABLED="0",
)

import ray
from ray.exceptions import (
    AuthenticationError,
    NodeDiedError,
    RayTaskError,
    RuntimeEnvSetupError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lrsearch import __version__
from lrsearch.engine.driver import Driver
from lrsearch.engine.local import LocalRay, processors
from lrsearch.engine.sending import too_large
from lrsearch.errors import UsageError
from lrsearch.task.model import Resources, Task

_FORGETTING_SECONDS = 10.0
Node = dict[str, Any]


@contextmanager
def connected(
    address: str | None, sent: dict[str, Any] | None = None, local: LocalRay | None = None
) -> Iterator[None]:
    """Ray, started here or reached at an address; one that runs in this process already is used and left running.

    Args:
        address: of a running cluster; None is Ray of this machine, which is stopped afterwards.
        sent: what its workers get, as Ray's runtime environment.
        local: Ray of this machine that was begun before; started now if None.

    Raises:
        UsageError: the cluster cannot be reached, does not let this process in, or does not take what is sent.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost worker is told by the search itself
    if local is None and ray.is_initialized():
        yield
    elif address is None:
        local = local or LocalRay()
        # Whatever happens, Ray's processes go with the run, also when Ctrl-C falls into the start.
        try:
            local.wait()
            yield
        finally:
            local.stop()
    else:
        try:
            with _own_handlers():
                _reach(address, sent)
            yield
        finally:
            ray.shutdown()


def start_here() -> None:
    """Start Ray on this machine."""
    _keep_token_private()
    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        num_cpus=processors(),
        # Tune's workers have an environment of their own and are others than those that Ray would start before.
        _system_config={"prestart_worker_first_driver": False},
    )


def stop_here() -> None:
    """Stop what ``start_here`` started."""
    ray.shutdown()


def room_for_workers(task: Task) -> int:
    """Give how many replicas can train at the same time.

    Raises:
        TaskError: no machine has room for one.
    """
    nodes = [node["Resources"] for node in _nodes()]
    workers = sum(workers_of_node(node, task.resources) for node in nodes)
    if workers < 1:
        most = {kind: max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("CPU", "GPU")}
        raise task.error(
            f"resources asks for {task.resources.cpus} CPUs and {task.resources.gpus:g} GPUs a worker; no machine has "
            f"more than {most['CPU']:g} and {most['GPU']:g}; ask for less",
            "resources",
        )
    return workers


def check_machines(driver: Driver) -> set[str]:
    """Try on every machine that has room for a worker whether one could work there.

    Returns:
        The ids of the nodes that share the driver's disk.

    Raises:
        UsageError: it has no lrsearch, another version, or other code.
    """
    nodes = [node for node in _nodes() if workers_of_node(node["Resources"], driver.task.resources)]
    asked = [(node, _at(node, _difference, pickle.dumps(driver))) for node in nodes]
    sharing = set()
    for node, reference in asked:
        name = node["NodeManagerHostname"]
        try:
            problem, shares_disk = ray.get(reference)
        except (NodeDiedError, TaskUnschedulableError, WorkerCrashedError):
            continue  # it left the cluster, and gets nothing to train
        except RuntimeEnvSetupError as error:
            raise UsageError(
                f"{name} cannot make the folder or the packages that workers need "
                f"({_one_line(error)}); mend it there, then run again"
            ) from error
        except RayTaskError as error:
            raise UsageError(
                f"lrsearch cannot work on {name} ({_one_line(error.cause or error)}); install lrsearch "
                f"{__version__} there, as on {driver.host}"
            ) from error
        if problem is not None:
            raise UsageError(problem)
        if shares_disk:
            sharing.add(node["NodeID"])
    return sharing


def forget_checkpoints(driver: Driver, sharing: set[str]) -> None:
    """Remove what replicas left on machines that do not share the driver's disk, as far as these answer soon."""
    others = [node for node in _nodes() if node["NodeID"] not in sharing]
    asked = [_at(node, _forget, pickle.dumps(driver)) for node in others if node["Resources"].get("CPU")]
    if asked:
        ray.wait(asked, num_returns=len(asked), timeout=_FORGETTING_SECONDS)


# What lies in a module goes to workers by its name, and would not come to those without lrsearch. What these make goes
# as code, and says there what is missing.
def _difference() -> Callable[[bytes], tuple[str | None, bool]]:
    def difference(pickled: bytes) -> tuple[str | None, bool]:
        import pickle

        from lrsearch.engine.driver import Workplace

        workplace = Workplace(pickle.loads(pickled))
        return workplace.difference(), workplace.shares_disk

    return difference


def _forget() -> Callable[[bytes], None]:
    def forget(pickled: bytes) -> None:
        import pickle
        import shutil

        from lrsearch.engine.driver import Workplace

        workplace = Workplace(pickle.loads(pickled))
        if not workplace.shares_disk:
            shutil.rmtree(workplace.of_study, ignore_errors=True)

    return forget


def _at(node: Node, make: Callable[[], Callable[..., Any]], pickled: bytes) -> Any:
    """Call a function on one machine, which needs no free processor for it."""
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    remote: Any = ray.remote(make())
    return remote.options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(pickled)


def _nodes() -> list[Node]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _reach(address: str, sent: dict[str, Any] | None) -> None:
    try:
        with _quiet():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=sent)
    except (ConnectionError, AuthenticationError) as error:
        if address == "auto":
            raise UsageError(
                "no Ray cluster runs on this machine; start one with: ray start --head"
            ) from error
        # Ray says the same of all three, after a minute.
        raise UsageError(
            f"no Ray cluster lets this machine in at {address}: start one there with ray start --head; make this "
            f"machine a node of it with ray start --address={address} --num-cpus=0; or set RAY_AUTH_MODE and "
            "RAY_AUTH_TOKEN_PATH as it was started with"
        ) from error
    except (RuntimeEnvSetupError, ValueError) as error:
        if sent is not None and "exceeds the maximum size" in str(error):
            raise too_large(Path(sent["working_dir"])) from error
        raise _unusable(address, error) from error
    except RuntimeError as error:
        raise _unusable(address, error) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Ray's core writes to standard error itself, a line a second while it is refused."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _unusable(address: str, error: Exception) -> UsageError:
    """The error for what Ray says itself: other versions of Ray or Python, a machine that is no part of the cluster."""
    return UsageError(
        f"the Ray cluster at {address} cannot be used from here ({_one_line(error)}); run lrsearch on a machine of the "
        "cluster, with its versions of Python and Ray"
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:400] or type(error).__name__


def _keep_token_private() -> None:
    """Make Ray's token before Ray does, which lets all read it: who can, can run code in the cluster."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    token = Path(given) if given else Path.home() / ".ray" / "auth_token"
    with suppress(OSError):  # a home that cannot be written: Ray says so itself
        if not given:
            token.parent.mkdir(mode=0o700, exist_ok=True)
            with (
                suppress(FileExistsError),
                open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
            ):
                file.write(secrets.token_hex(32))
        token.chmod(0o600)


@contextmanager
def _own_handlers() -> Iterator[None]:
    """Put back what SIGTERM does: Ray sets a handler when it starts, which would end the run without a line."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        with suppress(ValueError, TypeError):  # not the main thread, or not set by Python
            signal.signal(signal.SIGTERM, before)


def workers_of_node(there: Mapping[str, float], wanted: Resources) -> int:
    """Give how many workers a machine has room for; a fraction of a GPU comes from one GPU."""
    by_cpu = int(there.get("CPU", 0.0) // wanted.cpus)
    if not wanted.gpus:
        return by_cpu
    gpus = int(there.get("GPU", 0.0))
    by_gpu = int(gpus // wanted.gpus) if wanted.gpus >= 1 else gpus * int(1 / wanted.gpus)
    return min(by_cpu, by_gpu)
