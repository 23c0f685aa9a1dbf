"""What can be known before a search begins: whether the task trains at all, and what a training costs."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lrsearch import users_code
from lrsearch.errors import LRSearchError, WorkloadError
from lrsearch.task.fingerprint import drawing_at_first, judged_by_own_weights, seeding_generators
from lrsearch.task.model import Budget, Entry, Identity, Task
from lrsearch.training.evaluation_weights import begin_training, evaluation_weights, has_mode
from lrsearch.training.groups import GroupError
from lrsearch.training.loop import LoopReplica, wait_for_abandoned
from lrsearch.training.optimizers import check_names, check_optimizers, make_optimizer, stand_ins
from lrsearch.training.progress import Progress
from lrsearch.training.reach import generators_of
from lrsearch.training.replica import Replica
from lrsearch.training.update import autocast, compiling, prepare_model
from lrsearch.training.workloads import described, find_callable, make_workload, where_raised
from lrsearch.trial import NOT_FINITE_AT_FIRST, Diverged, SearchId, TrialSpec
from lrsearch.workload import Workload, indexed

_FEW_EXAMPLES = 64
_MEASURED_SECONDS = 1.0


@dataclass(frozen=True)
class Tried:
    """What a task showed when it was tried out.

    Attributes:
        parameters: the number of parameters of each entry's model; None for a loop, which keeps its model to itself.
        shown: what of it changes results and shows only so, as fields of the identity.
    """

    parameters: Mapping[str, int | None]
    shown: Identity


@users_code.tried()
def check_trains(task: Task) -> Tried:
    """Make every entry's workload and optimizer, take one loss with its gradients and one small evaluation.

    A loop is run to its first report, and told there to stop.

    Raises:
        TaskError: the task names something that does not exist or does not fit.
        WorkloadError: the workload raised.
        LoopError: a loop reported what is no report.
        DataError: its data is missing or damaged.
    """
    if task.trained_by == "loop":
        check_names(task)
        drew = False
        for own in task.entries.values():
            with tempfile.TemporaryDirectory() as folder:
                _, drew_here = _first_reports(task, own, 1, Path(folder))
            drew = drew or drew_here
        return Tried(
            dict.fromkeys(task.entries), (drawing_at_first(task) if drew else {}) | _generators_shown(task)
        )
    find_callable(task)  # first: optimizers of the user's own lie beside it
    check_optimizers(task)
    parameters: dict[str, int | None] = {}
    with_mode: set[str] = set()
    for entry in task.entries:
        if entry not in parameters:
            twins = [name for name in task.entries if task.arguments_of(name) == task.arguments_of(entry)]
            count, found = _try_once(task, twins)
            parameters |= dict.fromkeys(twins, count)
            with_mode |= found
    return Tried(parameters, judged_by_own_weights(with_mode) | _generators_shown(task))


def _generators_shown(task: Task) -> Identity:
    if task.provided is not None:
        return {}  # what an earlier search of this process left behind would count
    return seeding_generators(task) if generators_of(find_callable(task)).places else {}


@users_code.tried()
def measure_cost(task: Task, entry: Entry) -> float:
    """Train an entry for about a second and give the seconds that a whole training takes.

    Raises:
        LRSearchError: as ``check_trains``.
    """
    if task.trained_by == "loop":
        with tempfile.TemporaryDirectory() as folder:
            (first, second), _ = _first_reports(task, entry, 2, Path(folder))
        trained = (
            second.outcome.iteration if isinstance(second.outcome, Diverged) else second.curve[-1].iteration
        )
        return first.seconds + (second.seconds - first.seconds) / max(1, trained) * task.budget.iterations
    iterations = 1
    with tempfile.TemporaryDirectory() as folder:
        while True:
            replica, seconds = _trained(task, entry, iterations, Path(folder))
            if seconds >= _MEASURED_SECONDS / 2 or iterations == task.budget.iterations:
                break
            iterations = min(4 * iterations, task.budget.iterations)
    deciding, between = (
        _evaluation_seconds(replica, task.metric.examples_at(task.budget, iteration))
        for iteration in (task.budget.iterations, 1)
    )
    training = seconds / iterations * task.budget.iterations
    # The evaluation at iteration 0 is shared by all candidates.
    evaluations = -(-task.budget.iterations // task.budget.evaluate_every)
    return training + deciding + (evaluations - 1) * between


def _first_reports(task: Task, entry: Entry, count: int, folder: Path) -> tuple[list[Progress], bool]:
    """Run a loop to its first reports, and see that it stops when it is told to.

    Returns:
        What they came to, and whether its evaluation at iteration 0 drew random numbers.
    """
    spec = TrialSpec(SearchId(entry.name, "trial"), 0, 0, stand_ins(task, entry))
    wait_for_abandoned()
    users_code.go_home()
    replica = LoopReplica(task, spec, folder / "checkpoint.pt")
    try:
        found = [replica.advance() for _ in range(count)]
        replica.close()
        if found[0].outcome == Diverged(0):
            raise WorkloadError(f"{task.callable_name}: {NOT_FINITE_AT_FIRST}")
        if (complaint := replica.complaint()) is not None:
            raise complaint
        generators_of(find_callable(task))  # refuses what it left begun
    except LRSearchError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkloadError(
            f"{where_raised(error)} {task.callable_name} raised {described(error)}; mend it, then run again"
        ) from error
    return found, replica.drew_at_first


def _evaluation_seconds(replica: Replica, examples: int | None) -> float:
    """What an evaluation takes, reckoned from one of a few examples where that tells."""
    whole, few = replica.count(examples), replica.count(_FEW_EXAMPLES)
    if whole is None or few is None or whole <= few:
        return _seconds(replica.evaluate, examples)
    count = _FEW_EXAMPLES
    while (seconds := _seconds(replica.evaluate, count)) < _MEASURED_SECONDS / 4 and few < whole:
        count *= 4
        few = replica.count(count) or whole
    return seconds * whole / few


def _trained(task: Task, entry: Entry, iterations: int, folder: Path) -> tuple[Replica, float]:
    """A replica that has trained, and the seconds that its updates took."""
    short = replace(
        task,
        budget=Budget(iterations, iterations),
        metric=replace(task.metric, window=1, examples=_FEW_EXAMPLES),
        recipe=replace(task.recipe, schedule=None, warmup=0),  # costs nothing, and would not fit
        entries={**task.entries, entry.name: replace(entry, schedule=None)},
    )
    spec = TrialSpec(SearchId(entry.name, "cost"), 0, 0, stand_ins(task, entry))
    replica = Replica(short, spec, folder / "checkpoint.pt")
    try:
        replica.advance()
        return replica, _seconds(replica.advance)
    except LRSearchError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkloadError(
            f"{where_raised(error)} {task.callable_name} raised {described(error)} in training; mend it, then run again"
        ) from error


def _seconds(function: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def _try_once(task: Task, entries: Sequence[str]) -> tuple[int, set[str]]:
    """Return the number of parameters, and the entries whose optimizer has other weights to evaluate by."""
    torch.set_num_threads(task.resources.cpus)
    workload = make_workload(task, entries[0], seed=0)
    try:
        workload.model.train()
        batch = indexed(workload.batches).batch(0, 0)
        if not task.resources.gpus:  # compiled here for a CPU, it would tell nothing of a GPU
            prepare_model(task.recipe, workload.model)
        with compiling(task), autocast(task.recipe.precision, torch.device("cpu")):
            loss = workload.training_loss(batch)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            raise task.error(
                f"workload {task.workload} has a loss of {_kind(loss)}; let it give one number, a scalar tensor",
                "workload",
            )
        with compiling(task):
            loss.backward()  # type: ignore[no-untyped-call]
            metrics = workload.evaluate(_FEW_EXAMPLES)
        with_mode = {name for name in entries if _try_step(task, name, workload)}
        generators_of(find_callable(task))  # refuses what it left begun
    except LRSearchError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkloadError(
            f"{where_raised(error)} {task.callable_name} raised {described(error)} on its first batch; "
            "mend it, then run again"
        ) from error
    if task.metric.name not in metrics:
        raise task.unknown_metric(metrics)
    if not (bool(torch.isfinite(loss)) and math.isfinite(metrics[task.metric.name])):
        raise WorkloadError(f"{task.callable_name}: {NOT_FINITE_AT_FIRST}")
    return sum(parameter.numel() for parameter in workload.model.parameters()), with_mode


def _try_step(task: Task, entry: str, workload: Workload) -> bool:
    """Take one step of an entry's optimizer on the model, whose gradients are there, and swap weights if it does.

    Returns:
        Whether it does.
    """
    try:
        optimizer = make_optimizer(
            task.entries[entry], workload.model, stand_ins(task, task.entries[entry]), task.recipe.groups
        )
        begin_training(optimizer)
        optimizer.step()
        with evaluation_weights(optimizer):
            return has_mode(optimizer)
    except GroupError as error:
        raise task.error(str(error), "recipe", "groups", error.index, error.key) from error
    except Exception as error:
        raise task.error(
            f"optimizers.{entry} cannot train this model: {described(error)}; name another optimizer",
            "optimizers",
            entry,
        ) from error


def _kind(thing: object) -> str:
    return f"shape {list(thing.shape)}" if isinstance(thing, torch.Tensor) else f"type {type(thing).__name__}"
