"""What happens to a search that is killed, stopped, doubled, starved? Each row a promise, each with a figure.

    python benchmarks/torture/torture.py all              everything that is not done yet, cheap rows first
    python benchmarks/torture/torture.py ROW ...          these rows
    python benchmarks/torture/torture.py table            write the table into docs/reliability.md

What is done is on record in results.jsonl beside this file, a line a repetition; called again it goes on. --afresh
begins the rows anew, --again repeats what was wrong of them. Exits with 1 if a promise did not hold. Needs Linux; some
rows need PostgreSQL, the right to mount a file system, or the data sets of tasks/ (LRSEARCH_DATA).
"""

import argparse
import shutil
import signal
import sys
import tempfile
from itertools import count
from pathlib import Path

import boundaries
import cost
import edited
import full_disk
import kills
import leftovers
import lost_node
import misbehaving
import resuming
import signals
import suites
import two_drivers
from rows import Result, Row, append, read, repeat, write
from table import PAGE, rendered

HERE = Path(__file__).parent
CHEAP_FIRST = (
    leftovers,
    suites,
    two_drivers,
    misbehaving,
    kills,
    full_disk,
    resuming,
    boundaries,
    edited,
    cost,
    signals,
    lost_node,
)
ROWS: dict[str, Row] = {row.name: row for module in CHEAP_FIRST for row in module.ROWS}
HOPELESS = 5
"""After so many repetitions in a row that could do nothing, a row is given up."""


def main() -> int:
    """Torture, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="+", choices=["all", "table", *ROWS])
    parser.add_argument("--times", type=int, help="so many repetitions, in place of the row's own figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    parser.add_argument("--afresh", action="store_true", help="forget what is on record of these rows")
    parser.add_argument(
        "--again", action="store_true", help="forget what was wrong of them, once that is mended"
    )
    arguments = parser.parse_args()
    if "table" in arguments.rows:
        PAGE.write_text(rendered(PAGE.read_text(), ROWS, read(arguments.results)))
        return 0
    names = list(ROWS) if "all" in arguments.rows else arguments.rows
    if arguments.afresh or arguments.again:
        forgotten = [
            one for one in read(arguments.results) if one.row in names and (arguments.afresh or one.wrong)
        ]
        write(arguments.results, (one for one in read(arguments.results) if one not in forgotten))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are ended
    good = [_do(ROWS[name], arguments.times, arguments.seed, arguments.results) for name in names]
    return 0 if all(good) else 1


def _do(row: Row, times: int | None, seed: int, file: Path) -> bool:
    """Repeat a row until it is done; whether all that it promises held."""
    done = [one for one in read(file) if one.row == row.name and one.seed == seed]
    while not _enough(row, done, times):
        number = next(n for n in count() if n not in {one.number for one in done})
        scratch = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
        result = repeat(row, number, seed, scratch)
        append(file, result)
        done.append(result)
        shutil.rmtree(scratch, ignore_errors=True)
        reached = sum(one.counts.get(row.counted, 0) for one in done)
        print(
            f"{row.name} {number}: {reached} of {row.asked} {row.counted}, {result.seconds} s "
            f"{result.figures or ''} {'; '.join(result.wrong)}",
            flush=True,
        )
    return not any(one.wrong for one in done)


def _enough(row: Row, done: list[Result], times: int | None) -> bool:
    if times is not None:
        return len(done) >= times
    if len(done) >= HOPELESS and not any(one.counts for one in done[-HOPELESS:]):
        return True
    return sum(one.counts.get(row.counted, 0) for one in done) >= row.asked


if __name__ == "__main__":
    sys.exit(main())
