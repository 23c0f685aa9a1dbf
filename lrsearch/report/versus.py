"""What sets two entries apart, in words: how much lower one ends, how much sooner it is there, and why that may be."""

from collections.abc import Mapping
from typing import Any

from lrsearch.report.numbers import metric_text, value_text
from lrsearch.task.model import Task


def versus_text(task: Task, variant: str, pair: Mapping[str, Any]) -> str:
    """Say in words what comparison.yaml holds of a pair.

    Args:
        task: the comparison.
        variant: the entry that is set against another.
        pair: what is known of the two: ``against``, ``differences``, ``speed_up``, ``control``.
    """
    base, differences = pair["against"], pair["differences"]
    if not differences:
        return f"{variant} against {base}: no seed ended with both, so there is nothing to compare."
    deciding, *others = differences.items()
    said = [f"{variant} against {base}: {_difference(task, *deciding)}{_sooner(pair.get('speed_up'), base)}."]
    if others:
        said.append(f"Of the others {'; '.join(_other(name, found) for name, found in others)}.")
    if control := pair.get("control"):
        said.append(_control(task, variant, base, control))
    return " ".join(said)


def direction(task: Task, found: Mapping[str, Any]) -> int:
    """Give 1 where an entry is shown to be better in the deciding metric, -1 where worse, 0 where that is open."""
    if found["low"] is None or found["high"] is None:
        return 0
    sign = 1 if task.metric.mode == "min" else -1
    return sign * (int(found["high"] < 0) - int(found["low"] > 0))


def _difference(task: Task, name: str, found: Mapping[str, Any]) -> str:
    return f"{name} ends {_amount(found)}{'' if direction(task, found) else _open(found)}"


def _other(name: str, found: Mapping[str, Any]) -> str:
    open_ = found["low"] is not None and found["low"] <= 0 <= found["high"]
    return f"{name} ends {_amount(found)}{_open(found) if open_ else ''}"


def _amount(found: Mapping[str, Any]) -> str:
    mean, seeds = found["mean"], found["seeds"]
    words = f"{metric_text(abs(mean))} {'lower' if mean < 0 else 'higher'}" if mean else "the same"
    if found["low"] is None:
        return f"{words} with 1 seed, too few for an interval"
    ends = sorted((found["low"], found["high"]), key=lambda end: abs(end))
    if mean and found["low"] * found["high"] > 0:  # as far from 0 as that, on one side
        low, high = (metric_text(abs(end)) for end in ends)
        return f"{words} (95 % interval {low} to {high}, {seeds} paired seeds)"
    low, high = metric_text(found["low"]), metric_text(found["high"])
    return f"{words} (95 % interval of the difference {low} to {high}, {seeds} paired seeds)"


def _open(found: Mapping[str, Any]) -> str:
    return ", which shows no difference" if found["low"] is not None else ""


def _sooner(found: Mapping[str, Any] | None, base: str) -> str:
    """How soon it is where the base ends."""
    if found is None:
        return ""
    if found["iterations"] is None:
        if found["reached"] == found["seeds"]:
            return ""
        return f"; it gets where {base} ends on {found['reached']} of {found['seeds']} seeds"
    factor = found["factor"]
    spread = "" if factor["low"] is None else f" ({factor['low']:.3g} to {factor['high']:.3g})"
    return (
        f"; it is where {base} ends after {found['iterations']:.0f} iterations in place of "
        f"{found['base_iterations']:.0f}, {factor['mean']:.3g} times as fast{spread}"
    )


def _control(task: Task, variant: str, base: str, control: Mapping[str, Any]) -> str:
    rate = f"{base} at {value_text(control['lr'])}, its rate times {variant}'s mean scale"
    if not control["differences"]:
        return f"Against {rate}: no seed ended with both."
    name, found = next(iter(control["differences"].items()))
    meaning = {
        1: f"so {variant} is more than that smaller learning rate",
        0: f"so {variant} is not shown to be more than that smaller learning rate",
        -1: "so that smaller learning rate alone does better",
    }[direction(task, found)]
    return f"Against {rate}: {name} ends {_amount(found)}, {meaning}."
