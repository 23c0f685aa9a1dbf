"""The task as the rest of the project sees it: frozen data, already checked.

``lrsearch.task.file`` makes it from YAML; nothing here reads or writes anything.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from lrsearch.averages import mean_of
from lrsearch.errors import TaskError
from lrsearch.ladder import LADDERS, Ladder, LadderName, OneRung
from lrsearch.task.comparison import Comparison
from lrsearch.task.sources import Code
from lrsearch.task.starts import FALLBACK_START, ProposedStart, RangeTest, ScaledStart, Scaling
from lrsearch.task.training_recipe import ParameterGroup as ParameterGroup
from lrsearch.task.training_recipe import Precision as Precision
from lrsearch.task.training_recipe import Recipe as Recipe
from lrsearch.task.training_recipe import Schedule as Schedule
from lrsearch.trial import Curve, SearchId
from lrsearch.trial import Mode as Mode
from lrsearch.trial import Take as Take

Prefer = Literal["lowest", "largest", "smallest"]
MetricKind = Literal["accuracy"]
"""What a task may say that its metric is: ``accuracy`` is a share of right answers, of 1 or in per cent."""
TrainedBy = Literal["workload", "loop"]

NOT_IN_A_FILE = "__main__:"
"""What the name of a callable begins with that lies in no file: one of a notebook or a shell."""

CPROP_PREFIX = "cprop."
"""What the names of CProp's own hyperparameters and options begin with."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A hyperparameter to search, from ``start`` (on the ladder) outward, within ``limits`` (values).

    ``start`` is None where it is to be proposed and is not yet: by another study's result where there is a
    ``scaling``, else by a range test. ``proposed`` is what proposed it.
    """

    start: float | None
    ladder_name: LadderName
    limits: tuple[float, float]
    proposed: ProposedStart | None = None
    scaling: Scaling | None = None

    @property
    def ladder(self) -> Ladder:
        """The ladder that the search visits."""
        return LADDERS[self.ladder_name]

    @property
    def awaits_range_test(self) -> bool:
        """Whether a range test is yet to propose the start."""
        return self.start is None and self.scaling is None

    @property
    def guess(self) -> float:
        """The start, or what stands in for one that is not proposed yet."""
        return self.nearest(FALLBACK_START) if self.start is None else self.start

    def nearest(self, value: float) -> float:
        """Return the rung within the limits that is nearest to a value above 0, by their ratio."""
        lowest, highest = self.ladder.rungs_within(*self.limits)
        rungs = (self.ladder.value(rung) for rung in range(lowest, highest + 1))
        return min(rungs, key=lambda rung: abs(math.log(rung / value)))

    def started(self, proposals: Iterable[ProposedStart]) -> "Searched":
        """Return the search with the start that is proposed in the way that the task asks for, if it is open.

        It is put on the nearest rung within the limits. A range test that suggests nothing gives the fallback.
        """
        for proposed in proposals if self.start is None else ():
            match proposed:
                case RangeTest(suggested=suggested) if self.scaling is None:
                    return replace(self, start=self.nearest(suggested or FALLBACK_START), proposed=proposed)
                case ScaledStart(scaling=scaling) if scaling == self.scaling:
                    return replace(self, start=self.nearest(proposed.value), proposed=proposed)
        return self


@dataclass(frozen=True, slots=True)
class Compared(Searched):
    """A learning rate that a comparison trains at, ``start``, and no other.

    Where ``scaled_by`` names an entry, it is ``start`` times the mean scale of that one's CProp, once that is known.
    """

    scaled_by: str | None = None

    @property
    def ladder(self) -> Ladder:
        """The one value."""
        return OneRung("lr", 0, self.guess)

    def times(self, scale: float) -> "Compared":
        """Return it at its rate times a mean scale, to four significant digits."""
        return replace(self, start=float(f"{self.guess * scale:.4g}"), scaled_by=None)


@dataclass(frozen=True, slots=True)
class Shared:
    """A hyperparameter that takes another entry's value, ``times`` a factor."""

    of: SearchId
    """The entry and the hyperparameter of it that is shared; it may itself be fixed, searched or shared."""
    times: float = 1.0


Hyperparameter = float | Searched | Shared


@dataclass(frozen=True, slots=True)
class Entry:
    """One named optimizer of a task.

    ``optimizer`` is a class of ``torch.optim`` by its name in lower case, or ``package.module:Class``.
    ``hyperparameters`` are its numbers in the order written, CProp's as ``cprop.c``, ``cprop.beta``,
    ``cprop.eps``; ``options`` are its other constructor arguments (``amsgrad: true``, ``betas: [0.9, 0.99]``),
    CProp's as ``cprop.measure`` and so on. ``arguments`` go over the task's own, and ``schedule`` over its recipe's.
    """

    name: str
    optimizer: str
    hyperparameters: Mapping[str, Hyperparameter]
    options: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    wrapped_in_cprop: bool = False
    schedule: Schedule | None = None

    def searches(self) -> Iterator[tuple[SearchId, Searched]]:
        """Return the entry's searches in the order written."""
        for name, hyperparameter in self.hyperparameters.items():
            if isinstance(hyperparameter, Searched):
                yield SearchId(self.name, name), hyperparameter


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a replica trains and how often it is evaluated, in iterations (updates)."""

    iterations: int
    evaluate_every: int

    def evaluations(self) -> Iterator[int]:
        """Return the iterations after which a replica is evaluated: 0, every ``evaluate_every``, the last."""
        yield from range(0, self.iterations, self.evaluate_every)
        yield self.iterations

    def evaluation_after(self, iteration: int) -> int:
        """Return the iteration of the first evaluation after one: -1 for the first of all."""
        return min((iteration // self.evaluate_every + 1) * self.evaluate_every, self.iterations)

    def is_among_last(self, iteration: int, window: int) -> bool:
        """Whether the evaluation at an iteration is one of the last ``window``."""
        later = -(-self.iterations // self.evaluate_every) - -(-iteration // self.evaluate_every)
        return later < window


@dataclass(frozen=True, slots=True)
class Metric:
    """What decides: the mean of the last ``window`` evaluations of the metric called ``name``.

    Where ``take`` is ``best`` it is that of the best ``window`` evaluations in a row, as early stopping keeps them.
    ``examples`` is how many the deciding evaluations use (None: all), ``curve_examples`` those in between. No value
    of the metric is below ``lower_bound``, where that is given.
    """

    name: str
    mode: Mode = "min"
    examples: int | None = None
    curve_examples: int | None = None
    window: int = 1
    lower_bound: float | None = None
    take: Take = "last"

    def examples_at(self, budget: Budget, iteration: int) -> int | None:
        """Return how many examples an evaluation uses: one that may decide, ``examples``; others ``curve_examples``."""
        may_decide = iteration == 0 or self.take == "best" or budget.is_among_last(iteration, self.window)
        return self.examples if may_decide else self.curve_examples

    def deciding(self, curve: Curve) -> Curve:
        """Return the evaluations of a whole training that decide; none where it has too few after iteration 0."""
        after = curve[1:]
        windows = [after[i : i + self.window] for i in range(len(after) - self.window + 1)]
        if self.take == "last" or not windows:
            return windows[-1] if windows else ()
        sign = 1 if self.mode == "min" else -1
        return min(windows, key=lambda window: sign * mean_of([evaluation.value for evaluation in window]))

    @property
    def smoothed(self) -> bool:
        """Whether another value than that of the last evaluation decides."""
        return self.window > 1 or self.take == "best"

    @property
    def words(self) -> str:
        """Return which evaluations decide, where it is not the last one alone."""
        which = {"last": "last", "best": "best"}[self.take]
        if self.window > 1:
            return f"the mean of its {which} {self.window} evaluations" + (
                " in a row" if which == "best" else ""
            )
        return "its best evaluation" if self.take == "best" else ""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What holds for all searches of a task.

    Attributes:
        tolerance: a choice is resolved when it loses at most this fraction to the best candidate.
        kind: what the metric is, if the task says so; it tells what the tolerance is a fraction of.
        prefer: which of the candidates that may be the best is chosen: that with the best mean, the largest or the
            smallest value.
        resolve: whether seeds are added for contenders until the choice is resolved.
        max_seeds: how many at most, then.
        patience: how many worse rungs close a side of the best.
        race: whether trainings that are far behind are ended early, a heuristic.
        screen: seeds while the bracket walks; None for all of them.
    """

    tolerance: float = 0.05
    prefer: Prefer = "lowest"
    resolve: bool = False
    max_seeds: int = 10
    patience: int = 1
    race: bool = False
    screen: int | None = None
    kind: MetricKind | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """What one worker takes, and when it is given up; nothing of it changes a result but the number of threads.

    Attributes:
        cpus: CPU cores, and threads.
        gpus: GPUs; may be a fraction of one.
        timeout: seconds without an evaluation after which a training counts as hung; None waits for ever.
        max_failures: how often a training that was cut off is tried again.
        pack: how many replicas a worker trains side by side; None for as many as are best there.
    """

    cpus: int = 1
    gpus: float = 0.0
    timeout: float | None = None
    max_failures: int = 3
    pack: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a key of the task file stands; both count from 1."""

    line: int
    column: int


Identity = dict[str, Any]
"""What changes the result of a training: dotted field names to plain values that JSON keeps."""


@dataclass(frozen=True)
class Task:
    """A task file, checked: a workload, a budget, a metric and optimizer entries.

    ``path`` is the file, absolute; the Python that ``workload`` names as ``FILE.py:callable`` lies relative to its
    folder. ``trained_by`` says whether that callable gives a workload, or is a training loop; ``provided`` is the
    callable itself where Python gave it. ``shown_as`` is what the user called the file, and errors do. ``text`` is its
    content, kept so that a study can go on without it. ``comparison`` is what a comparison adds. ``watch`` names files
    whose content counts, relative to the folder. A run takes ``code`` and ``identity`` once (``fingerprint.prepared``).
    """

    path: Path
    text: str
    name: str
    workload: str
    budget: Budget
    metric: Metric
    entries: Mapping[str, Entry]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    settings: SearchSettings = field(default_factory=SearchSettings)
    recipe: Recipe = field(default_factory=Recipe)
    resources: Resources = field(default_factory=Resources)
    trained_by: TrainedBy = "workload"
    comparison: Comparison | None = None
    watch: tuple[str, ...] = ()
    code: Code | None = field(default=None, repr=False, compare=False)
    identity: Identity | None = field(default=None, repr=False, compare=False)
    provided: Callable[..., Any] | None = field(default=None, repr=False, compare=False)
    positions: Mapping[tuple[str | int, ...], Position] = field(
        default_factory=dict, repr=False, compare=False
    )
    shown_as: str = ""

    @property
    def folder(self) -> Path:
        """The folder of the task file, where the Python that it names is looked for."""
        return self.path.parent

    @property
    def callable_name(self) -> str:
        """What messages call the callable: as the task names it, or its name in the notebook."""
        return self.workload.removeprefix(NOT_IN_A_FILE)

    @property
    def most_seeds(self) -> int:
        """How many seeds a candidate has at most."""
        return max(self.seeds, self.settings.max_seeds) if self.settings.resolve else self.seeds

    def searches(self) -> dict[SearchId, Searched]:
        """Return all searches of all entries, in the order written."""
        return {search: searched for entry in self.entries.values() for search, searched in entry.searches()}

    def with_proposed_starts(self, proposals: Mapping[SearchId, Iterable[ProposedStart]]) -> "Task":
        """Return the task with the starts that are proposed, where it leaves them open (``start: auto``, say)."""

        def started(search: SearchId, hyperparameter: Hyperparameter) -> Hyperparameter:
            if isinstance(hyperparameter, Searched):
                return hyperparameter.started(proposals.get(search, ()))
            return hyperparameter

        entries = {
            entry.name: replace(
                entry,
                hyperparameters={
                    name: started(SearchId(entry.name, name), hyperparameter)
                    for name, hyperparameter in entry.hyperparameters.items()
                },
            )
            for entry in self.entries.values()
        }
        return replace(self, entries=entries)

    def arguments_of(self, entry: str) -> dict[str, Any]:
        """Return the workload's arguments for an entry: the task's, with the entry's own over them."""
        return {**self.arguments, **self.entries[entry].arguments}

    def recipe_of(self, entry: str) -> Recipe:
        """Return the recipe for an entry: the task's, with the entry's own schedule in place of its."""
        schedule = self.entries[entry].schedule
        return self.recipe if schedule is None else replace(self.recipe, schedule=schedule)

    def error(self, problem: str, *key: str | int) -> TaskError:
        """Make the error for what stands under ``key`` (``"optimizers", "sgd", "lr"``) or its nearest parent."""
        while key and key not in self.positions:
            key = key[:-1]
        position = self.positions.get(key)
        file = self.shown_as or str(self.path)
        where = f"{file}:{position.line}:{position.column}" if position else file
        return TaskError(where, problem)

    def unknown_metric(self, given: Iterable[str]) -> TaskError:
        """Make the error for a deciding metric that is not among those that the workload gives."""
        names = list(given)
        near = get_close_matches(self.metric.name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(names)}"
        return self.error(
            f"metric.name is {self.metric.name}, which {self.callable_name} does not give; {hint}",
            "metric",
            "name",
        )
