"""What lrsearch adds to its trainings: until the first begins, beside them, and once all have ended.

    LRSEARCH_DATA=DATA python benchmarks/throughput/throughput.py QUESTION [--runs 5]

Writes ``QUESTION.json`` beside itself, with the machine, its load and the versions, and a table in docs/throughput.md.
"""

import argparse
import json
import os
import platform
import re
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "throughput.md"
QUESTIONS = ("startup", "efficiency", "workers", "scale", "resume", "packs", "search")


def main() -> None:
    """Measure one question, write its JSON and its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    load = os.getloadavg()
    found = import_module(arguments.question).measure(arguments.runs)
    content = {
        "machine": {"processors": len(os.sched_getaffinity(0)), "architecture": platform.machine()},
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("torch", "ray", "optuna")},
        },
        "load_before_and_after": [*load, *os.getloadavg()],
        "runs": arguments.runs,
        "found": found,
    }
    text = json.dumps(content, indent=2)
    (HERE / f"{arguments.question}.json").write_text(text + "\n", encoding="utf-8")
    table = table_of(arguments.question, content)
    print(table)
    write_table(PAGE, arguments.question, table)


def table_of(question: str, content: dict[str, Any]) -> str:
    """Give the numbers of each case, a row a case; lists and what lies deeper stand in the JSON alone."""
    cases = {name: case for name, case in content["found"].items() if isinstance(case, dict)}
    columns = [name for name, value in next(iter(cases.values())).items() if isinstance(value, int | float)]
    rows = [["case", *(name.replace("_", " ") for name in columns)], ["---"] * (len(columns) + 1)]
    rows += [[name, *(f"{case[column]:.4g}" for column in columns)] for name, case in cases.items()]
    before, after = content["load_before_and_after"][0], content["load_before_and_after"][3]
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    return "\n".join(
        [
            f"{content['machine']['processors']} processors, {versions}; {content['runs']} runs; load {before:.1f} "
            f"before and {after:.1f} after:",
            "",
            *("| " + " | ".join(row) + " |" for row in rows),
        ]
    )


def write_table(page: Path, question: str, table: str) -> None:
    """Put a table between its markers in a page."""
    begin, end = f"<!-- {question}: begin -->", f"<!-- {question}: end -->"
    text = page.read_text(encoding="utf-8")
    between = re.compile(f"{begin}.*?{end}", re.DOTALL)
    page.write_text(between.sub(lambda _: f"{begin}\n{table}\n{end}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
