"""Two entries compared over paired seeds: Student's t intervals, and how much sooner one is where the other ends."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import scipy  # imports scipy.special when that is first used

from lrsearch.averages import deviation_of, mean_of
from lrsearch.task.model import Mode
from lrsearch.trial import Curve, Finished, Trial
from lrsearch.verdict.regret import CONFIDENCE


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with its 95 % interval by Student's t; without ends below two seeds."""

    mean: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """How soon one entry is where another ends, over the seeds that both finished.

    Attributes:
        base: iterations after which the base itself is first there, mean over the seeds.
        iterations: those of the other entry; None where a seed never gets there.
        reached: on how many seeds it does.
        seeds: of how many.
        factor: how many times as fast it is, the geometric mean over seeds; None with ``iterations``.
    """

    base: float
    iterations: float | None
    reached: int
    seeds: int
    factor: Interval | None


def interval(values: Sequence[float]) -> Interval | None:
    """Give the mean of values, one a seed, with its interval; None where there are none."""
    if not values:
        return None
    mean, seeds = mean_of(values), len(values)
    if seeds < 2:
        return Interval(mean, None, None, seeds)
    half = (
        float(scipy.special.stdtrit(seeds - 1, (1 + CONFIDENCE) / 2))
        * deviation_of(values)
        / math.sqrt(seeds)
    )
    return Interval(mean, mean - half, mean + half, seeds)


def paired(one: Mapping[int, float], other: Mapping[int, float]) -> Interval | None:
    """Give the mean of ``one - other`` over the seeds that both have; None without any."""
    return interval([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])


def first_reach(curve: Curve, level: float, mode: Mode) -> float | None:
    """Give the iteration at which a curve is first at least as good as a level, between evaluations on a line.

    None where it never is.
    """
    sign = 1 if mode == "min" else -1
    before = None
    for evaluation in curve:
        above = sign * (evaluation.value - level)
        if above <= 0:
            if before is None:
                return float(evaluation.iteration)
            was = sign * (before.value - level)
            part = was / (was - above)
            return before.iteration + part * (evaluation.iteration - before.iteration)
        before = evaluation
    return None


def speed_up(base: Sequence[Trial], other: Sequence[Trial], mode: Mode) -> SpeedUp | None:
    """Give how much sooner the trainings of an entry are where those of its base end, paired by seed.

    None where no seed of the base finished with one of the other that has an outcome of its own.
    """
    ends = {t.spec.seed: t for t in base if isinstance(t.outcome, Finished)}
    own = {t.spec.seed: t for t in other if t.ended and t.curve}
    seeds = sorted(ends.keys() & own.keys())
    took: list[float] = []
    base_took: list[float] = []
    for seed in seeds:
        outcome = ends[seed].outcome
        assert isinstance(outcome, Finished)
        reach = first_reach(own[seed].curve, outcome.value, mode)
        first = first_reach(ends[seed].curve, outcome.value, mode)
        base_took.append(float(ends[seed].iterations) if first is None else first)
        if reach is not None:
            took.append(reach)
    if not seeds:
        return None
    if len(took) < len(seeds) or min(took) <= 0 or min(base_took) <= 0:
        return SpeedUp(mean_of(base_took), None, len(took), len(seeds), None)
    logarithms = interval([math.log(b / t) for b, t in zip(base_took, took, strict=True)])
    assert logarithms is not None
    low, high = (None if end is None else math.exp(end) for end in (logarithms.low, logarithms.high))
    factor = Interval(math.exp(logarithms.mean), low, high, len(seeds))
    return SpeedUp(mean_of(base_took), mean_of(took), len(took), len(seeds), factor)
