"""Which part of its fall has the loss of a range test made at the rate that is best to begin with?

    python benchmarks/replay/fit_start.py

For each share of the fall: how many rungs the suggestion lies from the best one, on average over draws of three
seeds, and how many candidates the paper's procedure then trains (three from the best rung or the one below it, and
one more for each rung farther). The last lines choose the share without one table each and judge it there.
"""

import numpy as np
from ours import SEEDS, paper
from replay import Recording, recordings

from lrsearch.ladder import LR
from lrsearch.strategies.range_test import suggest

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
DRAWS = 20


def main() -> None:
    """Print a row a share, then leave each table out."""
    found = recordings()
    results = {share: {r.name: judged(r, share) for r in found} for share in SHARES}
    print("share  rungs from the best: iterations spent (whole trainings)")
    for share, by_name in results.items():
        cells = ", ".join(f"{name} {offset:+.1f}: {cost:.1f}" for name, (offset, cost) in by_name.items())
        print(f"{share:5}  {cells}")
    for table in sorted({r.table for r in found}):
        others = [r.name for r in found if r.table != table]
        if others:
            share = min(SHARES, key=lambda s: np.mean([results[s][name][1] for name in others]))
            here = {r.name: results[share][r.name] for r in found if r.table == table}
            cells = ", ".join(f"{name} {offset:+.1f}: {cost:.1f}" for name, (offset, cost) in here.items())
            print(f"without {table}: {share}, and there {cells}")


def judged(recording: Recording, share: float) -> tuple[float, float]:
    """Give the mean distance from the best rung, and the paper's cost from there in whole trainings."""
    generator = np.random.default_rng(0)
    offsets, costs = [], []
    for _ in range(DRAWS):
        order = tuple(int(seed) for seed in generator.permutation(recording.seeds))
        losses = recording.range_losses[list(order[:SEEDS])].tolist()
        lr = suggest(recording.range_lrs.tolist(), losses, share)
        assert lr is not None, f"{recording.name}: no range test of {order[:SEEDS]} falls"
        rung = min(max(LR.rung(lr), int(recording.rungs[0])), int(recording.rungs[-1]))
        offsets.append(rung - recording.best)
        costs.append(paper(recording, rung, order).iterations / recording.budget)
    return float(np.mean(offsets)), float(np.mean(costs))


if __name__ == "__main__":
    main()
