"""Charts as data: which entries belong together, what is varied, and what of the trainings is shown."""

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_runs import Run, entry, make_task, one_seed, paper_task

from lrsearch.report.charts import as_data, charts_of_search
from lrsearch.report.charts.families import families_of, looks_of
from lrsearch.report.charts.model import line_of, range_of
from lrsearch.report.charts.sweeps import is_wide, varied
from lrsearch.report.palette import CATEGORIES, DARK, LIGHT
from lrsearch.task.comparison import Comparison
from lrsearch.trial import Diverged, Evaluation, Finished, SearchId, Trial, TrialSpec


def compared(pairs: dict[str, str], controls: dict[str, str] | None = None):
    names = dict.fromkeys([*pairs.values(), *pairs, *(controls or {}).values()])
    task = make_task({name: entry(name, "sgd", hyperparameters={"lr": 0.1}) for name in names})
    return replace(task, comparison=Comparison(pairs=pairs, controls=controls or {}))


def looks(task):
    return looks_of(task, families_of(task))


def test_a_family_is_a_base_with_all_that_is_set_against_it():
    task = compared({"c1": "sgd", "c3": "sgd", "c_adam": "adam"}, {"c1": "c1_control"})
    assert [(f.base, f.members) for f in families_of(task)] == [
        ("sgd", ("sgd", "c1", "c3", "c1_control")),
        ("adam", ("adam", "c_adam")),
    ]


def test_what_is_set_against_a_variant_is_of_the_same_family():
    assert [f.members for f in families_of(compared({"b": "a", "c": "b"}))] == [("a", "b", "c")]


def test_two_that_are_set_against_each_other_are_one_family():
    assert [set(f.members) for f in families_of(compared({"a": "b", "b": "a"}))] == [{"a", "b"}]


def test_base_and_variant_share_a_colour_and_differ_in_the_dash():
    of = looks(compared({"c_sgd": "sgd"}, {"c_sgd": "control"}))
    assert {look.colour for look in of.values()} == {of["sgd"].colour}
    assert [of[name].dash for name in ("sgd", "c_sgd", "control")] == ["solid", "dashed", "dotted"]


def test_several_variants_each_have_a_colour():
    of = looks(compared({"c1": "sgd", "c3": "sgd", "c9": "sgd"}))
    assert len({look.colour for look in of.values()}) == 4


@given(st.lists(st.integers(0, 7), min_size=1, max_size=9), st.integers(1, 4))
def test_every_entry_is_in_one_family_and_has_a_look(targets, bases):
    pairs = {f"v{i}": f"b{target % bases}" for i, target in enumerate(targets)}
    task = compared(pairs)
    members = [name for family in families_of(task) for name in family.members]
    assert sorted(members) == sorted(task.entries)
    assert looks(task).keys() == task.entries.keys()


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("colour", "paper"),
    [*((light, LIGHT.paper) for light in CATEGORIES), *((dark, DARK.paper) for dark in CATEGORIES.values())],
)
def test_colours_can_be_told_from_the_page(colour, paper):
    bright, dim = sorted((luminance(colour), luminance(paper)), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5


def of(optimizer="SGD", arguments=None, **hyperparameters):
    return {"optimizer": optimizer, "hyperparameters": {"lr": 0.1, **hyperparameters}, "arguments": arguments}


def test_three_values_of_c_are_a_sweep_whose_first_is_the_default():
    entries = {"sgd": of(), "c1": of(cprop={}), "c3": of(cprop={"c": 3}), "c9": of(cprop={"c": 9})}
    assert [*varied(entries, [])] == [("cprop.c", {"c1": {"c1": 1, "c3": 3, "c9": 9}})]


def test_two_values_are_none():
    assert [*varied({"a": of(cprop={"c": 1}), "b": of(cprop={"c": 3})}, [])] == []


def test_base_and_variant_over_batch_sizes_are_two_rows():
    entries = {
        f"{name}_{size}": of(arguments={"batch_size": size}, **extra)
        for name, extra in (("sgd", {}), ("cprop_sgd", {"cprop": {}}))
        for size in (4, 8, 16)
    }
    ((number, rows),) = varied(entries, [])
    assert number == "batch_size"
    assert {first: [*row.values()] for first, row in rows.items()} == {
        "sgd_4": [4, 8, 16],
        "cprop_sgd_4": [4, 8, 16],
    }


def test_rates_are_tuned_to_what_is_varied():
    entries = {f"sgd_{size}": of(lr=size / 100, arguments={"batch_size": size}) for size in (4, 8, 16)}
    assert [number for number, _ in varied(entries, [])] == ["batch_size"]


def test_controls_are_no_part_of_a_sweep():
    entries = {f"c{c}": of(cprop={"c": c}) for c in (1, 3, 9)} | {"control": of(cprop={"c": 27})}
    ((_, rows),) = varied(entries, ["control"])
    assert rows == {"c1": {"c1": 1, "c3": 3, "c9": 9}}


@pytest.mark.parametrize(
    ("values", "wide"), [((1, 3, 9), True), ((0.1, 0.2, 0.3), False), ((0, 1, 100), False)]
)
def test_values_far_apart_are_spaced_by_their_logarithms(values, wide):
    assert is_wide(values) is wide


def trial(seed, values, outcome=None):
    curve = tuple(Evaluation(10 * i, value, {"loss": value}) for i, value in enumerate(values))
    return Trial(f"t{seed}", TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": 0.1}), curve, outcome)


def test_a_mean_is_taken_where_all_seeds_have_a_value():
    line = line_of("sgd", "#000000", "solid", [trial(0, [4, 2, 1]), trial(1, [2, 4])], "loss")
    assert line.means() == [(0, 3, pytest.approx(2**0.5)), (10, 3, pytest.approx(2**0.5))]


def test_one_seed_has_no_spread():
    line = line_of("sgd", "#000000", "solid", [trial(0, [4, 2])], "loss")
    assert line.means() == [(0, 4, 0.0), (10, 2, 0.0)]


def test_what_is_not_finite_is_not_drawn():
    line = line_of("sgd", "#000000", "solid", [trial(0, [4, nan, inf], Diverged(20))], "loss", single=True)
    assert line.seeds == {0: (4, None, None)}
    assert line.ends == {0: "diverged"}


def test_nothing_recorded_is_no_line():
    assert line_of("sgd", "#000000", "solid", [trial(0, [])], "loss") is None


def test_the_fall_at_the_beginning_does_not_set_the_range():
    line = line_of("sgd", "#000000", "solid", [trial(0, [100, 3, 2, 1], Finished(1))], "loss")
    assert range_of([line], 30) == (1, 3)


def test_a_search_has_its_curves_and_its_ladder():
    run = Run(paper_task()).go()
    state = next(iter(run.states().values()))
    curves, ladder = charts_of_search(run.task, state)
    assert [point.glyph for point in ladder.rows[0].points].count("★") == 1
    assert sum(line.bold for line in curves.lines) == 1


def test_a_search_that_has_not_begun_has_none():
    run = Run(paper_task())
    assert charts_of_search(run.task, next(iter(run.states().values()))) == ()


def test_a_chart_of_one_seed_is_data():
    run = one_seed()
    charts = charts_of_search(run.task, next(iter(run.states().values())))
    assert [as_data(chart)["kind"] for chart in charts] == ["curves", "sweep"]
