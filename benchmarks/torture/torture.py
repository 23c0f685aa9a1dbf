"""What happens to a search that is killed, stopped, doubled, starved? Each row a kind of torture, each with a figure.

    python benchmarks/torture/torture.py [KIND ...] [--times N] [--seed 0]

Kinds: kills, boundaries, two_drivers, signals, full_disk. Prints a table, writes JSON beside itself, and exits with 1
if anything was lost, made again or came out otherwise than undisturbed.
"""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
TIMES = {"kills": 200, "boundaries": 1, "two_drivers": 50, "signals": 30, "full_disk": 50}
"""How often, unless told otherwise; for boundaries, every so manieth."""


def main() -> int:
    """Torture, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", choices=[*TIMES, []], default=list(TIMES))
    parser.add_argument("--times", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = Table("what", "found", "", "seconds")
    rows = []
    for kind in arguments.kinds or TIMES:
        scratch = Path(tempfile.mkdtemp(prefix=f"torture-{kind}-"))
        began = time.perf_counter()
        row = importlib.import_module(kind).torture(scratch, arguments.times or TIMES[kind], arguments.seed)
        row |= {"kind": kind, "seed": arguments.seed, "seconds": round(time.perf_counter() - began, 1)}
        row["date"] = datetime.now(UTC).strftime("%Y-%m-%d")
        rows.append(row)
        (HERE / f"{kind}.json").write_text(json.dumps(row, indent=2) + "\n")
        table.add_row(row["what"], row["found"], "good" if row["good"] else "NOT GOOD", str(row["seconds"]))
        shutil.rmtree(scratch, ignore_errors=True)
    Console().print(table)
    return 0 if all(row["good"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
