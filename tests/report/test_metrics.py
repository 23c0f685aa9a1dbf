"""Metrics that do not decide are shown too: in a line, on the page, in chosen.yaml."""

import io
import re
from html import unescape
from math import nan

import pytest
from report_runs import Run, sgd, valley
from rich.console import Console

from lrsearch.report.export import chosen
from lrsearch.report.findings import findings
from lrsearch.report.metrics import EndValue, end_metrics
from lrsearch.report.pages.search import write_report
from lrsearch.report.plots import curves_figure
from lrsearch.report.tables import explain
from lrsearch.task.model import Metric, SearchSettings
from lrsearch.trial import SearchId, TrialSpec

SGD = SearchId("sgd", "lr")


def measured(spec: TrialSpec, iteration: int) -> dict[str, float]:
    """The loss on other data, an accuracy that rises by the seed's tenth, and one that is NaN on one seed."""
    grown = iteration / 5000
    return {
        "test_loss": 1.1 * valley(spec, iteration),
        "test_accuracy": 0.1 + 0.6 * grown + 0.1 * spec.seed * grown,
        "test_perplexity": nan if spec.seed == 1 else 2.0,
    }


def searched(**changes: object) -> Run:
    return Run(sgd(0.1, (1e-8, 1e3), **changes), metrics=measured).go()


@pytest.fixture(scope="module")
def run() -> Run:
    return searched()


def ends(run: Run) -> dict[float, dict[str, EndValue]]:
    state = run.states()[SGD]
    return {f.value: end_metrics(run.task, f.row, f.replicas) for f in findings(run.task, state)}


def explained(run: Run, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(explain(run.task, run.states().values()))
    return console.file.getvalue()


def page_of(run: Run, folder) -> str:
    states = run.states().values()
    content = chosen(run.task, states, {}, "x", partial=True)
    write_report(folder, run.task, states, content)
    return unescape((folder / "report.html").read_text())


def test_every_metric_is_averaged_over_the_seeds(run):
    at = ends(run)[0.03]
    row = run.states()[SGD].verdict.chosen_row
    assert list(at) == ["train_loss", "test_loss", "test_accuracy", "test_perplexity"]
    assert (at["train_loss"].mean, at["train_loss"].std) == (pytest.approx(row.mean), pytest.approx(row.std))
    assert at["test_accuracy"] == EndValue(pytest.approx(0.8), pytest.approx(0.1))


def test_a_window_holds_for_every_metric():
    at = ends(searched(metric=Metric("train_loss", window=3)))[0.03]
    assert at["test_accuracy"].mean == pytest.approx(0.1 + 0.7 * 0.95)


def test_one_that_is_not_finite_on_a_seed_has_no_mean(run):
    assert ends(run)[0.03]["test_perplexity"] == EndValue(None, None)


def test_a_candidate_that_has_no_mean_has_no_metrics():
    run = Run(sgd(3.0, (0.01, 10.0)), metrics=measured).go()
    assert ends(run)[3.0] == {}


def test_seeds_that_the_verdict_does_not_count_are_not_averaged_in():
    run = searched(settings=SearchSettings(resolve=True))
    for finding in findings(run.task, run.states()[SGD]):
        at = end_metrics(run.task, finding.row, finding.replicas)
        assert not at or at["train_loss"].mean == pytest.approx(finding.mean)


def test_explain_says_where_the_chosen_one_ended_in_the_others(run):
    words = " ".join(explained(run).split())
    assert (
        "lr 0.03 at its end: test_loss 0.4277 ± 0.0135, test_accuracy 0.8000 ± 0.1000, test_perplexity not finite."
        in words
    )
    assert max(map(len, explained(run).splitlines())) <= 80


def test_without_other_metrics_nothing_is_said(finished, tmp_path):
    assert "at its end" not in explained(finished)
    assert "All metrics" not in page_of(finished, tmp_path)
    content = chosen(finished.task, finished.states().values(), {}, "x")
    assert "metrics" not in content["chosen"]["sgd"]["searches"]["lr"]


def test_the_export_holds_those_of_the_chosen_one(run):
    evidence = chosen(run.task, run.states().values(), {}, "x")["chosen"]["sgd"]["searches"]["lr"]
    assert evidence["metrics"] == {
        "test_loss": {
            "mean": pytest.approx(1.1 * evidence["mean"]),
            "std": pytest.approx(1.1 * evidence["std"]),
        },
        "test_accuracy": {"mean": 0.8, "std": 0.1},
        "test_perplexity": {"mean": None, "std": None},
    }


def test_the_page_has_them_all_by_candidate_and_their_curves(run, tmp_path):
    page = page_of(run, tmp_path)
    [table] = re.findall(r'aria-label="All metrics of sgd/lr at the end"(.*?)</table>', page, re.DOTALL)
    assert re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table) == [
        *("lr", "train_loss", "test_loss", "test_accuracy", "test_perplexity")
    ]
    assert table.count("0.8000 ± 0.1000") == sum(bool(at) for at in ends(run).values())
    assert 'aria-label="Curves of test_accuracy by iteration for each lr. At the end, 0.01: 0.8000' in page


def test_curves_of_another_metric_have_its_heights(run):
    axes = curves_figure(run.task, run.states()[SGD], "test_accuracy").axes[0]
    assert axes.get_ylabel() == "test_accuracy"
    assert {round(line.get_ydata()[-1], 6) for line in axes.lines if len(line.get_xdata()) == 21} == {0.8}


@pytest.mark.parametrize("name", ["test_loss", "test_perplexity", "missing"])
def test_other_curves_are_drawn_where_seeds_diverged_or_had_no_value(name):
    run = Run(sgd(3.0, (0.01, 10.0)), metrics=measured).go(evaluations=100)
    axes = curves_figure(run.task, run.states()[SGD], name).axes[0]
    low, high = axes.get_ylim()
    crosses = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "x"]
    assert crosses
    assert all(low <= height <= high for height in crosses)
