"""Whether the data show that a candidate did not learn: a judgement with an error, and not a noisy mean by itself."""

import math

import scipy  # imports scipy.special when that is first used

from lrsearch.averages import deviation_of, mean_of
from lrsearch.strategies import Candidate
from lrsearch.strategies.candidates import LEARNED_BY
from lrsearch.trial import Mode

ERROR = 0.001
"""How often a candidate that learned may be taken for one that did not: little beside the 5 % of the bound."""


def did_not_learn(candidate: Candidate, mode: Mode) -> bool:
    """Whether the seeds show, with an error of ``ERROR``, that the true mean is not 1 % better than at iteration 0.

    It is Student's one-sided test of what each seed falls short of that. One seed alone shows what its mean says, as
    nothing is claimed from one. A mean over few seeds may fall short by chance: of an exponential reward that
    doubles, the mean of three seeds ends below its beginning in one case of five.
    """
    if candidate.learned(mode):
        return False
    sign = 1 if mode == "min" else -1
    short = [
        sign * (value - candidate.replicas[seed].curve[0].value) + LEARNED_BY * abs(candidate.initial)
        for seed, value in candidate.values.items()
    ]
    seeds, mean = len(short), mean_of(short)
    if seeds < 2:
        return True
    error = deviation_of(short) / math.sqrt(seeds)
    quantile = -float(scipy.special.stdtrit(seeds - 1, ERROR))
    return mean > quantile * error or (mean >= 0 and error == 0)
