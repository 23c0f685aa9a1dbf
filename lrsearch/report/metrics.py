"""All metrics that a workload gives: where each candidate ended in them, and their curves.

They come from the same evaluations as the one that decides, and are averaged as that one is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite

from lrsearch.averages import deviation_of, mean_of
from lrsearch.report.findings import Finding
from lrsearch.report.numbers import spread_text
from lrsearch.task.model import Task
from lrsearch.trial import Evaluation, Finished, Trial
from lrsearch.verdict import Row


@dataclass(frozen=True, slots=True)
class EndValue:
    """A metric at the end of a candidate's trainings.

    Attributes:
        mean: over the seeds; None where a seed's is NaN or infinite.
        std: the sample standard deviation over the seeds; None below two, and where ``mean`` is.
    """

    mean: float | None
    std: float | None

    def __str__(self) -> str:
        return "not finite" if self.mean is None else spread_text(self.mean, self.std)


def end_metrics(task: Task, row: Row | None, trials: Iterable[Trial]) -> dict[str, EndValue]:
    """Give all metrics of a candidate at its end, the deciding one included, in the workload's order.

    Each is the mean of those evaluations of a seed that decide, then over the seeds that ``row`` counts.

    Args:
        task: the task.
        row: the candidate's numbers; nothing is given for one that has no mean.
        trials: those of its search, or its own.
    """
    if row is None or row.mean is None:
        return {}
    own = [t for t in trials if t.spec.rung == row.rung and isinstance(t.outcome, Finished)]
    counted = sorted(own, key=lambda trial: trial.spec.seed)[: row.seeds]
    ends = [evaluation for trial in counted for evaluation in task.metric.deciding(trial.curve)]
    names = [name for name in ends[0].metrics if all(name in evaluation.metrics for evaluation in ends)]
    return {name: _end_value([_at_end(task, trial, name) for trial in counted]) for name in names}


def other_metrics(task: Task, row: Row | None, trials: Iterable[Trial]) -> dict[str, EndValue]:
    """Give the metrics of a candidate at its end without the one that decides."""
    ends = end_metrics(task, row, trials)
    return {name: end for name, end in ends.items() if name != task.metric.name}


def metrics_text(ends: Mapping[str, EndValue]) -> str:
    """Write metrics in a line.

    >>> metrics_text({"test_loss": EndValue(0.31204, 0.0043), "test_accuracy": EndValue(0.891, None)})
    'test_loss 0.3120 ± 0.0043, test_accuracy 0.8910'
    """
    return ", ".join(f"{name} {end}" for name, end in ends.items())


def measured_by(finding: Finding, name: str) -> Finding:
    """Give a candidate with the curves of another metric in place of the deciding one's, where they are finite."""

    def curve(trial: Trial) -> Iterable[Evaluation]:
        for evaluation in trial.curve:
            value = evaluation.metrics.get(name)
            if value is not None and isfinite(value):
                yield replace(evaluation, value=value)

    replicas = tuple(replace(trial, curve=tuple(curve(trial))) for trial in finding.replicas)
    return replace(finding, replicas=replicas)


def _at_end(task: Task, trial: Trial, name: str) -> float:
    return mean_of([evaluation.metrics[name] for evaluation in task.metric.deciding(trial.curve)])


def _end_value(values: list[float]) -> EndValue:
    if not all(map(isfinite, values)):
        return EndValue(None, None)
    return EndValue(mean_of(values), deviation_of(values) if len(values) > 1 else None)
