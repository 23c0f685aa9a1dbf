"""One candidate as people see it: its numbers, how it stands and why; tables and pictures start here."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lrsearch.report.numbers import metric_text
from lrsearch.search import Candidate, Launch, candidates_of
from lrsearch.searches import SearchState
from lrsearch.task.model import Task
from lrsearch.trial import Diverged, Failed, Stopped, Trial
from lrsearch.verdict import Row, rows_of


class Mark(StrEnum):
    """How a candidate stands, in the words that tables use."""

    CHOSEN = "chosen"
    BEST_SO_FAR = "best so far"
    TIE = "may be as good"
    WORSE = "worse"
    DID_NOT_LEARN = "did not learn"
    DIVERGED = "diverged"
    STOPPED = "stopped"
    FAILED = "failed"
    RUNNING = "running"
    PENDING = "to be trained"

    @property
    def glyph(self) -> str:
        """One character for the mark, so that nothing is said by colour alone."""
        return _GLYPHS[self]

    @property
    def dead(self) -> bool:
        """Whether the candidate cannot be chosen: it diverged or did not learn."""
        return self in (Mark.DID_NOT_LEARN, Mark.DIVERGED)


_GLYPHS = {
    Mark.CHOSEN: "★",
    Mark.BEST_SO_FAR: "★",
    Mark.TIE: "≈",
    Mark.WORSE: " ",
    Mark.DID_NOT_LEARN: "✗",
    Mark.DIVERGED: "✗",
    Mark.STOPPED: "■",
    Mark.FAILED: "!",
    Mark.RUNNING: "▶",
    Mark.PENDING: "·",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One candidate with all that is known about it.

    Attributes:
        rung: its rung.
        value: the hyperparameter's value there.
        mark: how it stands.
        remark: what the mark leaves out (where it diverged, how far it is); empty if nothing.
        row: its numbers; None before a seed of it began.
        replicas: its trainings by seed.
        planned: how many seeds it is to have.
        relative: mean paired difference to the chosen candidate as a fraction of that one's mean.
        relative_error: standard error of ``relative``.
    """

    rung: int
    value: float
    mark: Mark
    remark: str
    row: Row | None
    replicas: tuple[Trial, ...]
    planned: int
    relative: float | None
    relative_error: float | None

    @property
    def mean(self) -> float | None:
        """Its mean end metric; None where a seed of it has not run its whole budget."""
        return self.row.mean if self.row else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation of its end metric over seeds; None below two."""
        return self.row.std if self.row else None

    @property
    def ended(self) -> int:
        """How many of its trainings have ended."""
        return sum(trial.ended for trial in self.replicas)

    @property
    def running(self) -> tuple[Trial, ...]:
        """Its trainings that have not ended."""
        return tuple(trial for trial in self.replicas if not trial.ended)

    @property
    def words(self) -> str:
        """The mark and the remark."""
        if self.mark is Mark.DIVERGED:
            return f"{self.mark} {self.remark}"
        return f"{self.mark}: {self.remark}" if self.remark else str(self.mark)


def findings(task: Task, state: SearchState) -> tuple[Finding, ...]:
    """Give a finding a candidate, lowest rung first, those that are to be trained next included."""
    candidates = candidates_of(state.trials)
    best = best_candidate(task, state)
    rows = (
        state.verdict.rows
        if state.verdict
        else rows_of(state.searched, candidates.values(), best, task.metric.mode)
    )
    by_rung = {row.rung: row for row in rows}
    next_rungs = (
        {rung for rung, _ in state.decision.replicas} if isinstance(state.decision, Launch) else set()
    )
    found = []
    for rung in sorted(candidates.keys() | next_rungs):
        candidate = candidates.get(rung, Candidate(rung, {}))
        row = by_rung.get(rung)
        mark = _mark(task, state, candidate, best)
        scale = abs(best.mean) if best and best.mean else None
        is_best = best is not None and rung == best.rung
        found.append(
            Finding(
                rung=rung,
                value=state.searched.ladder.value(rung),
                mark=mark,
                remark=_remark(mark, candidate, task.seeds),
                row=row,
                replicas=tuple(trial for _, trial in sorted(candidate.replicas.items())),
                planned=max(task.seeds, len(candidate.replicas)),
                relative=None if row is None or is_best else _over(row.difference, scale),
                relative_error=None if row is None or is_best else _over(row.difference_error, scale),
            )
        )
    return tuple(found)


def best_candidate(task: Task, state: SearchState) -> Candidate | None:
    """Give the chosen candidate or, before there is one, the best of those that have ended and learned."""
    candidates = candidates_of(state.trials)
    if state.verdict is not None:
        row = state.verdict.chosen_row
        return candidates[row.rung] if row else None
    sign = 1 if task.metric.mode == "min" else -1
    learned = [c for c in candidates.values() if c.complete(task.seeds) and c.learned(task.metric.mode)]
    return min(learned, key=lambda candidate: (sign * _mean(candidate), candidate.rung), default=None)


def initial_value(trials: Sequence[Trial]) -> float | None:
    """Give the mean metric before the first iteration; None before anything was evaluated."""
    values = [trial.curve[0].value for trial in trials if trial.curve and trial.curve[0].iteration == 0]
    return sum(values) / len(values) if values else None


def _mark(task: Task, state: SearchState, candidate: Candidate, best: Candidate | None) -> Mark:
    if any(isinstance(trial.outcome, Failed) for trial in candidate.replicas.values()):
        return Mark.FAILED
    if best is not None and candidate.rung == best.rung:
        return Mark.CHOSEN if state.verdict else Mark.BEST_SO_FAR
    if candidate.diverged:
        return Mark.DIVERGED
    if not candidate.replicas:
        return Mark.PENDING
    if not candidate.complete(task.seeds):
        return Mark.RUNNING
    if any(isinstance(trial.outcome, Stopped) for trial in candidate.replicas.values()):
        return Mark.STOPPED
    if not candidate.learned(task.metric.mode):
        return Mark.DID_NOT_LEARN
    if state.verdict and state.searched.ladder.value(candidate.rung) in state.verdict.ties:
        return Mark.TIE
    return Mark.WORSE


def _remark(mark: Mark, candidate: Candidate, seeds: int) -> str:
    match mark:
        case Mark.DIVERGED:
            return diverged_text(candidate.diverged, max(seeds, len(candidate.replicas)))
        case Mark.DID_NOT_LEARN:
            began = initial_value(tuple(candidate.replicas.values()))
            return f"began at {metric_text(began)}" if began is not None else ""
        case Mark.FAILED:
            return "; ".join(f"seed {seed}: {last_line(error)}" for seed, error in candidate.failed.items())
        case Mark.STOPPED:
            stopped = [
                t.outcome.reason for t in candidate.replicas.values() if isinstance(t.outcome, Stopped)
            ]
            return stopped[0]
        case Mark.RUNNING:
            ended = sum(trial.ended for trial in candidate.replicas.values())
            return f"{ended} of {seeds} seeds ended" if ended else ""
        case _:
            return ""


def diverged_text(diverged: dict[int, int], seeds: int) -> str:
    """Say at which iteration which seeds diverged.

    >>> diverged_text({0: 250, 1: 250, 2: 250}, 3), diverged_text({0: 250, 1: 500, 2: 250}, 3)
    ('at iteration 250 (all seeds)', 'at iteration 250 (seeds 0, 2), 500 (seed 1)')
    """
    if len(diverged) == seeds > 1 and len(set(diverged.values())) == 1:
        return f"at iteration {next(iter(diverged.values()))} (all seeds)"
    by_iteration: defaultdict[int, list[str]] = defaultdict(list)
    for seed, iteration in diverged.items():
        by_iteration[iteration].append(str(seed))
    return "at iteration " + ", ".join(
        f"{iteration} (seed{'s' if len(of) > 1 else ''} {', '.join(of)})"
        for iteration, of in sorted(by_iteration.items())
    )


def last_line(error: str) -> str:
    """Give the last line of an error that says something: of a traceback, the exception itself."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def diverged_at(trial: Trial) -> int | None:
    """Give the iteration at which a training diverged; None if it did not."""
    return trial.outcome.iteration if isinstance(trial.outcome, Diverged) else None


def _mean(candidate: Candidate) -> float:
    assert candidate.mean is not None, "a candidate that learned has a mean"
    return candidate.mean


def _over(difference: float | None, scale: float | None) -> float | None:
    return None if difference is None or scale is None else difference / scale
