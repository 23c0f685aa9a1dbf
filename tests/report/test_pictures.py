import re
from itertools import pairwise
from math import log10
from xml.etree import ElementTree

import pytest
from matplotlib.image import imread
from report_runs import Run, accuracy_over_beta, at_limit, failing, none_learned, one_seed, paper_task, sgd

from lrsearch.report.findings import findings
from lrsearch.report.palette import DARK, LIGHT, dark_of
from lrsearch.report.plots import curves_figure, to_png, to_svg, valley_figure
from lrsearch.task.model import SearchSettings
from lrsearch.trial import SearchId, Stopped

SGD = SearchId("sgd", "lr")
RUNS = {
    "one candidate failed": failing,
    "at a limit": at_limit,
    "nothing learned": none_learned,
    "one seed": one_seed,
    "a metric to be high, over beta": accuracy_over_beta,
    "running": lambda: Run(paper_task()).go(evaluations=150),
    "raced": lambda: Run(paper_task(settings=SearchSettings(race=True))).go(evaluations=150),
    "screened": lambda: Run(paper_task(settings=SearchSettings(screen=1))).go(evaluations=200),
    "first evaluations": lambda: Run(paper_task()).go(evaluations=2),
}


def states_of(run: Run):
    return [state for state in run.states().values() if any(trial.curve for trial in state.trials)]


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("draw", [curves_figure, valley_figure])
@pytest.mark.parametrize("name", RUNS)
def test_every_state_of_a_search_can_be_drawn(name, draw, tmp_path):
    run = RUNS[name]()
    for state in states_of(run):
        (tmp_path / "picture.png").write_bytes(to_png(draw(run.task, state)))
        pixels = imread(tmp_path / "picture.png")
        assert pixels.shape[:2] == (688, 1152)
        ink = (pixels[..., :3].min(axis=2) < 0.9).mean()
        assert 0.005 < ink < 0.5, f"{state.search}: {ink:.1%} of the picture is drawn on"


def test_curves_are_named_where_they_end_and_the_chosen_one_stands_out(finished):
    figure = curves_figure(finished.task, finished.states()[SGD])
    assert words(figure) == ["0.01 ≈", "0.03 ★", "0.1 ≈", "0.3 ≈", "1", "3 ✗", "lr"]
    bold = [text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    assert bold == ["0.03 ★"]
    heights = sorted(text.get_position()[1] for text in figure.axes[0].texts[:-1])
    assert min(above - below for below, above in pairwise(heights)) > 0.05


def test_a_diverged_seed_is_marked_where_it_ended(finished):
    axes = curves_figure(finished.task, finished.states()[SGD]).axes[0]
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "x"]
    assert marks == [250]


def test_a_stopped_curve_ends_in_a_square_where_it_was_stopped():
    run = Run(sgd(0.1, (1e-3, 3.0), settings=SearchSettings(race=True)), workers=1).go()
    state = run.states()[SGD]
    stopped = [trial.iterations for trial in state.trials if isinstance(trial.outcome, Stopped)]
    assert stopped, "the race ended something"
    axes = curves_figure(run.task, state).axes[0]
    assert sorted(line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s") == sorted(stopped)


def test_a_candidate_with_fewer_seeds_is_a_hollow_square_off_the_line():
    run = Run(sgd(1.0, (1e-8, 1e3), settings=SearchSettings(screen=1))).go()
    axes = valley_figure(run.task, run.states()[SGD]).axes[0]
    squares = {
        line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s" and line.get_markersize() == 8
    }
    assert squares == {log10(1.0)}
    assert "fewer seeds" in [text.get_text() for text in axes.get_legend().get_texts()]
    assert not squares & {*axes.lines[0].get_xdata()}


def test_the_valley_has_a_point_a_candidate_on_a_log_axis(finished):
    figure = valley_figure(finished.task, finished.states()[SGD])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.01", "0.03", "0.1", "0.3", "1", "3"]
    assert list(axes.get_xticks()) == [log10(value) for value in (0.01, 0.03, 0.1, 0.3, 1, 3)]
    assert "diverged" in words(figure)
    assert any(word.startswith("95 % sure:\nnone is truly\nbelow 0.3") for word in words(figure))
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["mean ± std", "one seed", "chosen", "may be as good", "did not learn"]


def test_a_ladder_of_betas_is_even_in_one_minus_beta():
    run = accuracy_over_beta()
    axes = valley_figure(run.task, *states_of(run)).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "0.99\n0.01",
        "0.997\n3e-3",
        "0.999\n1e-3",
        "0.9997\n3e-4",
    ]
    assert list(axes.get_xticks()) == pytest.approx([2.0, 2.523, 3.0, 3.523], abs=1e-3)


def test_wide_ranges_are_drawn_in_logs():
    run = Run(
        paper_task(), loss=lambda spec, i: 2.3 if i == 0 else 10.0 ** -abs(spec.rung + 2) * 5000 / i * 0.1
    )
    state = run.go().states()[SGD]
    assert valley_figure(run.task, state).axes[0].get_yscale() == "log"


def test_the_same_study_gives_the_same_bytes(finished):
    state = finished.states()[SGD]
    assert to_png(valley_figure(finished.task, state)) == to_png(valley_figure(finished.task, state))
    first, second = (to_svg(curves_figure(finished.task, state), "sgd-lr", 6) for _ in range(2))
    assert first == second


def test_an_svg_takes_its_colours_from_the_page_and_names_no_address(finished):
    state = finished.states()[SGD]
    svg = to_svg(valley_figure(finished.task, state), "sgd-lr", len(findings(finished.task, state)))
    assert "http" not in svg
    assert not set(re.findall(r"#[0-9a-f]{6}\b", svg)) - {"#000000", "#ffffff"}
    assert set(re.findall(r"var\(--([0-9a-f]{6})\)", svg)) <= {colour[1:] for colour in dark_of(6)}
    ElementTree.fromstring(svg.replace("xlink:href", "href"))


@pytest.mark.parametrize("count", [1, 2, 5, 23])
def test_candidates_can_be_told_from_the_paper_in_light_and_dark(count):
    for theme in (LIGHT, DARK):
        assert all(contrast(colour, theme.paper) >= 3 for colour in theme.ramp(count)), theme.ramp(count)
        assert contrast(theme.ink, theme.paper) >= 7
        assert contrast(theme.soft_ink, theme.paper) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_lightness_rises_along_the_ladder(theme):
    levels = [luminance(colour) for colour in theme.ramp(6)]
    assert levels == sorted(levels)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
