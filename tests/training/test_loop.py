"""Trainings by a loop of the user's own: what it is told, what it may report, how it ends and goes on."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lrsearch import LiveTrial
from lrsearch.errors import LoopError, LRSearchError, TaskError, WorkloadError
from lrsearch.task import Task, parse_task
from lrsearch.training.preflight import check_trains, measure_cost
from lrsearch.training.progress import Progress
from lrsearch.training.train import train
from lrsearch.trial import Diverged, Failed, Finished, SearchId, TrialSpec

TASK = """\
name: looped
loop: __main__:loop
arguments: {width: 8}
budget: {iterations: 20, evaluate_every: 5}
optimizers:
  sgd: {lr: {start: 0.1}, momentum: 0.5}
"""
Loop = Callable[[LiveTrial], object]


def task_of(loop: Loop, text: str = TASK) -> Task:
    return replace(parse_task(text, Path("looped.yaml")), provided=loop)


def spec(seed: int = 0, lr: float = 0.1) -> TrialSpec:
    return TrialSpec(SearchId("sgd", "lr"), 0, seed, {"lr": lr, "momentum": 0.5})


def run(loop: Loop, folder: Path, text: str = TASK, **what: float) -> list[Progress]:
    return list(train(task_of(loop, text), spec(**what), folder / "checkpoint.pt"))  # type: ignore[arg-type]


def error_of(loop: Loop, folder: Path, text: str = TASK) -> str:
    outcome = run(loop, folder, text)[-1].outcome
    assert isinstance(outcome, Failed)
    return outcome.error


def regression(trial: LiveTrial) -> None:
    """A small network that learns; what is saved is enough to go on."""
    model = nn.Sequential(nn.Linear(4, trial.arguments["width"]), nn.Dropout(0.1), nn.Linear(8, 1))
    optimizer = trial.optimizer(model)
    first = 0
    if (state := trial.resumed) is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["iteration"]
    for iteration in range(first, trial.iterations + 1):
        if trial.is_due(iteration):
            model.eval()
            loss = model(torch.ones(1, 4)).sub(1).square().mean()
            model.train()
            if trial.report(iteration, train_loss=loss, half=loss / 2):
                return
            trial.save(
                {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "iteration": iteration}
            )
        optimizer.zero_grad()
        model(torch.randn(8, 4)).sub(1).square().mean().backward()
        optimizer.step()


# -- what it is told -----------------------------------------------------------------------------------------------


def test_a_loop_gives_the_curve_that_it_reports(tmp_path: Path) -> None:
    *_, last = run(regression, tmp_path)
    assert [e.iteration for e in last.curve] == [0, 5, 10, 15, 20]
    assert all(e.metrics == {"train_loss": e.value, "half": pytest.approx(e.value / 2)} for e in last.curve)
    assert last.outcome == Finished(last.curve[-1].value)
    assert last.curve[-1].value < last.curve[0].value


def test_the_same_seed_gives_the_same_training_and_another_another(tmp_path: Path) -> None:
    first, again, other = (
        run(regression, tmp_path / str(n), seed=s)[-1].curve for n, s in enumerate((3, 3, 4))
    )
    assert first == again
    assert first[0].value != other[0].value


def test_the_rate_is_what_differs_between_candidates(tmp_path: Path) -> None:
    low, high = (run(regression, tmp_path / str(lr), lr=lr)[-1].curve for lr in (1e-4, 0.1))
    assert low[0] == high[0]
    assert low[-1].value > high[-1].value


def test_a_trial_says_all_that_there_is_to_train_with(tmp_path: Path) -> None:
    seen: list[object] = []

    def loop(trial: LiveTrial) -> None:
        seen.extend(
            [trial.lr, dict(trial.hyperparameters), dict(trial.arguments), trial.seed, str(trial.device)]
        )
        seen.extend([trial.iterations, trial.evaluate_every, trial.entry, trial.resumed])
        seen.append([i for i in range(21) if trial.is_due(i)])

    run(loop, tmp_path, seed=7)
    assert seen == [
        0.1, {"lr": 0.1, "momentum": 0.5}, {"width": 8}, 7, "cpu", 20, 5, "sgd", None, [0, 5, 10, 15, 20],
    ]  # fmt: skip


def test_the_optimizer_is_that_of_the_entry(tmp_path: Path) -> None:
    made: list[torch.optim.Optimizer] = []
    run(lambda trial: made.append(trial.optimizer(nn.Linear(1, 1))), tmp_path)
    assert isinstance(made[0], torch.optim.SGD)
    assert made[0].defaults["momentum"] == 0.5
    assert made[0].defaults["lr"] == 0.1


def test_an_entry_without_lr_says_what_it_has(tmp_path: Path) -> None:
    text = TASK.replace("{lr: {start: 0.1}, momentum: 0.5}", "{rate: {start: 0.1, ladder: lr}}")
    task = task_of(lambda trial: trial.lr, text)
    rate = TrialSpec(SearchId("sgd", "rate"), 0, 0, {"rate": 0.1})
    outcome = list(train(task, rate, tmp_path / "c.pt"))[-1].outcome
    assert outcome == Failed("trial.lr: sgd has no lr, but rate; read those")


# -- how it ends ---------------------------------------------------------------------------------------------------


def reporting(*values: float | None, **also: float) -> Loop:
    """A loop that reports some values at 0, 5, 10, ..., and stops when it is told to."""

    def loop(trial: LiveTrial) -> None:
        for number, value in enumerate(values):
            if trial.report(5 * number, train_loss=value, **also):
                return

    return loop


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(float("-inf"))])
def test_a_loss_that_is_not_finite_is_a_divergence(value: float, tmp_path: Path) -> None:
    last = run(reporting(1.0, 0.9, value, 0.8, 0.7), tmp_path)[-1]
    assert last.outcome == Diverged(10)
    assert [e.iteration for e in last.curve] == [0, 5]


def test_a_training_loss_that_is_not_finite_is_one_whatever_decides(tmp_path: Path) -> None:
    text = TASK + "metric: {name: test_loss}\n"
    last = run(reporting(1.0, float("nan"), 1.0, test_loss=0.5), tmp_path, text)[-1]
    assert last.outcome == Diverged(5)


def test_the_window_averages_the_last_reports(tmp_path: Path) -> None:
    last = run(reporting(1.0, 0.9, 0.6, 0.5, 0.1), tmp_path, TASK + "metric: {window: 3}\n")[-1]
    assert last.outcome == Finished(pytest.approx(0.4))


def raising(trial: LiveTrial) -> None:
    trial.report(0, train_loss=1.0)
    raise RuntimeError("no such file")


def leaving(trial: LiveTrial) -> None:
    trial.report(0, train_loss=1.0)
    raise SystemExit(3)


def test_what_it_raises_is_a_failure_with_its_place(tmp_path: Path) -> None:
    first, *traceback = error_of(raising, tmp_path).splitlines()
    assert first.endswith("raised RuntimeError: no such file")
    assert "test_loop.py:" in first
    assert traceback


def test_sys_exit_is_a_failure_too(tmp_path: Path) -> None:
    assert "SystemExit: 3" in error_of(leaving, tmp_path)


def test_a_loop_that_is_no_longer_wanted_is_told_so_and_has_ended(tmp_path: Path) -> None:
    answers: list[bool] = []

    def loop(trial: LiveTrial) -> None:
        for iteration in range(0, 21, 5):
            answers.append(trial.report(iteration, train_loss=1.0))
            if answers[-1]:
                return

    progress = train(task_of(loop), spec(), tmp_path / "checkpoint.pt")
    next(progress), next(progress)
    progress.close()  # type: ignore[attr-defined]
    assert answers == [False, True]
    assert not [thread for thread in threading.enumerate() if thread.name == "training loop"]


def test_an_interrupt_does_not_wait_for_the_loop(tmp_path: Path) -> None:
    hold = threading.Event()

    def loop(trial: LiveTrial) -> None:
        trial.report(0, train_loss=1.0)
        hold.wait(60)

    progress = train(task_of(loop), spec(), tmp_path / "checkpoint.pt")
    next(progress)
    with pytest.raises(KeyboardInterrupt):
        progress.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    hold.set()


# -- what is no report -----------------------------------------------------------------------------------------------


def saying(*reports: tuple[object, object]) -> Loop:
    def loop(trial: LiveTrial) -> None:
        for iteration, value in reports:
            trial.report(iteration, train_loss=value)  # type: ignore[arg-type]

    return loop


NO_REPORTS: list[tuple[Loop, str]] = [
    (saying(), "returned without a report; call trial.report(0, ...) before any update and trial.report(20,"),
    (saying((0, 1.0), (5, 1.0)), "returned after its report of iteration 5; train to trial.iterations, 20, and"),
    (saying((5, 1.0)), "first report is of iteration 5; report iteration 0 first, before any update"),
    (saying((0, 1.0), (10, 1.0), (5, 1.0)), "reported iteration 5 after 10; report each once, in rising order"),
    (saying((0, 1.0), (0, 1.0)), "reported iteration 0 after 0; report each once"),
    (saying((0, 1.0), (21, 1.0)), "reported iteration 21, beyond its 20; let it end at trial.iterations"),
    (saying((0, "low")), "trial.report got 'low' for train_loss; give one number"),
    (saying((0, None)), "trial.report got None for train_loss; give one number"),
    (saying((0, torch.ones(2))), "trial.report got a tensor of shape [2] for train_loss; give one number"),
    (saying((0.5, 1.0)), "trial.report got 0.5 for an iteration; give a whole number from 0 to 20"),
    (saying((True, 1.0)), "trial.report got True for an iteration"),
    (lambda trial: trial.report(0, loss=1.0), "metric.name is train_loss, which loop does not give; give one of loss"),
    (lambda trial: trial.save({"model": object()}), "trial.save got what cannot be read back safely; give tensors"),
    (lambda trial: [trial.report(0, train_loss=1.0), trial.resumed], "trial.resumed was read after a report; read it"),
]  # fmt: skip


@pytest.mark.parametrize(("loop", "line"), NO_REPORTS, ids=[line[:45] for _, line in NO_REPORTS])
def test_what_is_no_report_is_refused_in_one_line(loop: Loop, line: str, tmp_path: Path) -> None:
    error = error_of(loop, tmp_path)
    assert line in error
    assert "\n" not in error


@pytest.mark.parametrize(
    "value", [1, 0.5, torch.tensor(0.5), torch.tensor([0.5]), torch.nn.Parameter(torch.ones(()))]
)
def test_any_single_number_is_a_metric(value: object, tmp_path: Path) -> None:
    assert run(saying((0, value)), tmp_path)[0].curve[0].value == float(value)  # type: ignore[arg-type]


def test_fewer_reports_than_the_window_are_refused(tmp_path: Path) -> None:
    said = error_of(saying((0, 1.0), (20, 0.5)), tmp_path, TASK + "metric: {window: 2}\n")
    assert said == "the loop reported 1 times after iteration 0, and metric.window is 2; report more often"


# -- going on --------------------------------------------------------------------------------------------------------


def interrupted(loop: Loop, checkpoint: Path, after: int, seed: int = 0) -> None:
    progress: Iterator[Progress] = train(task_of(loop), spec(seed), checkpoint)
    for _ in range(after):
        next(progress)
    progress.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_it_goes_on_from_what_it_saved_to_the_bit(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrsearch.training.loop.CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr("lrsearch.training.loop.CHECKPOINT_SHARE", 1e9)
    whole = run(regression, tmp_path / "whole")[-1]
    interrupted(regression, tmp_path / "checkpoint.pt", after)
    torch.rand(17)  # what came between
    rest = list(train(task_of(regression), spec(), tmp_path / "checkpoint.pt"))
    assert rest[-1].curve == whole.curve
    assert len(rest) == 6 - max(1, after - 1)


def test_a_loop_that_saves_nothing_begins_anew(tmp_path: Path) -> None:
    loop = reporting(1.0, 0.9, 0.8, 0.7, 0.6)
    interrupted(loop, tmp_path / "checkpoint.pt", 3)
    assert len(run(loop, tmp_path)[-1].curve) == 5


def test_a_loop_that_does_not_look_at_what_it_saved_begins_anew(tmp_path: Path) -> None:
    def loop(trial: LiveTrial) -> None:
        for iteration in range(0, 21, 5):
            trial.save({"iteration": iteration})
            if trial.report(iteration, train_loss=1.0):
                return

    interrupted(loop, tmp_path / "checkpoint.pt", 3)
    assert isinstance(run(loop, tmp_path)[-1].outcome, Finished)


def test_what_another_replica_saved_is_not_taken(tmp_path: Path) -> None:
    interrupted(regression, tmp_path / "checkpoint.pt", 3)
    assert (
        run(regression, tmp_path, seed=1)[-1].curve == run(regression, tmp_path / "fresh", seed=1)[-1].curve
    )


def test_a_later_state_that_cannot_be_read_back_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrsearch.training.loop.CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr("lrsearch.training.loop.CHECKPOINT_SHARE", 1e9)

    def loop(trial: LiveTrial) -> None:
        trial.save({"best": 0.5})
        trial.save({"best": object()})

    assert "cannot be read back safely" in error_of(loop, tmp_path)
    assert (tmp_path / "checkpoint.pt").exists()  # the older one is kept


def test_a_loop_that_failed_has_ended(tmp_path: Path) -> None:
    error_of(saying((0, 1.0), (20, 0.5)), tmp_path, TASK + "metric: {window: 2}\n")
    assert not [thread for thread in threading.enumerate() if thread.name == "training loop"]


def test_saving_is_rare_where_it_is_often_asked_for(tmp_path: Path) -> None:
    checkpoint, written = tmp_path / "checkpoint.pt", set()

    def loop(trial: LiveTrial) -> None:
        for iteration in range(1000):
            trial.save({"iteration": iteration})
            written.add(checkpoint.stat().st_mtime_ns)

    run(loop, tmp_path)
    assert len(written) == 1


# -- before a search -------------------------------------------------------------------------------------------------


def test_a_loop_is_tried_to_its_first_report() -> None:
    seen: list[int] = []

    def loop(trial: LiveTrial) -> None:
        for iteration in range(0, 21, 5):
            seen.append(iteration)
            if trial.report(iteration, train_loss=1.0):
                return

    assert check_trains(task_of(loop)).parameters == {"sgd": None}
    assert seen == [0]


def test_one_that_goes_on_when_told_to_stop_is_refused_before_the_search() -> None:
    with pytest.raises(
        LoopError, match="reported iteration 5 after it was told to stop at 0; let the answer end it"
    ):
        check_trains(task_of(saying(*[(iteration, 1.0) for iteration in range(0, 21, 5)])))


@pytest.mark.parametrize(
    ("loop", "kind", "line"),
    [
        (saying(), LoopError, "returned without a report"),
        (lambda trial: trial.report(0, accuracy=1.0), TaskError, "metric.name is train_loss"),
        (lambda trial: 1 / 0, WorkloadError, "raised ZeroDivisionError: division by zero; mend it"),
        (lambda trial: trial.optimizer([nn.Linear(1, 1)]), LoopError, "optimizers.sgd: "),
    ],
    ids=["silent", "no metric", "raising", "no parameters"],
)
def test_what_cannot_train_is_refused_before_the_search(
    loop: Loop, kind: type[LRSearchError], line: str
) -> None:
    with pytest.raises(kind, match=line):
        check_trains(task_of(loop))


def test_the_cost_is_reckoned_from_the_first_two_reports() -> None:
    def loop(trial: LiveTrial) -> None:
        for iteration in range(0, 21, 5):
            threading.Event().wait({0: 1.0, 5: 0.2}.get(iteration, 0))  # set-up, five updates
            if trial.report(iteration, train_loss=1.0):
                return

    task = task_of(loop)
    assert 1.8 <= measure_cost(task, task.entries["sgd"]) < 4
