"""From which batch size each scaling rule would have pointed at another one's choice, in a study of batch sizes.

    python benchmarks/scaling_rules.py [--task TASK.yaml] [--chosen CHOSEN.yaml] [--by ARGUMENT]

Nothing is trained: the choices are read. "Off" is how many rungs of the ladder the choice lies above where the rule
would have begun the search. Writes ``scaling_rules.json`` beside itself.
"""

import argparse
import itertools
import json
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lrsearch import load_task
from lrsearch.report.stored import read_stored
from lrsearch.task import ScaledStart, Scaling, Task
from lrsearch.task.starts import POWERS, Rule
from lrsearch.trial import SearchId

ROOT = Path(__file__).parents[1]
NAME = "fashion_mnist_cnn_batch_sizes"


def offs(task: Task, chosen: Path, by: str) -> dict[str, dict[float, list[int]]]:
    """Give, for each rule and each ratio of two entries' arguments, how far off it was, a number a pair of entries.

    Args:
        task: entries of one optimizer, each with its own value of the argument.
        chosen: what their searches chose; a value that was not searched counts for nothing.
        by: the argument.
    """
    study = read_stored(chosen)
    sizes = {search: float(task.arguments_of(search.entry)[by]) for search in task.searches()}
    choices = {search: study.chosen[search.entry].value(search.hyperparameter) for search in sizes}
    found: dict[str, dict[float, list[int]]] = {rule: defaultdict(list) for rule in POWERS}
    for there, here in itertools.permutations(sizes, 2):
        if task.entries[there.entry].optimizer != task.entries[here.entry].optimizer:
            continue
        for rule in POWERS:
            found[rule][sizes[here] / sizes[there]].append(_off(task, there, here, choices, sizes, rule, by))
    return found


def _off(
    task: Task,
    there: SearchId,
    here: SearchId,
    choices: dict[SearchId, float],
    sizes: dict[SearchId, float],
    rule: Rule,
    by: str,
) -> int:
    scaling = Scaling("chosen.yaml", rule, by, here=sizes[here])
    searched = task.searches()[here]
    start = searched.nearest(ScaledStart(scaling, there.entry, choices[there], sizes[there]).value)
    return searched.ladder.rung(choices[here]) - searched.ladder.rung(start)


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", type=Path, default=ROOT / "tasks" / f"{NAME}.yaml")
    parser.add_argument("--chosen", type=Path, default=ROOT / "studies" / NAME / "chosen.yaml")
    parser.add_argument("--by", default="batch_size")
    arguments = parser.parse_args()
    found = offs(load_task(arguments.task), arguments.chosen, arguments.by)
    ratios = sorted({ratio for by_ratio in found.values() for ratio in by_ratio})
    table = Table("rule", "held", "one rung off", "further off", *(f"x {ratio:g}" for ratio in ratios))
    for rule, by_ratio in found.items():
        distances = [abs(off) for offs_ in by_ratio.values() for off in offs_]
        counts = [
            sum(d == 0 for d in distances),
            sum(d == 1 for d in distances),
            sum(d > 1 for d in distances),
        ]
        cells = (", ".join(f"{off:+d}" if off else "0" for off in sorted({*by_ratio[r]})) for r in ratios)
        table.add_row(rule, *(f"{count} of {len(distances)}" for count in counts), *cells)
    Console(width=120).print(table)
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
