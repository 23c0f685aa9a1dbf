"""Tables for a terminal, whole."""

import io
import subprocess
import sys

import pytest
from report_runs import (
    Run,
    accuracy_over_beta,
    at_limit,
    blocked,
    failing,
    none_learned,
    one_seed,
    paper_task,
    sgd,
    valley,
)
from rich.console import Console

from lrsearch.report.findings import Mark, findings
from lrsearch.report.numbers import bound_text
from lrsearch.report.tables import explain, status_table
from lrsearch.task.model import Metric, SearchSettings
from lrsearch.trial import SearchId

SGD = SearchId("sgd", "lr")

EXPLAINED = """\
sgd/lr ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

       lr   train_loss    ± std    seeds       worse by   verdict
 ───────────────────────────────────────────────────────────────────────────────────────────
 ≈   0.01       0.4212   0.0103        3    8.3 ± 3.1 %   may be as good
 ★   0.03       0.3888   0.0123        3                  chosen
 ≈    0.1       0.3905   0.0090        3    0.4 ± 2.9 %   may be as good
 ≈    0.3       0.4060   0.0095        3    4.4 ± 3.0 %   may be as good
        1       0.4504   0.0108        3   15.8 ± 3.1 %   worse
 ✗      3                         1 of 3                  diverged at iteration 250 (seed 0)

 not trained, or not to the end:
 lr 3  seeds 1 and 2: seed 0 diverged at iteration 250, so it did not learn

 sgd/lr = 0.03: bracketed by 0.01 and 0.1, mean train_loss 0.3888 ± 0.0123 over 3 seeds; 0.01 (8.3 ± 3.1 % worse), 0.1
 (0.4 ± 2.9 % worse) and 0.3 (4.4 ± 3.0 % worse) may still be as good, and with 95 % confidence it loses at most BOUND
 to the best of those trained, more than the tolerance of 5 %, so more seeds would tell: write search: {resolve: true},
 or a larger number of seeds.
 16 trainings, 75,250 iterations, 752 s of training; 500 iterations saved.

adam/lr ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

       lr   train_loss    ± std   seeds       worse by   verdict
 ───────────────────────────────────────────────────────────────
     1e-4       0.3388   0.0095       3   10.1 ± 1.0 %   worse
     3e-4       0.3177   0.0067       3    3.2 ± 0.0 %   worse
 ★   1e-3       0.3078   0.0066       3                  chosen
     3e-3       0.3206   0.0069       3    4.2 ± 0.1 %   worse

 adam/lr = 1e-3: bracketed by 3e-4 and 3e-3, mean train_loss 0.3078 ± 0.0066 over 3 seeds; with 95 % confidence it is
 the best of those trained.
 12 trainings, 60,000 iterations, 600 s of training.

cprop_sgd/cprop.c ──────────────────────────────────────────────────────────────────────────────────────────────────────

     cprop.c   train_loss    ± std   seeds      worse by   verdict
 ─────────────────────────────────────────────────────────────────
           1       0.3560   0.0081       3   1.7 ± 0.0 %   worse
 ★         3       0.3501   0.0081       3                 chosen
           9       0.3557   0.0083       3   1.6 ± 0.0 %   worse

 cprop_sgd/cprop.c = 3: bracketed by 1 and 9, mean train_loss 0.3501 ± 0.0081 over 3 seeds; with 95 % confidence it is
 the best of those trained. 1 to 9 train alike, within 2 %.
 9 trainings, 45,000 iterations, 450 s of training.

train_loss at iteration 5000, better if low: mean and standard deviation over seeds. Worse by: mean difference to the
chosen one on the same seeds ± its standard error, against the chosen one's mean, or what it learned, or its error,
whichever is smallest.
"""
EXPLAINED_HALFWAY = """\
sgd/lr ─────────────────────────────────────────────────────────────────────────

      lr   train_loss    ± std    seeds   worse by   verdict
 ──────────────────────────────────────────────────────────────────────────────
 ▶   0.3                         0 of 3              running
 ★     1       0.4504   0.0108        3              best so far
 ✗     3                         1 of 3              diverged at iteration 250
                                                     (seed 0)

 not trained, or not to the end:
 lr 3  seeds 1 and 2: seed 0 diverged at iteration 250, so it did not learn

 sgd/lr: 1 is best after 4 trainings (mean train_loss 0.4504), at least 1
 training to go.
 4 trainings, 17,500 iterations, 152 s of training; 500 iterations saved.

adam/lr ────────────────────────────────────────────────────────────────────────

       lr   train_loss    ± std    seeds   worse by   verdict
 ────────────────────────────────────────────────────────────────
 ★   1e-4       0.3388   0.0095        3              best so far
 ▶   3e-4                         0 of 3              running

 adam/lr: 1e-4 is best after 3 trainings (mean train_loss 0.3388), at least 2
 trainings to go.
 3 trainings, 17,750 iterations, 150 s of training.

cprop_sgd/cprop.c ──────────────────────────────────────────────────────────────
 cprop_sgd/cprop.c: waits for sgd/lr.
 0 trainings, 0 iterations.

train_loss at iteration 5000, better if low: mean and standard deviation over
seeds. Worse by: mean difference to the chosen one on the same seeds ± its
standard error, against the chosen one's mean, or what it learned, or its error,
whichever is smallest.
"""
STATUS = """\
search              ladder, means so far               state
─────────────────────────────────────────────────────────────────────────────
sgd/lr               0.01    0.03    0.1     0.3…      bracketed, unresolved
                    ≈0.4212 ★0.3888 ≈0.3905 ≈0.4060    loses ≤ BOUND

adam/lr              1e-4    3e-4    1e-3    3e-3      bracketed, resolved
                     0.3388  0.3177 ★0.3078  0.3206    the best of these

cprop_sgd/cprop.c    1       3       9                 bracketed, resolved
                     0.3560 ★0.3501  0.3557            the best of these

37 trainings ended, all searches have ended
★ chosen   ≈ may be as good   ✗ did not learn or diverged
"""
STATUS_HALFWAY = """\
search              ladder, means so far               state
─────────────────────────────────────────────────────────────────────────────
sgd/lr               0.3     1       3                 4 ended, 1 running
                    ▶15 %   ★0.4504 ✗                  maybe last

adam/lr              1e-4    3e-4                      3 ended, 1 running
                    ★0.3388 ▶18 %                      ≥ 1 more

cprop_sgd/cprop.c                                      waits for
                                                       sgd/lr

7 trainings ended, at least 7 to go
★ best so far   ✗ did not learn or diverged   ▶ running
"""


def printed(renderable, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return "".join(line.rstrip() + "\n" for line in console.file.getvalue().splitlines())


@pytest.fixture(scope="module")
def bound(finished):
    return bound_text(finished.states()[SGD].verdict.regret_at_most)


@pytest.fixture
def halfway():
    return Run(paper_task()).go(evaluations=150)


def test_explain_shows_the_evidence_of_each_choice(finished, bound):
    text = printed(explain(finished.task, finished.states().values()), 120)
    assert text == EXPLAINED.replace("BOUND", bound)


def test_explain_shows_what_is_known_halfway(halfway):
    assert printed(explain(halfway.task, halfway.states().values())) == EXPLAINED_HALFWAY


def test_status_shows_where_each_search_stands(finished, halfway, bound):
    assert printed(status_table(finished.task, finished.states().values())) == STATUS.replace("BOUND", bound)
    assert printed(status_table(halfway.task, halfway.states().values())) == STATUS_HALFWAY


def test_without_a_run_nothing_is_said_to_run(halfway):
    text = printed(status_table(halfway.task, halfway.states().values(), live=False))
    assert "3 ended, 1 interrupted" in text
    assert "▶ interrupted" in text


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("make", [at_limit, none_learned, failing, blocked, one_seed, accuracy_over_beta])
def test_tables_keep_to_the_width(make, width):
    run = make()
    for table in (
        explain(run.task, run.states().values()),
        status_table(run.task, run.states().values(), width),
    ):
        assert max(map(len, printed(table, width).splitlines())) <= width


def test_only_the_pictures_load_matplotlib():
    """A terminal answers at once: no picture library behind a table."""
    code = (
        "import sys; import lrsearch.report.tables, lrsearch.report.progress, lrsearch.report.export; "
        "print([m for m in ('matplotlib', 'torch', 'ray', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_race_that_saved_nothing_says_so():
    run = Run(
        sgd(0.1, (0.1, 0.3), settings=SearchSettings(race=True)),
        lambda spec, i: 2 - (1 + spec.seed / 1e6) * i / 5000,
    ).go()
    assert "30,000 iterations, 300 s of training; 0 iterations saved." in printed(
        explain(run.task, run.states().values())
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_of_every_strategy_keep_to_the_width(width):
    for settings in (SearchSettings(race=True), SearchSettings(screen=1, resolve=True)):
        run = Run(paper_task(settings=settings)).go(evaluations=300)
        for table in (
            explain(run.task, run.states().values()),
            status_table(run.task, run.states().values(), width),
        ):
            assert max(map(len, printed(table, width).splitlines())) <= width


def test_a_smoothed_metric_stands_beside_its_last_value():
    metric = Metric("train_loss", window=3)
    run = Run(sgd(0.1, (1e-8, 1e3), metric=metric), lambda spec, i: valley(spec, i) * (1 + (i == 5000))).go()
    text = printed(explain(run.task, run.states().values()), 120)
    assert "± std" in text.splitlines()[2]
    assert "last" in text.splitlines()[2].split()
    assert "the mean of its last 3 evaluations" in text


def test_while_contenders_get_more_seeds_their_means_stay():
    run = Run(sgd(1.0, (1e-8, 1e3), settings=SearchSettings(resolve=True, tolerance=0.02)))
    while not any(trial.spec.seed > 2 for trial in run.coordinator.running):
        run.go(evaluations=1)
    found = {f.value: f for f in findings(run.task, run.states()[SGD])}
    running = [f for f in found.values() if f.mark in (Mark.RUNNING, Mark.BEST_SO_FAR) and f.running]
    assert running
    assert all(f.mean is not None and f.planned == 5 and f.whole == 3 for f in running)
    assert not any(f.mark is Mark.DID_NOT_LEARN for f in found.values())
