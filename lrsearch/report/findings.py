"""One candidate as people see it: its numbers, how it stands and why; tables and pictures start here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lrsearch.averages import mean_of
from lrsearch.report.numbers import difference_text, metric_text
from lrsearch.searches import SearchState, skips_of, task_of
from lrsearch.strategies import Candidate, Launch, Skip, candidates_of
from lrsearch.task.model import Task
from lrsearch.trial import Diverged, Failed, Finished, Stopped, Trial
from lrsearch.verdict import Measure, Row, measure_of, rows_of


class Mark(StrEnum):
    """How a candidate stands, in the words that tables use."""

    CHOSEN = "chosen"
    BEST_SO_FAR = "best so far"
    TIE = "may be as good"
    WORSE = "worse"
    DID_NOT_LEARN = "did not learn"
    DIVERGED = "diverged"
    STOPPED = "stopped"
    LEFT = "left behind"
    FAILED = "failed"
    RUNNING = "running"
    BEGUN = "begun"
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
    Mark.LEFT: "□",
    Mark.FAILED: "!",
    Mark.RUNNING: "▶",
    Mark.BEGUN: "·",
    Mark.PENDING: "·",
}

BEST = (Mark.CHOSEN, Mark.BEST_SO_FAR)
"""The marks of what the reader looks for."""


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
        skipped: its seeds that need not be trained to the end, and why; None if there are none.
        relative: mean paired difference to the chosen candidate as a fraction of that one's mean, or of what else
            regret is measured in.
        relative_error: standard error of ``relative``.
        of_learned: whether these are fractions of what was learned.
    """

    rung: int
    value: float
    mark: Mark
    remark: str
    row: Row | None
    replicas: tuple[Trial, ...]
    planned: int
    skipped: Skip | None
    relative: float | None
    relative_error: float | None
    of_learned: bool = False

    @property
    def worse(self) -> str:
        """How much worse than the chosen candidate it is; "" where there is nothing to say."""
        if self.relative is None:
            return ""
        return difference_text(self.relative, self.relative_error, of_learned=self.of_learned)

    @property
    def mean(self) -> float | None:
        """Its mean end metric; None where a seed of it has not run its whole budget."""
        return self.row.mean if self.row else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation of its end metric over seeds; None below two."""
        return self.row.std if self.row else None

    @property
    def last(self) -> float | None:
        """The mean of its last evaluations; None where ``mean`` is."""
        if self.mean is None:
            return None
        return mean_of([t.curve[-1].value for t in self.replicas if isinstance(t.outcome, Finished)])

    @property
    def ended(self) -> int:
        """How many of its trainings have ended."""
        return sum(trial.ended for trial in self.replicas)

    @property
    def whole(self) -> int:
        """How many of its trainings say how it does: those that ran their whole budget, or diverged."""
        return sum(isinstance(trial.outcome, Finished | Diverged) for trial in self.replicas)

    @property
    def running(self) -> tuple[Trial, ...]:
        """Its trainings that have not ended."""
        return tuple(trial for trial in self.replicas if not trial.ended)

    @property
    def words(self) -> str:
        """The mark and the remark."""
        if self.mark in (Mark.DIVERGED, Mark.STOPPED):
            return f"{self.mark} {self.remark}"
        return f"{self.mark}: {self.remark}" if self.remark else str(self.mark)


def findings(task: Task, state: SearchState) -> tuple[Finding, ...]:
    """Give a finding a candidate, lowest rung first, those that are to be trained next included."""
    task = task_of(task, state)
    candidates = candidates_of(state.evidence)
    best = best_candidate(task, state)
    skips = {skip.rung: skip for skip in skips_of(task, state)}
    rows = (
        state.verdict.rows
        if state.verdict
        else rows_of(
            state.searched, (_so_far(c, task.seeds) for c in candidates.values()), best, task.metric.mode
        )
    )
    by_rung = {row.rung: row for row in rows}
    wanted = state.decision.replicas if isinstance(state.decision, Launch) else ()
    measure = _measure(task, state, best)
    scale = measure.size if measure and measure.size else None
    found = []
    for rung in sorted(candidates.keys() | {rung for rung, _ in wanted}):
        candidate = candidates.get(rung, Candidate(rung, {}))
        row = by_rung.get(rung)
        mark = _mark(task, state, candidate, best, skips)
        is_best = best is not None and rung == best.rung
        found.append(
            Finding(
                rung=rung,
                value=state.searched.ladder.value(rung),
                mark=mark,
                remark=_remark(mark, candidate, task.seeds),
                row=row,
                replicas=tuple(trial for _, trial in sorted(candidate.replicas.items())),
                planned=max(
                    task.seeds,
                    len(candidate.replicas),
                    *(seed + 1 for of, seed in wanted if of == rung),
                ),
                skipped=skips.get(rung),
                relative=None if row is None or is_best else _over(row.difference, scale),
                relative_error=None if row is None or is_best else _over(row.difference_error, scale),
                of_learned=measure is not None and measure.unit == "learned",
            )
        )
    return tuple(found)


def best_candidate(task: Task, state: SearchState) -> Candidate | None:
    """Give the chosen candidate or, before there is one, the best of those that learned.

    These are compared over the seeds that each is to have; before any candidate has all of them, over the fewer
    ones with which the ladder is walked.
    """
    candidates, task = candidates_of(state.evidence), task_of(task, state)
    if state.verdict is not None:
        row = state.verdict.chosen_row
        return candidates[row.rung] if row else None
    sign = 1 if task.metric.mode == "min" else -1
    walking = [task.settings.screen or 1] if task.settings.screen or task.settings.race else []
    for seeds in (task.seeds, *walking):
        firsts = [candidate.first(seeds) for candidate in candidates.values()]
        learned = [c for c in firsts if c.complete(seeds) and c.learned(task.metric.mode)]
        if learned:
            return min(learned, key=lambda candidate: (sign * _mean(candidate), candidate.rung))
    return None


def initial_value(trials: Sequence[Trial]) -> float | None:
    """Give the mean metric before the first iteration; None before anything was evaluated."""
    values = [trial.curve[0].value for trial in trials if trial.curve and trial.curve[0].iteration == 0]
    return mean_of(values) if values else None


def _so_far(candidate: Candidate, seeds: int) -> Candidate:
    """The candidate as the seeds that have ended have it, once these are enough to say something."""
    if not candidate.running or not candidate.first(seeds).complete(seeds):
        return candidate
    return Candidate(candidate.rung, {seed: t for seed, t in candidate.replicas.items() if t.ended})


def _mark(
    task: Task,
    state: SearchState,
    candidate: Candidate,
    best: Candidate | None,
    skips: Mapping[int, Skip],
) -> Mark:
    outcomes = [trial.outcome for trial in candidate.replicas.values()]
    if any(isinstance(outcome, Failed) for outcome in outcomes):
        return Mark.FAILED
    if best is not None and candidate.rung == best.rung:
        return Mark.CHOSEN if state.verdict else Mark.BEST_SO_FAR
    if candidate.diverged:
        return Mark.DIVERGED
    if not candidate.replicas:
        return Mark.PENDING
    if candidate.running:
        return Mark.RUNNING
    if any(isinstance(outcome, Stopped) for outcome in outcomes):
        return Mark.STOPPED
    if state.verdict and state.searched.ladder.value(candidate.rung) in state.verdict.ties:
        return Mark.TIE
    if state.verdict and all(row.rung != candidate.rung for row in state.verdict.rows):
        return Mark.LEFT
    if not candidate.learned(task.metric.mode):
        return Mark.DID_NOT_LEARN
    if candidate.rung in skips or (state.verdict and not candidate.complete(task.seeds)):
        return Mark.LEFT
    if not candidate.complete(task.seeds):
        return Mark.BEGUN
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
            return diverged_text(stopped_at(candidate.replicas.values()), seeds)
        case Mark.RUNNING:
            ended = sum(trial.ended for trial in candidate.replicas.values())
            return f"{ended} of {seeds} seeds ended" if 0 < ended < seeds else ""
        case _:
            return ""


def stopped_at(trials: Iterable[Trial]) -> dict[int, int]:
    """Give the iteration at which each seed was stopped, of those that were."""
    return {trial.spec.seed: trial.iterations for trial in trials if isinstance(trial.outcome, Stopped)}


def iterations_saved(task: Task, state: SearchState) -> int:
    """Count what seeds that were not trained to the end would have cost more.

    That is a whole training each or, where a seed of the same candidate diverged, what the longest such one took.
    """
    saved = 0
    for skip in skips_of(task, state):
        replicas = {t.spec.seed: t for t in state.evidence if t.spec.rung == skip.rung}
        diverged = [at for trial in replicas.values() if (at := diverged_at(trial)) is not None]
        whole = max(diverged, default=task.budget.iterations)
        begun = [replicas[seed].iterations if seed in replicas else 0 for seed in skip.seeds]
        saved += sum(max(0, whole - iterations) for iterations in begun)
    return saved


def diverged_text(diverged: dict[int, int], seeds: int) -> str:
    """Say at which iteration which seeds diverged or were stopped.

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


def _measure(task: Task, state: SearchState, best: Candidate | None) -> Measure | None:
    """In what differences to the best candidate are measured: as the verdict has it, once there is one."""
    if state.verdict is not None and state.verdict.measure is not None:
        return state.verdict.measure
    if best is None or not best.values:
        return None
    # This is drawn many times while a run goes: of each training where it began and how far it is will do.
    seen = (e.value for trial in state.trials for e in trial.curve[:1] + trial.curve[-1:])
    return measure_of(best, seen, task.metric.mode, task.settings.kind)


def _mean(candidate: Candidate) -> float:
    assert candidate.mean is not None, "a candidate that learned has a mean"
    return candidate.mean


def _over(difference: float | None, scale: float | None) -> float | None:
    return None if difference is None or scale is None else difference / scale
