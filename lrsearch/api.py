"""``lrsearch.search``: a search from Python or a notebook, and what it gives back."""

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lrsearch import streams
from lrsearch.errors import TaskError, UsageError
from lrsearch.report.console import OwnConsole
from lrsearch.report.export import to_yaml
from lrsearch.run import EngineName, Result, run
from lrsearch.searches import SearchState
from lrsearch.studies import Place
from lrsearch.task import Task, parse_task
from lrsearch.task.model import NOT_IN_A_FILE
from lrsearch.trial import SearchId
from lrsearch.verdict import Verdict

if TYPE_CHECKING:
    from lrsearch.training.chosen import Chosen
    from lrsearch.training.live_trial import LiveTrial

_WIDTH = 100
"""Columns of the table as text."""


@dataclass(frozen=True)
class Verdicts:
    """What a search found. In a notebook it shows itself as tables and pictures, elsewhere as a table.

    Attributes:
        task: what was searched.
        content: what chosen.yaml holds.
        folder: where report, pictures and chosen.yaml are.
    """

    task: Task = field(repr=False)
    content: Mapping[str, Any] = field(repr=False)
    folder: Path
    states: tuple[SearchState, ...] = field(repr=False)

    @property
    def chosen(self) -> "dict[str, Chosen]":
        """The entries with their chosen values: ``chosen["adamw"].build(model)`` makes the optimizer."""
        from lrsearch.training.chosen import load_chosen

        return load_chosen(self.folder / "chosen.yaml")

    @property
    def verdicts(self) -> dict[SearchId, Verdict]:
        """How each search ended, with its evidence."""
        return {state.search: state.verdict for state in self.states if state.verdict is not None}

    @property
    def lr(self) -> float | None:
        """The chosen learning rate, where one entry was searched; None if its search found none.

        Raises:
            UsageError: there are several entries.
        """
        if len(entries := self.content["chosen"]) > 1:
            raise UsageError(f'there are several entries; give one of them: .chosen["{next(iter(entries))}"]')
        (entry,) = entries.values()
        rate: float | None = entry["hyperparameters"].get("lr")
        return rate

    @property
    def resolved(self) -> bool:
        """Whether each choice is known to lose no more than the tolerance to the best candidate."""
        return all(state.verdict is not None and state.verdict.resolved for state in self.states)

    def __str__(self) -> str:
        from rich.console import Console

        from lrsearch.report.tables import explain

        text = StringIO()
        Console(file=text, width=_WIDTH, color_system=None).print(explain(self.task, self.states))
        return text.getvalue()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from lrsearch.report.notebook import as_html  # imports matplotlib

        return as_html(self.task, self.states)


def search(
    train: "Callable[[LiveTrial], object] | None" = None,
    optimizers: str | Mapping[str, Any] = "sgd",
    *,
    iterations: int,
    start: float | None = None,
    workload: Callable[..., Any] | None = None,
    evaluate_every: int | None = None,
    metric: str | Mapping[str, Any] = "train_loss",
    seeds: int | Mapping[str, int] = 3,
    arguments: Mapping[str, Any] | None = None,
    watch: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    cpus: int = 1,
    gpus: float = 0,
    name: str | None = None,
    studies: str | Path = "studies",
    storage: str | None = None,
    engine: EngineName = "inline",
    progress: bool = True,
    show_output: bool = False,
) -> Verdicts:
    """Search learning rates (and CProp's ``c`` and ``beta``) of a training in Python, or go on where it stopped.

    Everything is as with a task file: trainings end up in a study as they end, the same call goes on with it, and
    ``lrsearch explain NAME`` shows it.

    Args:
        train: a training loop, ``train(trial)``; see :class:`lrsearch.LiveTrial`.
        optimizers: a class of ``torch.optim`` by its name in lower case, whose ``lr`` is searched from ``start``; or
            entries as a task file has them: ``{"adamw": {"lr": {"start": 1e-3}, "weight_decay": 0.1}}``.
        iterations: updates in one training.
        start: the first guess, a value of the 1-3-10 grid (0.01, 0.03).
        workload: in place of ``train``, a callable that gives a :class:`lrsearch.Workload`.
        evaluate_every: iterations between evaluations; a twentieth of the training unless given.
        metric: the name of what decides, or a task file's ``metric``: ``{"name": "accuracy", "mode": "max"}``.
        seeds: trainings of each candidate, or ``{"screen": 1, "confirm": 3}``.
        arguments: given to the workload, or found in ``trial.arguments``.
        watch: files whose content counts for a training, relative to the callable's file, or a notebook's folder.
        settings: a task file's ``search``: ``{"resolve": True, "limits": {"lr": [1e-6, 1]}}``.
        recipe: a task file's ``recipe``, for a workload.
        cpus: threads of a training: more pay for large models on an idle machine, and cost dearly elsewhere.
        gpus: GPUs of a training, or a fraction.
        name: of the study; the callable's unless given.
        studies: the folder of all studies.
        storage: an Optuna storage URL, in place of a database in the study's folder.
        engine: ``inline`` trains in this process, one training after the other; ``ray`` on all processors.
        progress: whether to show, on standard error, what goes on.
        show_output: whether to show there too what the trainings print. It goes to their logs, ``logs`` in the study's
            folder; with ``inline`` so does all else that this process prints meanwhile.

    Raises:
        UsageError: something that was given cannot be used, or the training cannot begin.
        TrainingError: trainings failed; what had ended is kept.
        KeyboardInterrupt: it was interrupted; what had ended is kept, and the same call goes on.
    """
    form: Literal["workload", "loop"] = "loop" if workload is None else "workload"
    function = train if workload is None else workload
    if function is None or (train is not None and workload is not None) or not callable(function):
        raise UsageError("lrsearch.search takes a training loop or workload=..., one of them, a function")
    if isinstance(optimizers, str):
        if start is None:
            raise UsageError(
                f"lrsearch.search needs a first guess for the learning rate of {optimizers}; give start=0.01"
            )
        optimizers = {optimizers: {"lr": {"start": start}}}
    elif start is not None:
        raise UsageError(
            'start stands beside optimizers that have their own; write {"lr": {"start": ...}} there'
        )
    folder, named = _home(function)
    content = {
        "name": name or re.sub(r"\W", "_", getattr(function, "__name__", "search")),
        form: named,
        "arguments": dict(arguments or {}),
        "watch": list(watch),
        "budget": {
            "iterations": iterations,
            "evaluate_every": _often(iterations) if evaluate_every is None else evaluate_every,
        },
        "seeds": dict(seeds) if isinstance(seeds, Mapping) else seeds,
        "metric": dict(metric) if isinstance(metric, Mapping) else {"name": metric},
        "optimizers": {entry: _seen_from(folder, dict(values)) for entry, values in optimizers.items()},
        "search": dict(settings or {}),
        "resources": {"cpus": cpus, "gpus": gpus},
        **({"recipe": dict(recipe)} if recipe else {}),
    }
    task = _task(content, folder / f"{content['name']}.yaml")
    if engine == "inline" or named.startswith(NOT_IN_A_FILE):
        task = replace(task, provided=function)
    place = Place(task.name, Path(studies), storage)
    with streams.kept(), _left_as_it_was(function):
        try:
            console = OwnConsole(streams.stderr()) if progress else None
            found = run(task, place, engine, console=console, show_output=show_output)
        except KeyboardInterrupt:
            kept = "stopped; every finished training is kept: the same call goes on"
            raise KeyboardInterrupt(kept) from None
    return _verdicts(task, place, found)


def _verdicts(task: Task, place: Place, found: Result) -> Verdicts:
    return Verdicts(task, found.chosen, place.folder, found.states)


def _task(content: Mapping[str, Any], path: Path) -> Task:
    """Make the task, as if from a file; errors name the argument and no line."""
    try:
        task = parse_task(to_yaml(content), path, shown_as="lrsearch.search")
    except TaskError as error:
        raise UsageError(f"lrsearch.search: {error.problem}") from None
    return replace(task, positions={}, shown_as="lrsearch.search")


def _often(iterations: Any) -> Any:
    """A twentieth of the training; of what is no number the check of the task will speak."""
    return max(1, iterations // 20) if isinstance(iterations, int) else iterations


def _seen_from(folder: Path, values: Any) -> Any:
    """Write the paths of other studies (``from``), given as seen from here, as they are seen from a folder."""
    if not isinstance(values, Mapping):
        return values
    return {
        key: os.path.relpath(value, folder)
        if key == "from" and isinstance(value, str)
        else _seen_from(folder, value)
        for key, value in values.items()
    }


def _home(function: Callable[..., Any]) -> tuple[Path, str]:
    """Give the folder of a callable's file and its name within, or where it lies in none this folder and its name."""
    own_name = getattr(function, "__qualname__", type(function).__name__)  # a partial has none
    module = sys.modules.get(getattr(function, "__module__", ""))
    file = getattr(module, "__file__", None)
    if file and file.endswith(".py") and getattr(module, own_name, None) is function:
        path = Path(inspect.getsourcefile(function) or file).resolve()
        if path == Path(file).resolve():
            return path.parent, f"{path.name}:{own_name}"
    plain = re.sub(r"\W", "_", own_name.rpartition(".")[2])
    return Path.cwd(), f"{NOT_IN_A_FILE}{plain}"


@contextmanager
def _left_as_it_was(function: Callable[..., Any]) -> Iterator[None]:
    """Trainings in this process seed its generators, and set its threads and precision: put all of them back."""
    import torch

    from lrsearch.training.generators import NONE, restore_whole_state, whole_state
    from lrsearch.training.reach import generators_of

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    own = NONE
    with suppress(UsageError):  # what cannot be used the run says
        own = generators_of(function)
    random, threads = whole_state(device, own), torch.get_num_threads()
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        yield
    finally:
        restore_whole_state(random, device, own)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = tf32
