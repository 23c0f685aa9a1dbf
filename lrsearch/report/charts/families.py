"""Which entries of a comparison belong together, and the looks by which each is known in every picture."""

from collections.abc import Mapping
from dataclasses import dataclass

from lrsearch.report.charts.model import Dash
from lrsearch.report.palette import CATEGORIES
from lrsearch.task.comparison import Comparison
from lrsearch.task.model import Task


@dataclass(frozen=True, slots=True)
class Look:
    """How an entry is drawn."""

    colour: str
    dash: Dash


@dataclass(frozen=True, slots=True)
class Family:
    """A base and all that is set against it, controls included, in the order of the file."""

    base: str
    members: tuple[str, ...]


def families_of(task: Task) -> tuple[Family, ...]:
    """Give the families of a comparison; an entry that is set against nothing is one by itself."""
    comparison = _comparison(task)
    variant_of = {control: variant for variant, control in comparison.controls.items()}

    def base_of(name: str) -> str:
        seen = {name}
        while (name := variant_of.get(name, name)) in comparison.pairs:
            name = comparison.pairs[name]
            if name in seen:  # two that are set against each other
                return min(seen, key=[*task.entries].index)
            seen.add(name)
        return name

    bases = {name: base_of(name) for name in task.entries}
    ordered = dict.fromkeys(bases.values())
    return tuple(
        Family(base, (base, *(n for n, of in bases.items() if of == base and n != base))) for base in ordered
    )


def looks_of(task: Task, families: tuple[Family, ...]) -> Mapping[str, Look]:
    """Give each entry's colour and dash.

    A variant has its base's colour and is dashed, as in the paper's plots; of several each has a colour of its own.
    A control is dotted, in the colour of the entry whose scale it takes.
    """
    comparison = _comparison(task)
    controls = set(comparison.controls.values())
    looks: dict[str, Look] = {}
    used = 0
    for family in families:
        variants = [name for name in family.members[1:] if name not in controls]
        looks[family.base] = Look(_category(used), "solid")
        for variant in variants:
            used += len(variants) > 1
            looks[variant] = Look(_category(used), "dashed")
        used += 1
    for variant, control in comparison.controls.items():
        looks[control] = Look(looks[variant].colour, "dotted")
    return looks


def _category(index: int) -> str:
    names = [*CATEGORIES]
    return names[index % len(names)]


def _comparison(task: Task) -> Comparison:
    assert task.comparison is not None, "a comparison says what it compares"
    return task.comparison
