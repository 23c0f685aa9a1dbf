"""What a comparison varies: entries that differ in one number, as ``c`` (figure 11) or the batch size (figure 9)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lrsearch.task.entries import is_learning_rate

LEAST_VALUES = 3
"""Of fewer values two panels say as much."""
_FEWEST_FOR_LOG = 5
"""Values whose largest is more than so many times the smallest are spaced by their logarithms."""

_DEFAULT_C = 1.0
"""CProp's, of arXiv:1912.11493."""

Varied = Mapping[str, Mapping[str, float]]
"""By the first entry of a row, the value by entry."""


def varied(entries: Mapping[str, Mapping[str, Any]], left_out: Sequence[str]) -> Iterator[tuple[str, Varied]]:
    """Give each number of which entries that are alike have three values or more.

    Args:
        entries: as comparison.yaml has them. Learning rates may differ with the number: they are tuned to it.
        left_out: entries that are no part of it, such as controls.
    """
    features = {name: dict(_features(entry)) for name, entry in entries.items() if name not in left_out}
    numbers = {
        key: None
        for of in features.values()
        for key, value in of.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not is_learning_rate(key)
    }
    for number in numbers:
        rows: dict[str, dict[str, float]] = {}
        groups: dict[str, str] = {}
        for name, of in features.items():
            if number not in of:
                continue
            alike = repr(sorted((k, v) for k, v in of.items() if k != number and not is_learning_rate(k)))
            first = groups.setdefault(alike, name)
            rows.setdefault(first, {})[name] = float(of[number])
        full = {first: row for first, row in rows.items() if len({*row.values()}) >= LEAST_VALUES}
        if full:
            yield number, full


def is_wide(values: Sequence[float]) -> bool:
    """Whether values are better spaced by their logarithms."""
    return min(values) > 0 and max(values) > _FEWEST_FOR_LOG * min(values)


def _features(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "optimizer", str(entry["optimizer"])
    yield "schedule", repr(entry.get("schedule"))
    yield "in CProp", str("cprop" in entry["hyperparameters"])
    if "cprop" in entry["hyperparameters"]:
        yield "cprop.c", _DEFAULT_C  # unless it is given below
    for part in ("hyperparameters", "arguments"):
        yield from _flat(entry.get(part) or {}, "")


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", value
        else:
            yield f"{prefix}{name}", repr(value)
