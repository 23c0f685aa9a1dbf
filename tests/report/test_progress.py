"""A run as it is shown: lines in a log, a board on a terminal."""

import io
import re
import threading
from math import nan
from time import perf_counter

import pytest
from report_runs import Run, at_limit, blocked, failing, none_learned, paper_task, sgd, valley
from rich.console import Console

from lrsearch.report.board import Board
from lrsearch.report.numbers import bound_text
from lrsearch.report.pace import Pace
from lrsearch.report.progress import REFRESHES_PER_SECOND, Progress
from lrsearch.report.sentences import sentence
from lrsearch.task.model import SearchSettings
from lrsearch.trial import Evaluation, SearchId

SGD = SearchId("sgd", "lr")


class Watched:
    """A run that Progress shows on a console of text."""

    def __init__(self, task, loss=valley, store=None, terminal=False, workers=2):
        self.text = io.StringIO()
        self.console = Console(file=self.text, width=80, force_terminal=terminal, color_system=None)
        self.progress = Progress(task, self.console, clock=lambda: self.run.now)
        self.run = Run(task, loss, workers, self.progress, store)

    def go(self, evaluations=float("inf")) -> str:
        with self.progress.following(self.run.coordinator, workers=lambda: self.run.workers):
            self.run.go(evaluations)
        return self.text.getvalue()


def board_text(run: Run, width: int = 80) -> str:
    pace = Pace(trial for state in run.coordinator.states for trial in state.trials)
    board = Board(run.task, run.coordinator, pace, lambda: run.workers, run.clock)
    console = Console(file=io.StringIO(), width=width)
    console.print(board.draw(width))
    return "".join(line.rstrip() + "\n" for line in console.file.getvalue().splitlines())


LINES = """\
0:00:00  sgd/lr: searched from 1, at least 5 trainings of 5000 iterations each
0:00:00  adam/lr: searched from 1e-4, at least 5 trainings of 5000 iterations each
0:02:35  sgd/lr = 1: 0.4504 ± 0.0108 over 3 seeds
0:02:35  adam/lr = 1e-4: 0.3388 ± 0.0095 over 3 seeds
0:02:40  sgd/lr = 3: diverged at iteration 250 (seed 0)
0:05:12  adam/lr = 3e-4: 0.3177 ± 0.0067 over 3 seeds
0:05:17  sgd/lr = 0.3: 0.4060 ± 0.0095 over 3 seeds
0:07:50  adam/lr = 1e-3: 0.3078 ± 0.0066 over 3 seeds
0:07:55  sgd/lr = 0.1: 0.3905 ± 0.0090 over 3 seeds
0:10:27  adam/lr = 3e-3: 0.3206 ± 0.0069 over 3 seeds
0:10:32  sgd/lr = 0.03: 0.3888 ± 0.0123 over 3 seeds
0:12:17  sgd/lr = 0.01: 0.4212 ± 0.0103 over 3 seeds
0:12:20  cprop_sgd/cprop.c: searched from 1, at least 4 trainings of 5000 iterations each
0:14:02  cprop_sgd/cprop.c = 1: 0.3560 ± 0.0081 over 3 seeds
0:14:55  cprop_sgd/cprop.c = 3: 0.3501 ± 0.0081 over 3 seeds
0:16:40  cprop_sgd/cprop.c = 9: 0.3557 ± 0.0083 over 3 seeds
"""
BEFORE = """\

sgd/lr              1       3                        0 running, ≥ 5 more
                   ·       ·

adam/lr             1e-4    3e-4                     0 running, ≥ 5 more
                   ·       ·

cprop_sgd/cprop.c                                    waits for
                                                     sgd/lr

0 trainings ended, 0 running, at least 14 more   0:00:00
"""
BETWEEN = """\

sgd/lr              0.3     1       3                1 running, maybe last
1 so far           ▶15 %   ★0.4504 ✗                 ━━━━━━━          45 %

adam/lr             1e-4    3e-4                     1 running, ≥ 1 more
1e-4 so far        ★0.3388 ▶18 %                     ━━━━━━━━╸        55 %

cprop_sgd/cprop.c                                    waits for
                                                     sgd/lr

7 trainings ended, 2 running, at least 5 more   0:00:00, at least 3 min to go
"""
AFTER = """\

sgd/lr              0.01    0.03    0.1     0.3…     bracketed, unresolved
= 0.03             ≈0.4212 ★0.3888 ≈0.3905 ≈0.4060   loses ≤ REGRET

adam/lr             1e-4    3e-4    1e-3    3e-3     bracketed, resolved
= 1e-3              0.3388  0.3177 ★0.3078  0.3206   the best of these

cprop_sgd/cprop.c   1       3       9                bracketed, resolved
= 3                 0.3560 ★0.3501  0.3557           the best of these

37 trainings ended   0:00:00
"""


def test_the_lines_of_a_whole_run_without_its_verdicts():
    lines = Watched(paper_task()).go().splitlines(keepends=True)
    assert "".join(line for line in lines if ": bracketed" not in line) == LINES


def test_each_verdict_is_a_line_once(finished):
    lines = Watched(paper_task()).go().splitlines()
    said = [line[len("0:00:00  ") :] for line in lines if ": bracketed" in line]
    assert sorted(said) == sorted(sentence(finished.task, state) for state in finished.states().values())


def test_a_run_that_goes_on_says_where_it_stands():
    first = Watched(paper_task())
    first.go(evaluations=330)
    assert Watched(paper_task(), store=first.run.store).go(evaluations=4) == (
        "0:00:00  adam/lr: goes on, 7 trainings ended before, at least 1 training to go\n"
        "0:00:00  sgd/lr: goes on, 8 trainings ended before, at least 1 training to go\n"
    )


def test_a_study_that_had_ended_is_told_by_its_verdicts(finished):
    lines = Watched(finished.task, store=finished.store).go().splitlines()
    assert lines == [f"0:00:00  {sentence(finished.task, state)}" for state in finished.coordinator.states]


def test_a_failure_is_one_line():
    failed = failing()
    assert Watched(failed.task, failed.loss).go() == (
        "0:00:00  sgd/lr: searched from 0.1, at least 5 trainings of 5000 iterations each\n"
        "0:00:05  sgd/lr = 0.1: seed 1 failed: RuntimeError: out of memory\n"
    )


def test_a_candidate_that_was_stopped_is_a_line_with_the_reason():
    text = Watched(sgd(0.1, (1e-3, 3.0), settings=SearchSettings(race=True))).go()
    lines = [line for line in text.splitlines() if ": stopped" in line]
    assert lines
    for line in lines:
        assert re.search(r"stopped at iteration \d+ \(seed \d\), at least \d+% behind 0\.\d+ in the end", line), line


def test_a_seed_that_was_stopped_since_another_diverged_is_no_second_line():
    text = Watched(sgd(3.0, (0.01, 10.0))).go()
    assert text.count("sgd/lr = 3: diverged at iteration 250 (seed 0)\n") == 1


def test_what_did_not_learn_is_one_line_with_where_it_began_and_ended():
    text = Watched(sgd(0.1, (0.01, 0.1)), lambda spec, i: 2.31 - 0.002 * spec.seed - i / 1e6, workers=1).go()
    assert [line[len("0:00:00  ") :] for line in text.splitlines() if "did not learn" in line] == [
        f"sgd/lr = {rate}: did not learn: began at 2.308, ended at 2.303 ± 0.002 over 3 seeds"
        for rate in ("0.1", "0.03", "0.01")
    ]


def test_seeds_that_diverge_after_another_are_no_second_line():
    text = Watched(
        sgd(0.1, (0.01, 0.1)), lambda spec, i: nan if i > 250 * spec.seed else 2.31, workers=3
    ).go()
    assert [line.rpartition("  ")[2] for line in text.splitlines() if "= 0.1: diverged" in line] == [
        "sgd/lr = 0.1: diverged at iteration 250 (seed 0)"
    ]


def test_the_board_before_between_and_after():
    run = Run(paper_task())
    assert board_text(run) == BEFORE
    assert board_text(run.go(evaluations=150)) == BETWEEN
    bound = bound_text(run.go().states()[SGD].verdict.regret_at_most)
    assert board_text(run) == AFTER.replace("REGRET", bound)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (at_limit, "at the lowest limit"),
        (none_learned, "nothing learned"),
        (failing, "mend it, run again"),
        (blocked, "sgd/lr found nothing"),
    ],
)
def test_the_board_says_how_a_search_ended_badly(make, words):
    assert words in board_text(make())


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_board_keeps_to_the_width(width):
    assert max(map(len, board_text(Run(paper_task()).go(evaluations=290), width).splitlines())) <= width


def test_a_long_ladder_shows_where_the_search_is():
    ladder = board_text(Run(sgd(1e-6, (1e-8, 1e3))).go(), width=72)
    assert "…" in ladder
    assert "★0.3888" in ladder


def test_a_terminal_shows_the_board_and_leaves_it_there():
    watched = Watched(paper_task(), terminal=True)
    text = watched.go()
    assert "★0.3078" in text.split("\x1b[2K")[-1]
    assert "0:00:00  " not in text


def test_drawing_while_the_run_changes_never_raises():
    run = Run(paper_task(), workers=4)
    board = Board(run.task, run.coordinator, Pace(), lambda: 4, run.clock)
    console = Console(file=io.StringIO(), width=80)
    problems = []

    def draw() -> None:
        try:
            while not run.coordinator.done():
                console.print(board.draw(80))
        except Exception as problem:
            problems.append(problem)

    drawing = threading.Thread(target=draw)
    drawing.start()
    run.go()
    drawing.join()
    assert problems == []


def test_the_picture_before_stays_where_states_change_while_they_are_read():
    class Changing:
        running = ()

        @property
        def states(self):
            if self.calls:
                raise RuntimeError("dictionary changed size during iteration")
            self.calls += 1
            return run.coordinator.states

        calls = 0

    run = Run(paper_task())
    board = Board(run.task, Changing(), Pace(), lambda: 1, run.clock)
    assert board.draw(80) is board.draw(80)


def test_drawing_costs_next_to_nothing():
    run = Run(paper_task()).go(evaluations=290)
    board = Board(run.task, run.coordinator, Pace(), lambda: 2, run.clock)
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    console.print(board.draw(120))
    seconds = []
    for _ in range(20):
        began = perf_counter()
        console.print(board.draw(120))
        seconds.append(perf_counter() - began)
    assert min(seconds) * REFRESHES_PER_SECOND < 0.05, "more than 5 % of a core"


def test_time_left_follows_from_the_pace_and_the_workers():
    run = Run(sgd(0.1, (1e-8, 1e3)))
    pace = Pace()
    assert pace.seconds_left({SGD: 9 * 5000}, workers=2) is None
    run.go(evaluations=2 * 21)
    for state in run.coordinator.states:
        for trial in state.trials:
            pace.ended(trial)
    assert pace.seconds_left({SGD: 7 * 5000}, workers=2) == pytest.approx(7 * 50 / 2)


def test_before_a_training_has_ended_its_evaluations_set_the_pace():
    run = Run(sgd(0.1, (1e-8, 1e3)))
    pace = Pace()
    trial = run.coordinator.ask()
    pace.started(trial, now=100.0)
    run.coordinator.report(trial.id, Evaluation(250, 1.0))
    pace.evaluated(run.coordinator.running[0], now=105.0)
    assert pace.seconds_per_iteration(SGD) == pytest.approx(0.02)
    assert pace.seconds_left({SearchId("adam", "lr"): 1000}, workers=4) == pytest.approx(5.0)
