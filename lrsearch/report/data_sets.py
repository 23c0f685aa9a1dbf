"""The table of `lrsearch data`: what there is of each data set, whether it is right, and on what terms it is had."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_LEGEND = {
    "subset": "subset: whole by its own checks, with fewer examples than the published set",
    "other": "other: whole by its own checks, with as many examples as the published set",
}


def data_sets_table(statuses: Iterable[Any]) -> RenderableType:
    """Draw the data sets: checksum, megabytes and folder of each, its terms and what is to be done about it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1), leading=1)
    table.add_column("data set", no_wrap=True)
    table.add_column("checksum", no_wrap=True)
    table.add_column("MB", no_wrap=True, justify="right")
    table.add_column("folder and terms", overflow="fold")
    states = []
    for status in statuses:
        states.append(status.state)
        sizes = [file.size for file in status.files if file.size is not None]
        megabytes = f"{sum(sizes) / 1e6:.1f}" if sizes else "-"
        table.add_row(status.data_set.name, status.state, megabytes, Text("\n".join(_lines(status))))
    return Group(table, *(Text(line) for state, line in _LEGEND.items() if state in states))


def _lines(status: Any) -> Iterator[str]:
    data_set = status.data_set
    yield from dict.fromkeys(str(file.path.parent) for file in status.files if file.path is not None)
    for file in status.files:
        if file.state == "wrong":
            yield file.note
        elif file.note:
            yield f"{file.name}: {file.note.removeprefix(f'{data_set.name}: ')}"
    yield f"licence: {data_set.licence}"
    missing = [file for file in status.files if file.state == "missing"]
    if not missing:
        return
    if len(missing) < len(status.files) or not data_set.mirrors:
        yield f"missing: {', '.join(file.name for file in missing)}"
    if data_set.mirrors:
        yield f"to fetch it ({data_set.size / 1e6:.1f} MB): lrsearch data {data_set.name}"
    else:
        yield f"{data_set.instead}: set LRSEARCH_DATA to the folder that holds them"
