"""Several drivers at once: two of one study, four of four tasks on one server."""

import re
import shutil
from collections import Counter

from drivers import HERE, PACE, chosen, ended, start
from postgres import new_database, shared_server
from rows import Found, Repetition, Row

NAMED = r"another lrsearch \(process {} on .*\) is writing to the study valley"
WRITERS = 4
CROWD = """\
name: {}
workload: valley.py:valley
budget: {{iterations: 1, evaluate_every: 1}}
seeds: {}
optimizers: {{sgd: {{lr: {{start: 0.1}}}}}}
search: {{limits: {{lr: [0.03, 1]}}}}
"""
SEEDS = 130


def one_study(repetition: Repetition) -> Found:
    """Two drivers of one study, started at the same moment: one runs, the other leaves and names it."""
    found, root = Found(), repetition.scratch
    pair = [start(root, pace=PACE), start(root, pace=PACE)]
    ends = [driver.ended() for driver in pair]
    (first, second) = sorted(zip(ends, pair, strict=True), key=lambda end: end[0])
    found.count("pairs")
    found.expect((first[0], second[0]) == (0, 2), f"statuses {ends}: {second[1].said[-300:]}")
    said = second[1].said.strip()
    named = re.match(NAMED.format(first[1].pid), said)
    found.expect(bool(named) and "\n" not in said, f"the second said {said!r}")
    found.expect(chosen(root) is not None, "no chosen.yaml")
    return found


def one_server(repetition: Repetition) -> Found:
    """Four drivers of four tasks on one PostgreSQL server, in one database: each training kept, and once."""
    return crowd(repetition, SEEDS)


def crowd(repetition: Repetition, seeds: int) -> Found:
    """Let the four drivers search with so many seeds."""
    found, root = Found(), repetition.scratch
    storage = new_database(shared_server())
    names = [f"crowd{number}" for number in range(WRITERS)]
    shutil.copy(HERE / "valley.py", root)
    for name in names:
        (root / f"{name}.yaml").write_text(CROWD.format(name, seeds))
    drivers = {
        name: start(root / name, "--storage", storage, task=root / f"{name}.yaml", log=root / f"{name}.log")
        for name in names
    }
    for name, driver in drivers.items():
        status = driver.ended()
        found.expect(status == 0, f"{name}: status {status}: {driver.last_line}")
    results = []
    for name in names:
        trials = ended(root / name, name, storage)
        found.count("trainings", len(trials))
        often = Counter((trial.spec.rung, trial.spec.seed) for trial in trials.values())
        found.expect(max(often.values()) == 1, f"{name}: {sum(often.values()) - len(often)} trained again")
        found.expect(len(often) == len({rung for rung, _ in often}) * seeds, f"{name}: {len(often)} are kept")
        results.append(sorted((t.spec.rung, t.spec.seed, str(t.outcome)) for t in trials.values()))
    found.expect(all(result == results[0] for result in results), "the four came out otherwise")
    return found


ROWS = (
    Row(
        "two_drivers",
        "one writer a study",
        "two drivers started at once on a fresh study: one runs, the other leaves with status 2 and names it",
        "pairs",
        50,
        one_study,
    ),
    Row(
        "several_writers",
        "several runs of different tasks in one storage at once",
        "four drivers of four tasks in one PostgreSQL database: every training kept, each once",
        "trainings",
        2000,
        one_server,
    ),
)
