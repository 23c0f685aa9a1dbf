"""Does the bound on regret hold, and how sharp is it? Simulated searches, with the truth known.

    python benchmarks/regret_bound.py [--searches 2000] [--output benchmarks/regret_bound.json]

Searches are drawn from the tables in ``replay/tables`` (ten of their seeds, without replacement; the truth is the mean
over all of them) and from synthetic valleys. Each walks its ladder by the bracket from a start within four rungs of the
best. Some valleys begin at a finite value, near the best or far from it, as losses and as scores, with light tails and
heavy ones: there a rung may seem not to have learned by chance. The bound is judged after one look with three seeds,
and over looks with 3, 5, 8 and 10, where contenders alone get more seeds. A look misses when the choice loses more to
the best of those trained than its bound says; a search misses when any of its looks does.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import numpy as np
from regret_settings import MOST_SEEDS, Drawn, Setting, settings
from rich.console import Console
from rich.table import Table
from scipy import optimize, stats

from lrsearch.standalone import outcome_of
from lrsearch.strategies import Bracket, Candidate, NoneLearned, Standing
from lrsearch.strategies.standing import BEHIND
from lrsearch.trial import Evaluation, Mode, SearchId, Trial, TrialSpec
from lrsearch.verdict.learning import did_not_learn
from lrsearch.verdict.regret import PRIOR_FREEDOM, Array, Comparison, compare, freedom_of, moderated

LOOKS = (3, 5, 8, MOST_SEEDS)
SPENDING = {"equal": (1, 1, 1, 1), "more to the last": (1, 2, 3, 4), "more to the first": (2, 1, 1, 1)}
"""How an error of 5 % may be shared among the looks."""
TOLERANCE, ERROR = 0.05, 0.05

Walked = tuple[dict[int, bool], int | None]
"""The rungs trained, with whether each is a rival and still counts; the rung where the bracket ends, if one learned."""
SEARCH = SearchId("simulated", "lr")


Procedure = Callable[[Array, Array, Array, float], Array]
"""From chosen [s, seeds], rivals [s, k, seeds], their distances in rungs [s, k] and an error to the largest logarithms
of ratios that each rival may be ahead by, [s, k]."""


def scaled(logarithms: bool, chosen: Array, rivals: Array) -> tuple[Array, Array]:
    """Give leads [s, k], and per seed [s, 1 + k, seeds] the chosen one and its rivals less their means."""
    together = np.concatenate([chosen[:, None], rivals], axis=1)
    means = together.mean(axis=2, keepdims=True)
    if logarithms:
        together = np.log(together)
        centre = together.mean(axis=2, keepdims=True)
        return (centre[:, 1:] - centre[:, :1])[..., 0], together - centre
    return np.log(means[:, 1:] / means[:, :1])[..., 0], together / means - 1


def pooled(logarithms: bool, chosen: Array, rivals: Array, distances: Array, error: float) -> Array:
    """One variance for all: what an additive model leaves over within two rungs, and Dunnett's critical value."""
    leads, rest = scaled(logarithms, chosen, rivals)
    near = np.concatenate([np.ones((len(chosen), 1), bool), distances <= 2], axis=1)
    inside = np.where(near[..., None], rest, np.nan)
    rest = inside - np.nanmean(inside, axis=1, keepdims=True)
    freedom = (near.sum(axis=1) - 1) * (chosen.shape[1] - 1)
    deviation = np.sqrt(2 * np.nansum(rest**2, axis=(1, 2)) / freedom / chosen.shape[1])
    critical = np.array([dunnett(rivals.shape[1], int(f), error) for f in freedom])
    return (critical * deviation)[:, None] - leads


def trimmed(chosen: Array, rivals: Array, distances: Array, error: float) -> Array:
    """Pooled, but a pair whose standard deviation is above three times the median one has its own variance."""
    leads, rest = scaled(False, chosen, rivals)
    seeds, own = chosen.shape[1], (rest[:, 1:] - rest[:, :1]).var(axis=2, ddof=1)
    noisy = own > 9 * np.median(own, axis=1, keepdims=True)
    quiet = np.concatenate([np.ones((len(chosen), 1), bool), ~noisy & (distances <= 2)], axis=1)
    inside = np.where(quiet[..., None], rest, np.nan)
    inside = inside - np.nanmean(inside, axis=1, keepdims=True)
    freedom = np.maximum(quiet.sum(axis=1) - 1, 1)[:, None] * (seeds - 1)
    variance = np.where(noisy, own, 2 * np.nansum(inside**2, axis=(1, 2))[:, None] / freedom)
    critical = stats.t.isf(error / rivals.shape[1], np.where(noisy, seeds - 1, freedom))
    return critical * np.sqrt(variance / seeds) - leads


def moderate(
    logarithms: bool, prior: float, chosen: Array, rivals: Array, distances: Array, error: float
) -> Array:
    """A variance for each pair, drawn towards the typical one; Bonferroni. With a prior of 0, the paired t."""
    leads, rest = scaled(logarithms, chosen, rivals)
    seeds, own = chosen.shape[1], (rest[:, 1:] - rest[:, :1]).var(axis=2, ddof=1)
    freedom = freedom_of(rivals.shape[1], seeds, prior)
    variance = moderated(own, seeds, prior)
    return Comparison(leads, variance, freedom, seeds, True).allowance(1 - error) - leads


def as_shipped(chosen: Array, rivals: Array, distances: Array, error: float) -> Array:
    """The bound that verdicts give."""
    comparison = compare(chosen, rivals, "min", True)
    return comparison.allowance(1 - error) - comparison.lead


PRIORS = (0, 2, 3, 4, 6)
PROCEDURES: dict[str, Procedure] = {
    "as shipped": as_shipped,
    "pooled, logarithms, Dunnett (first version)": partial(pooled, True),
    "pooled, ratio of means, Dunnett": partial(pooled, False),
    "pooled, noisy pairs apart, ratio of means": trimmed,
    **{f"prior of {prior}, ratio of means": partial(moderate, False, prior) for prior in PRIORS},
    f"prior of {PRIOR_FREEDOM}, logarithms": partial(moderate, True, PRIOR_FREEDOM),
}


@cache
def dunnett(comparisons: int, freedom: int, error: float) -> float:
    """Give the one-sided critical value of Dunnett's test with equal groups, integrated numerically."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    spread = np.sqrt(stats.chi2.ppf((np.arange(400) + 0.5) / 400, freedom) / freedom)[:, None]

    def excess(critical: float) -> float:
        inside = stats.norm.cdf(math.sqrt(2) * critical * spread + nodes) ** comparisons
        return float((inside @ weights).mean() / weights.sum()) - 1 + error

    return float(optimize.brentq(excess, 0.0, 200.0, xtol=1e-6))


def walk(drawn: Drawn, search: int, seeds: int, contenders: dict[int, bool]) -> Walked:
    """Walk one ladder by the bracket.

    Args:
        drawn: the setting's searches.
        search: which of them.
        seeds: how many.
        contenders: the rungs trained at earlier looks, and whether each still counts.
    """
    candidates = {}
    known: dict[int, Standing] = {rung: BEHIND for rung, counts in contenders.items() if not counts}
    bracket = Bracket(int(drawn.starts[search]), 0, drawn.values.shape[1] - 1, seeds, drawn.mode)

    def learn(rungs: Iterable[int]) -> None:
        for rung in rungs:
            candidates[rung] = candidate_of(rung, drawn, search, seeds)
            known[rung] = bracket.standing_of(candidates[rung])

    learn(rung for rung, counts in contenders.items() if counts)
    while isinstance(step := bracket.next_step(known), tuple):
        learn(step)
    ending = None if isinstance(step, NoneLearned) else step.rung
    rivals = {r: not c.diverged and not did_not_learn(c, drawn.mode) for r, c in candidates.items()}
    return {rung: rivals.get(rung, False) for rung in known}, ending


def candidate_of(rung: int, drawn: Drawn, search: int, seeds: int) -> Candidate:
    """Make the candidate that a rung's first seeds are."""
    begun = (Evaluation(0, drawn.initial),)
    return Candidate(
        rung,
        {
            seed: Trial("", TrialSpec(SEARCH, rung, seed, {}), begun, outcome_of(value, 1))
            for seed, value in enumerate(drawn.values[search, rung, :seeds].tolist())
        },
    )


def simulate(
    drawn: Drawn, first: list[Walked], procedure: Procedure, looks: tuple[int, ...], shares: tuple[int, ...]
) -> dict[str, float]:
    """Run all searches of a setting to their ends, and give the rates of what happened.

    Args:
        drawn: the searches.
        first: how each walks its ladder at the first look.
        procedure: what bounds regret.
        looks: numbers of seeds.
        shares: of the error, a number a look.
    """
    searches = len(drawn.values)
    bounds, ladder = np.full(searches, np.nan), np.full(searches, np.nan)
    ties, seeds_used = np.zeros(searches), np.zeros(searches)
    missed, given_up = np.zeros(searches, bool), np.zeros(searches, bool)
    contenders: list[dict[int, bool]] = [{} for _ in range(searches)]
    going = list(range(searches))
    for look, seeds in enumerate(looks):
        error = ERROR * shares[look] / sum(shares)
        walked = {s: walk(drawn, s, seeds, contenders[s]) if look else first[s] for s in going}
        going = []
        for group, chosen, rivals in by_rivals(walked):
            own = drawn.values[group, chosen, :seeds]
            others = drawn.values[group[:, None], rivals, :seeds]
            if procedure is as_shipped and rivals.size:
                found = compare(own, others, drawn.mode, True)
                sign = 1 if drawn.mode == "min" else -1
                doubtful = sign * (drawn.initial - others.mean(axis=2)) <= 0
                ahead = found.allowance(1 - error, doubtful) - found.lead
            else:
                ahead = (
                    procedure(own, others, np.abs(rivals - chosen[:, None]), error) if rivals.size else rivals
                )
            for i, search in enumerate(group):
                trained = list(walked[search][0])
                tied = rivals[i][ahead[i] > 0]
                # Without a rival nothing is claimed.
                bounds[search] = as_loss(max(0.0, *ahead[i]), drawn.mode) if rivals.size else np.inf
                regret = drawn.regret(search, chosen[i], trained)
                ladder[search] = drawn.regret(search, chosen[i], list(range(drawn.truth.shape[1])))
                missed[search] |= regret > bounds[search] + 1e-9
                ties[search], seeds_used[search] = len(tied), seeds
                contenders[search] = {rung: rung == chosen[i] or rung in tied for rung in trained}
                if bounds[search] > TOLERANCE and look < len(looks) - 1:
                    going.append(search)
                    if procedure is as_shipped and tied.size:
                        others_of = drawn.values[search, tied, :seeds]
                        given_up[search] |= hopeless(own[i], others_of, looks, error, drawn.mode)
    ended = ~np.isnan(bounds)
    resolved = bounds <= TOLERANCE
    rates = {
        "missed": missed[ended].mean(),
        "missed_of_ladder": (ladder > bounds + 1e-9)[ended].mean(),
        "median_bound": np.median(bounds[ended]),
        "resolved": resolved[ended].mean(),
        "ties": ties[ended].mean(),
        "seeds": seeds_used[ended].mean(),
        "given_up": given_up[ended].mean(),
        "given_up_wrongly": (given_up & resolved)[ended].mean(),
    }
    return {name: round(float(rate), 4) for name, rate in rates.items()}


def by_rivals(walked: dict[int, Walked]) -> Iterator[tuple[Array, Array, Array]]:
    """Group searches [s] by how many rivals the chosen rungs [s] have, with those rivals [s, k]."""
    groups: dict[int, list[int]] = {}
    for search, (counts, ending) in walked.items():
        if ending is not None:
            groups.setdefault(sum(counts.values()) - 1, []).append(search)
    for group in groups.values():
        rivals = [[r for r, counts in walked[s][0].items() if counts and r != walked[s][1]] for s in group]
        chosen = np.array([walked[s][1] for s in group])
        yield np.array(group), chosen, np.array(rivals, dtype=int).reshape(len(group), -1)


def as_loss(ahead: float, mode: Mode) -> float:
    """Give a logarithm of a ratio as a fraction of the better one's metric."""
    sign = 1 if mode == "min" else -1
    return float(sign * np.expm1(sign * ahead))


def hopeless(own: Array, others: Array, looks: tuple[int, ...], error: float, mode: Mode) -> bool:
    """Whether a search would be given up: see ``lrsearch.verdict.regret.may_be_resolved``."""
    hoped = compare(own, others, mode, True).hoped(looks[-1])
    return any(as_loss(ahead, mode) > TOLERANCE for ahead in hoped.allowance(1 - error) - hoped.lead)


Rates = dict[str, dict[str, float]]
"""What happened, by setting."""


def measure(kinds: dict[str, dict[str, Setting]], searches: int) -> dict[str, dict[str, Rates]]:
    """Give the rates by procedure or spending, kind of setting and setting."""
    runs = {name: (procedure, (3,), (1,)) for name, procedure in PROCEDURES.items()}
    runs |= {f"looks, {name}": (as_shipped, LOOKS, shares) for name, shares in SPENDING.items()}
    first_version = "pooled, logarithms, Dunnett (first version)"
    runs[f"looks, equal: {first_version}"] = (PROCEDURES[first_version], LOOKS, SPENDING["equal"])
    measured: dict[str, dict[str, Rates]] = {name: {kind: {} for kind in kinds} for name in runs}
    for kind, members in kinds.items():
        for number, (setting, draw) in enumerate(members.items()):
            drawn = draw(np.random.default_rng(number), searches)
            first = [walk(drawn, search, LOOKS[0], {}) for search in range(searches)]
            for name, run in runs.items():
                # The other procedures are there to compare with, and compare losses.
                if kind != "beginning" or run[0] is as_shipped:
                    measured[name][kind][setting] = simulate(drawn, first, *run)
            print(f"{setting}: done", file=sys.stderr, flush=True)
    return measured


def left_out(measured: dict[str, dict[str, Rates]]) -> dict[str, float | None]:
    """Choose the prior without each workload in turn: of the honest ones that which resolves most, then the least.

    Give the chosen prior, by the workload that had no say; None where none was honest.
    """
    chosen: dict[str, float | None] = {}
    for workload in sorted({setting.split()[0] for setting in measured["as shipped"]["recorded"]}):
        scores = {}
        for prior in PRIORS:
            rates = measured[f"prior of {prior}, ratio of means"]
            others = [r for name, r in rates["recorded"].items() if name.split()[0] != workload]
            worst = max(r["missed"] for r in [*others, *rates["synthetic"].values()])
            if worst <= ERROR and others:
                scores[prior] = round(float(np.mean([r["resolved"] for r in others])), 2)
        chosen[workload] = min(scores, key=lambda prior: (-scores[prior], prior), default=None)
    return chosen


def table(measured: dict[str, dict[str, Rates]]) -> Table:
    """Make the table of procedures: the worst setting of each kind, and how sharp on recorded and synthetic ones."""
    columns = ("missed at most, %", "beyond reach, %", "recorded: resolved, %", "median bound, %", "ties")
    columns += ("synthetic: resolved, %", "median bound, %", "ties", "seeds")
    shown = Table("procedure", *columns)
    for name, kinds in measured.items():
        within = [rates for kind in ("recorded", "synthetic", "beginning") for rates in kinds[kind].values()]
        numbers = [max(r["missed"] for r in rates) for rates in (within, kinds["beyond reach"].values())]
        for kind in ("recorded", "synthetic"):
            for rate in ("resolved", "median_bound", "ties"):
                mean = float(np.mean([r[rate] for r in kinds[kind].values()]))
                numbers.append(mean if rate != "ties" else mean / 100)
        seeds = float(np.mean([r["seeds"] for r in kinds["synthetic"].values()]))
        shown.add_row(name, *(f"{100 * number:.1f}" for number in numbers), f"{seeds:.1f}")
    return shown


def settings_table(measured: dict[str, dict[str, Rates]]) -> Table:
    """Make the table of settings, for the bound that verdicts give."""
    columns = ("missed", "missed of ladder", "resolved", "bound", "looks: missed", "resolved", "seeds")
    shown = Table("setting", *columns, "given up", "wrongly")
    for kind, members in measured["as shipped"].items():
        for setting, one in members.items():
            many = measured["looks, equal"][kind][setting]
            rates = [one["missed"], one["missed_of_ladder"], one["resolved"], one["median_bound"]]
            rates += [many["missed"], many["resolved"], many["seeds"] / 100, many["given_up"]]
            wrongly = many["given_up_wrongly"] / many["given_up"] if many["given_up"] else 0.0
            shown.add_row(setting, *(f"{100 * rate:.1f}" for rate in [*rates, wrongly]))
    return shown


def main() -> None:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=2000, help="a setting (default: 2000)")
    parser.add_argument(
        "--only", default="", help="kinds of settings whose name has this in it; writes nothing"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    if arguments.searches < 1:
        parser.error("--searches takes 1 or more")
    console = Console(width=180)
    if arguments.only:
        kinds = {kind: members for kind, members in settings().items() if arguments.only in kind}
        console.print(settings_table(measure(kinds, arguments.searches)))
        return
    measured = measure(settings(), arguments.searches)
    console.print(table(measured), settings_table(measured))
    priors = left_out(measured)
    console.print(f"prior chosen without each workload: {priors}")
    date = datetime.now(UTC).date().isoformat()
    result = {"date": date, "searches": arguments.searches, "measured": measured, "left_out": priors}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
