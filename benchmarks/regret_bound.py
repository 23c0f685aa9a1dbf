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
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from regret_procedures import PREVIOUS, PROCEDURES, Procedure, as_shipped
from regret_settings import MOST_SEEDS, Drawn, Setting, settings
from rich.console import Console
from rich.table import Table

from lrsearch.standalone import outcome_of
from lrsearch.strategies import Bracket, Candidate, NoneLearned, Standing
from lrsearch.strategies.standing import BEHIND
from lrsearch.trial import Evaluation, SearchId, Trial, TrialSpec
from lrsearch.verdict.learning import did_not_learn
from lrsearch.verdict.regret import Array, Integers, compare

LOOKS = (3, 5, 8, MOST_SEEDS)
TOLERANCE, ERROR = 0.05, 0.05

Walked = tuple[dict[int, bool], int | None]
"""The rungs trained, with whether each is a rival and still counts; the rung where the bracket ends, if one learned."""
SEARCH = SearchId("simulated", "lr")


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
    drawn: Drawn, first: list[Walked], procedure: Procedure, looks: tuple[int, ...]
) -> dict[str, float]:
    """Run all searches of a setting to their ends, and return the rates of what happened.

    Args:
        drawn: the searches.
        first: how each walks its ladder at the first look.
        procedure: what bounds regret.
        looks: numbers of seeds; they share the error equally.
    """
    searches = len(drawn.values)
    bounds, ladder = np.full(searches, np.nan), np.full(searches, np.nan)
    ties, seeds_used = np.zeros(searches), np.zeros(searches)
    missed, given_up = np.zeros(searches, bool), np.zeros(searches, bool)
    contenders: list[dict[int, bool]] = [{} for _ in range(searches)]
    going = list(range(searches))
    error = ERROR / len(looks)
    for look, seeds in enumerate(looks):
        walked = {s: walk(drawn, s, seeds, contenders[s]) if look else first[s] for s in going}
        going = []
        for group, chosen, rivals in by_rivals(walked):
            lost = lost_to(rivals, procedure, drawn, group, chosen, seeds, error)
            for i, search in enumerate(group):
                trained = list(walked[search][0])
                tied = rivals[i][lost[i] > 0]
                # Without a rival nothing is claimed.
                bounds[search] = max(0.0, *lost[i]) if rivals.size else np.inf
                regret = drawn.regret(search, chosen[i], trained)
                ladder[search] = drawn.regret(search, chosen[i], list(range(drawn.truth.shape[1])))
                missed[search] |= regret > bounds[search] + 1e-9
                ties[search], seeds_used[search] = len(tied), seeds
                contenders[search] = {rung: rung == chosen[i] or rung in tied for rung in trained}
                if bounds[search] > TOLERANCE and look < len(looks) - 1:
                    going.append(search)
                    if procedure is as_shipped and tied.size:
                        given_up[search] |= hopeless(drawn, search, chosen[i], tied, seeds, looks)
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


def by_rivals(walked: dict[int, Walked]) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Group searches [s] by how many rivals the chosen rungs [s] have, with those rivals [s, k]."""
    groups: dict[int, list[int]] = {}
    for search, (counts, ending) in walked.items():
        if ending is not None:
            groups.setdefault(sum(counts.values()) - 1, []).append(search)
    for group in groups.values():
        rivals = [[r for r, counts in walked[s][0].items() if counts and r != walked[s][1]] for s in group]
        chosen = np.array([walked[s][1] for s in group])
        yield np.array(group), chosen, np.array(rivals, dtype=int).reshape(len(group), -1)


def lost_to(
    rivals: Integers,
    procedure: Procedure,
    drawn: Drawn,
    group: Integers,
    chosen: Integers,
    seeds: int,
    error: float,
) -> Array:
    """Return the most that the chosen rungs [s] of a group of searches [s] lose to rivals [s, k], as fractions."""
    if not rivals.size:
        return np.empty(rivals.shape)
    own, others = drawn.values[group, chosen, :seeds], drawn.values[group[:, None], rivals, :seeds]
    sign = 1 if drawn.mode == "min" else -1
    doubtful = (sign * (drawn.initial - others) <= 0).mean(axis=2) > 0.5
    as_ratios = bool((own > 0).all() and (others > 0).all())
    return procedure(own, others, rivals - chosen[:, None], doubtful, drawn.mode, as_ratios, error)


def hopeless(
    drawn: Drawn, search: int, chosen: int, tied: Integers, seeds: int, looks: tuple[int, ...]
) -> bool:
    """Whether a search would be given up: see ``lrsearch.verdict.regret.may_be_resolved``."""
    own, others = drawn.values[search, chosen, :seeds], drawn.values[search, tied, :seeds]
    hoped = compare(own, others, tied - chosen, drawn.mode, True).hoped(looks[-1])
    bounds = hoped.allowance(1 - ERROR / len(looks)) - hoped.lead
    return bool((hoped.as_loss(bounds, drawn.mode) > TOLERANCE).any())


Rates = dict[str, dict[str, float]]
"""What happened, by setting."""


LOOKED = "as shipped, all looks", f"{PREVIOUS}, all looks"


def measure(kinds: dict[str, dict[str, Setting]], searches: int) -> dict[str, dict[str, Rates]]:
    """Return the rates by procedure, kind of setting and setting."""
    runs = {name: (procedure, LOOKS[:1]) for name, procedure in PROCEDURES.items()}
    runs |= {LOOKED[0]: (as_shipped, LOOKS), LOOKED[1]: (PROCEDURES[PREVIOUS], LOOKS)}
    measured: dict[str, dict[str, Rates]] = {name: {kind: {} for kind in kinds} for name in runs}
    for kind, members in kinds.items():
        for number, (setting, draw) in enumerate(members.items()):
            drawn = draw(np.random.default_rng(number), searches)
            first = [walk(drawn, search, LOOKS[0], {}) for search in range(searches)]
            for name, run in runs.items():
                measured[name][kind][setting] = simulate(drawn, first, *run)
            print(f"{setting}: done", file=sys.stderr, flush=True)
    return measured


def table(measured: dict[str, dict[str, Rates]]) -> Table:
    """Make the table of procedures: the worst setting of each kind, and how sharp on recorded and synthetic ones."""
    columns = (
        "missed at most, %",
        "beginning",
        "beyond reach",
        "recorded: resolved, %",
        "median bound, %",
        "ties",
    )
    shown = Table("procedure", *columns, "synthetic: resolved, %", "median bound, %", "ties", "seeds")
    for name, kinds in measured.items():
        within = [*kinds["recorded"].values(), *kinds["synthetic"].values()]
        groups = (within, kinds["beginning"].values(), kinds["beyond reach"].values())
        numbers = [max(r["missed"] for r in rates) for rates in groups]
        for kind in ("recorded", "synthetic"):
            for rate in ("resolved", "median_bound", "ties"):
                mean = float(np.mean([r[rate] for r in kinds[kind].values()]))
                numbers.append(mean if rate != "ties" else mean / 100)
        seeds = float(np.mean([r["seeds"] for r in kinds["synthetic"].values()]))
        shown.add_row(name, *(f"{100 * number:.1f}" for number in numbers), f"{seeds:.1f}")
    return shown


def settings_table(measured: dict[str, dict[str, Rates]]) -> Table:
    """Make the table of settings, for the bound that verdicts give, with what the previous one resolves and says."""
    columns = ("missed", "missed of ladder", "resolved", "before", "bound", "before")
    columns += ("looks: missed", "resolved", "before", "seeds", "before", "given up", "wrongly")
    shown = Table("setting", *columns)
    for kind, members in measured["as shipped"].items():
        for setting, one in members.items():
            before, many, many_before = (measured[name][kind][setting] for name in (PREVIOUS, *LOOKED))
            rates = [one["missed"], one["missed_of_ladder"], one["resolved"], before["resolved"]]
            rates += [one["median_bound"], before["median_bound"]]
            rates += [many["missed"], many["resolved"], many_before["resolved"]]
            rates += [many["seeds"] / 100, many_before["seeds"] / 100, many["given_up"]]
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
    console = Console(width=220)
    if arguments.only:
        kinds = {kind: members for kind, members in settings().items() if arguments.only in kind}
        console.print(settings_table(measure(kinds, arguments.searches)))
        return
    measured = measure(settings(), arguments.searches)
    console.print(table(measured), settings_table(measured))
    date = datetime.now(UTC).date().isoformat()
    result = {"date": date, "searches": arguments.searches, "measured": measured}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
