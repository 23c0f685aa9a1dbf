"""From the callable that a task names to a workload, made under a replica's seed."""

import inspect
import random
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lrsearch import users_code
from lrsearch.errors import LRSearchError, WorkloadError
from lrsearch.task.fingerprint import code_of
from lrsearch.task.model import NOT_IN_A_FILE, Task
from lrsearch.task.sources import Code
from lrsearch.task.workload import (
    check_arguments,
    never_runs,
    no_callable,
    no_module,
    not_importable,
    workload_file,
)
from lrsearch.task.workload import described as described
from lrsearch.training.generators import Generators
from lrsearch.training.imports import load_file, use_code
from lrsearch.training.reach import generators_of
from lrsearch.workload import Workload


def seed_everything(seed: int, function: Callable[..., Any]) -> Generators:
    """Seed every generator that a training by a function may draw from.

    Returns:
        Those of the user's own among them, which live longer than a training.

    Raises:
        WorkloadError: there is one that cannot be seeded.
    """
    generators = generators_of(function)
    generators.seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return generators


def make_workload(task: Task, entry: str, seed: int) -> Workload:
    """Call the task's callable for an entry, under a seed: the same seed gives the same initial weights.

    Raises:
        TaskError: there is no such callable, or it does not take the arguments.
        WorkloadError: it raised, or gave something else than a ``Workload``.
    """
    users_code.go_home()
    function = find_callable(task)
    arguments = task.arguments_of(entry)
    check_callable(task, entry, function)
    seed_everything(seed, function)
    try:
        workload = function(**arguments)
    except LRSearchError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkloadError(
            f"{where_raised(error)} {task.workload} raised {described(error)}; mend it, then run again"
        ) from error
    if not isinstance(workload, Workload):
        raise task.error(
            f"workload {task.workload} returned {type(workload).__name__}; let it return a lrsearch.Workload",
            "workload",
        )
    return workload


def find_callable(task: Task) -> Callable[..., Any]:
    """Import the callable that the task names, by path or from a package.

    Raises:
        TaskError: the file, the module or the callable does not exist.
        WorkloadError: importing it raised.
    """
    if task.provided is not None:
        return task.provided
    if task.workload.startswith(NOT_IN_A_FILE):
        raise task.error(
            f"{task.trained_by} is {task.callable_name} of a notebook or shell, "
            "which is not here; go on there, by calling lrsearch.search again",
            task.trained_by,
        )
    place, name = task.workload.rsplit(":", 1)
    code = task.code or code_of(task)
    use_code(code)
    try:
        module = load_file(_own_file(task, code, place)) if place.endswith(".py") else import_module(place)
    except LRSearchError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise WorkloadError(
                f"{where_raised(error)} needs {error.name}, which is not installed; install it"
            ) from error
        raise no_module(task, place) from error
    except (Exception, SystemExit) as error:
        raise not_importable(task, where_raised(error), error) from error
    function = getattr(module, name, None)
    if not callable(function):
        callables = (n for n, value in vars(module).items() if callable(value))
        raise no_callable(task, hasattr(module, name), callables)
    found: Callable[..., Any] = function
    return found


def _own_file(task: Task, code: Code, place: str) -> Path:
    path = (task.folder / place).resolve()
    if path not in code.files:  # it is missing or cannot be read, which is raised here
        workload_file(task, place).read_bytes()
        raise task.error(f"{task.trained_by} names {place}, which was not there when the run began; run it again")
    return path


def where_raised(error: BaseException) -> str:
    """Give FILE:LINE of the innermost frame of the user's code, or of the raise if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    library = str(Path(__file__).parent.parent)
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((library, "<"))
    ]
    own = [f for f in frames if "site-packages" not in f.filename and f"{sys.prefix}/lib" not in f.filename]
    frame = (own or frames or traceback.extract_tb(error.__traceback__))[-1]
    return f"{frame.filename}:{frame.lineno}"


def check_callable(task: Task, entry: str, function: Callable[..., Any]) -> None:
    """Check that a callable runs when it is called, and takes what it gets for an entry.

    Raises:
        TaskError: it does not.
    """
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        raise never_runs(task)
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # built in, without a signature: it says itself what it does not take
    check_arguments(task, entry, signature)
