"""Published rules that read a learning rate off one range test, each snapped to the nearest rung of the ladder.

fastai: ``Learner.lr_find`` and its suggestions in ``fastai/callback/schedule.py`` (losses smoothed with 0.98, the
first tenth and the last five left out). Lightning: ``_LRFinder.suggestion`` in ``lightning/pytorch/tuner/lr_finder.py``
(the same smoothing; the first ten and the last one left out). Written anew here from what they compute.
"""

import math
from collections.abc import Callable

import numpy as np
from ours import Case, Found

SMOOTHING = 0.98


def smoothed(losses: np.ndarray) -> np.ndarray:
    """Give the running mean with its bias towards 0 taken out."""
    running, means = 0.0, []
    for iteration, loss in enumerate(losses, start=1):
        running = SMOOTHING * running + (1 - SMOOTHING) * loss
        means.append(running / (1 - SMOOTHING**iteration))
    return np.array(means)


def valley(lrs: np.ndarray, losses: np.ndarray) -> float:
    """fastai's default: half of the second third of the longest decreasing subsequence of the losses."""
    longest = np.ones(len(losses), int)
    for i in range(1, len(losses)):
        longest[i] = 1 + longest[:i][losses[:i] > losses[i]].max(initial=0)
    end = int(longest.argmax())
    # As published: as many iterations before its end as the subsequence is long.
    begin = end - int(longest[end]) if longest[end] > 1 else 0
    third = (end - begin) / 3
    return float(lrs[begin + int(third) + int(third / 2)])


def steepest(lrs: np.ndarray, losses: np.ndarray) -> float:
    """fastai's ``steep``: where the loss falls fastest with the logarithm of the rate."""
    return float(lrs[:-1][(np.diff(losses) / np.diff(np.log(lrs))).argmin()])


def minimum_over_10(lrs: np.ndarray, losses: np.ndarray) -> float:
    """fastai's ``minimum``: a tenth of the rate where the loss is lowest."""
    return float(lrs[losses.argmin()]) / 10


def lightning(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Lightning's: where the loss falls fastest with the rate itself."""
    return float(lrs[np.gradient(losses, lrs).argmin()])


Rule = Callable[[np.ndarray, np.ndarray], float]
RULES: dict[str, tuple[Rule, slice]] = {
    "fastai lr_find, valley": (valley, slice(10, -5)),
    "fastai lr_find, steepest": (steepest, slice(10, -5)),
    "fastai lr_find, minimum/10": (minimum_over_10, slice(10, -5)),
    "Lightning lr_find": (lightning, slice(10, -1)),
}


def suggested(case: Case, name: str) -> Found:
    """What a rule suggests after one range test."""
    rule, kept = RULES[name]
    losses = case.recording.range_losses[case.order[0]]
    losses = losses[np.isfinite(losses)]
    lr = rule(case.recording.range_lrs[: len(losses)][kept], smoothed(losses)[kept])
    return Found(nearest(case, lr), len(losses))


def nearest(case: Case, lr: float) -> int:
    """Give the recorded rung that is nearest to a rate: 1, 3, 10 are half a decade apart, nearly."""
    rungs = case.recording.rungs
    decades = np.array([rung // 2 + (math.log10(3) if rung % 2 else 0.0) for rung in rungs])
    return int(rungs[abs(decades - math.log10(lr)).argmin()])
