"""Histories as a run leaves them: the real coordinator, and losses that follow from a formula."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf, log10, nan
from pathlib import Path

from lrsearch.coordinator import Coordinator, Event
from lrsearch.searches import SearchState, survey
from lrsearch.store.memory import MemoryStore
from lrsearch.task.model import Budget, Entry, Metric, Resources, Searched, Shared, Task
from lrsearch.trial import Diverged, Evaluation, Failed, Finished, SearchId, Trial, TrialSpec

LR_LIMITS = (1e-8, 1e3)
Loss = Callable[[TrialSpec, int], float]
Metrics = Callable[[TrialSpec, int], dict[str, float]]


def lr(start: float, limits: tuple[float, float] = LR_LIMITS) -> Searched:
    return Searched(start, "lr", limits)


def make_task(entries: Mapping[str, Entry], **changes: object) -> Task:
    fields = {
        "path": Path("tasks/fashion_mnist_fc.yaml"),
        "text": "",
        "name": "fashion_mnist_fc",
        "workload": "fashion_mnist.py:fully_connected",
        "budget": Budget(5000, 250),
        "metric": Metric("train_loss"),
        "entries": entries,
    }
    return Task(**(fields | changes))  # type: ignore[arg-type]


def entry(name: str, optimizer: str | None = None, **parts: object) -> Entry:
    return Entry(name, optimizer or name, **parts)  # type: ignore[arg-type]


def paper_task(**changes: object) -> Task:
    """SGD and Adam searched, AMSGrad and AdaBound sharing, CProp-SGD with its c searched at SGD's rate."""
    sgd, adam = SearchId("sgd", "lr"), SearchId("adam", "lr")
    entries = [
        entry("sgd", hyperparameters={"lr": lr(1.0)}),
        entry("adam", hyperparameters={"lr": lr(1e-4)}, options={"betas": [0.9, 0.99]}),
        entry("amsgrad", "adam", hyperparameters={"lr": Shared(adam)}, options={"amsgrad": True}),
        entry(
            "adabound",
            "pytorch_optimizer:AdaBound",
            hyperparameters={"lr": Shared(adam), "final_lr": Shared(sgd, 0.125)},
        ),
        entry(
            "cprop_sgd",
            "sgd",
            hyperparameters={"lr": Shared(sgd), "cprop.c": Searched(1, "c", (1, 243)), "cprop.beta": 0.999},
            wrapped_in_cprop=True,
        ),
    ]
    return make_task({e.name: e for e in entries}, **changes)


BEST = {"sgd": (0.1, 0.376, 0.14), "adam": (1e-3, 0.305, 0.10), "cprop_sgd": (3, 0.352, 0.02)}
"""By entry: where the valley is, how low, how steep a decade away."""


def valley(spec: TrialSpec, iteration: int) -> float:
    """A loss that falls to a valley over the ladder, NaN far above SGD's best rate; its noise is fixed."""
    best, low, steepness = BEST[spec.search.entry]
    distance = log10(spec.hyperparameters[spec.search.hyperparameter] / best)
    if spec.search.entry == "sgd" and distance > 1.1 and iteration >= 250 * (1 + spec.seed % 2):
        return nan
    end = low * (1 + steepness * distance**2 + 0.05 * max(0.0, distance))
    noise = {"sgd": 0.04, "adam": 0.012, "cprop_sgd": 0.03}[spec.search.entry]
    wobble = noise * ((spec.seed * 7919 + spec.rung * 104729 + iteration // 250 * 613) % 11 - 5) / 5
    common = 0.03 * ((spec.seed * 31 + 3) % 7 - 3) / 3
    speed = 300 * 10 ** (-0.5 * min(1.0, max(-1.5, distance)))
    fallen = iteration / (iteration + speed) * (5000 + speed) / 5000
    return 2.31 + (end - 2.31) * fallen + (wobble + common) * end * fallen


class Run:
    """A run with so many workers and no clock but its own; each iteration takes a hundredth of a second."""

    def __init__(
        self,
        task: Task,
        loss: Loss = valley,
        workers: int = 2,
        observer: Callable[[Event], None] = lambda event: None,
        store: MemoryStore | None = None,
        metrics: Metrics = lambda spec, iteration: {},
    ) -> None:
        self.task = task
        self.loss = loss
        self.metrics = metrics
        self.workers = workers
        self.now = 0.0
        self.store = store or MemoryStore()
        self.coordinator = Coordinator(task, self.store, observer=observer)
        self._going: list[tuple[Trial, list[int]]] = []

    def clock(self) -> float:
        return self.now

    def go(self, evaluations: float = inf) -> "Run":
        """Go on to the end, or for so many evaluations."""
        while evaluations > 0:
            while len(self._going) < self.workers and (trial := self.coordinator.ask()):
                self._going.append((trial, list(self.task.budget.evaluations())))
            if not self._going:
                break
            for going in tuple(self._going):
                self._evaluate(*going)
                evaluations -= 1
            self.now += 0.01 * self.task.budget.evaluate_every
        return self

    def states(self) -> dict[SearchId, SearchState]:
        """Where the searches stand, as someone sees it who only reads the record."""
        return survey(self.task, self.store.trials())

    def _evaluate(self, trial: Trial, left: list[int]) -> None:
        if trial.id not in {running.id for running in self.coordinator.running}:
            self._forget(trial)  # it was stopped for what another one reported
            return
        iteration = left.pop(0)
        value = self.loss(trial.spec, iteration)
        seconds = 0.01 * iteration
        if value != value:
            self._end(trial, Diverged(iteration), seconds)
        elif value == inf:
            error = 'Traceback (most recent call last):\n  File "x.py", line 1\nRuntimeError: out of memory'
            self._end(trial, Failed(error), seconds)
        else:
            metrics = {self.task.metric.name: value, **self.metrics(trial.spec, iteration)}
            goes_on = self.coordinator.report(trial.id, Evaluation(iteration, value, metrics), seconds)
            if goes_on and not left:
                self._end(trial, Finished(value), seconds)
            elif not goes_on:
                self._forget(trial)

    def _end(self, trial: Trial, outcome: Finished | Diverged | Failed, seconds: float) -> None:
        self._forget(trial)
        curve = next(running.curve for running in self.coordinator.running if running.id == trial.id)
        self.coordinator.tell(trial.id, outcome, curve, seconds)

    def _forget(self, trial: Trial) -> None:
        self._going = [going for going in self._going if going[0].id != trial.id]


def sgd(start: float, limits: tuple[float, float], **changes: object) -> Task:
    return make_task({"sgd": entry("sgd", hyperparameters={"lr": lr(start, limits)})}, **changes)


def flat(spec: TrialSpec, iteration: int) -> float:
    """No network learns: below 1 the loss stays where it was, above it is NaN."""
    return 2.31 if spec.rung < 0 or iteration == 0 else nan


def none_learned() -> Run:
    return Run(sgd(0.1, (0.01, 1.0)), flat).go()


def at_limit() -> Run:
    return Run(sgd(0.3, (0.3, 10.0))).go()


def failing() -> Run:
    """Seed 1 at 0.1 runs out of memory."""

    def loss(spec: TrialSpec, iteration: int) -> float:
        return inf if spec.seed == 1 and iteration == 500 and spec.rung == -2 else valley(spec, iteration)

    once = replace(sgd(0.1, (1e-8, 1e3)), resources=Resources(max_failures=0))
    return Run(once, loss).go()


def blocked() -> Run:
    """SGD finds nothing, so CProp-SGD has no rate to search its c at."""
    task = paper_task()
    entries = {**task.entries, "sgd": entry("sgd", hyperparameters={"lr": lr(0.1, (0.01, 1.0))})}

    def loss(spec: TrialSpec, iteration: int) -> float:
        return flat(spec, iteration) if spec.search.entry == "sgd" else valley(spec, iteration)

    return Run(replace(task, entries=entries), loss).go()


def one_seed() -> Run:
    return Run(sgd(0.1, (1e-8, 1e3), seeds=1)).go()


def accuracy_over_beta(**changes: object) -> Run:
    """A metric that is to be high, on the ladder of 1 - beta."""
    beta = Searched(0.99, "beta", (0.0, 0.99999))
    hyperparameters = {"lr": 0.1, "cprop.c": 1.0, "cprop.beta": beta}
    cprop = entry("cprop_sgd", "sgd", hyperparameters=hyperparameters, wrapped_in_cprop=True)

    def accuracy(spec: TrialSpec, iteration: int) -> float:
        noise = 0.003 * ((spec.seed * 7 + spec.rung * 3) % 5)
        return 0.1 + 0.8 * iteration / (iteration + 500) * (1 - 0.03 * abs(spec.rung - 6) ** 1.2 + noise)

    return Run(make_task({"cprop_sgd": cprop}, metric=Metric("accuracy", "max"), **changes), accuracy).go()
