"""The Optuna store beyond the contract: what Optuna sees, one writer, what is refused, what stays secret."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from lrsearch.errors import StorageError, StudyLockedError, StudyMismatchError, StudyNotFoundError, UsageError
from lrsearch.store.database import unreachable
from lrsearch.store.optuna import OptunaStore, open_store, read_study, shown_url, study_names
from lrsearch.task import RangeTest, Task, parse_task
from lrsearch.task.fingerprint import fingerprint, identity_of, of_entry
from lrsearch.trial import Diverged, Evaluation, Failed, Finished, Outcome, SearchId, Stopped, TrialSpec

TASK = """
name: digits
workload: workload.py:make
arguments: {batch_size: 32, hidden: [64, 64]}
budget: {iterations: 200, evaluate_every: 100}
seeds: 3
metric: {name: loss, window: 1}
optimizers:
  sgd: {lr: {start: 0.1}, momentum: 0.9}
  adam: {lr: {start: 0.001}, amsgrad: false}
search: {limits: {lr: [1e-4, 10]}, tolerance: 0.05}
"""
WORKLOAD = "def make(batch_size, hidden):\n    return batch_size\n"
SGD = SearchId("sgd", "lr")
SPEC = TrialSpec(SGD, -2, 0, {"lr": 0.1, "momentum": 0.9})
CURVE = (Evaluation(0, 2.3, {"loss": 2.3}), Evaluation(100, 0.5, {"loss": 0.5}))

Open = Callable[..., OptunaStore]


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'study.db'}"


def write_task(folder: Path, text: str = TASK, workload: str = WORKLOAD) -> Task:
    (folder / "workload.py").write_text(workload)
    return parse_task(text, folder / "task.yaml")


def open_in(folder: Path, task: Task) -> OptunaStore:
    return open_store(task, identity_of(task), url_of(folder), folder / "run.lock")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Open a task's store in the test's folder; what is left open is closed at the end."""
    with ExitStack() as stack:

        def open_it(text: str = TASK, workload: str = WORKLOAD) -> OptunaStore:
            store = open_in(tmp_path, write_task(tmp_path, text, workload))
            stack.callback(store.close)
            return store

        yield open_it


@pytest.fixture
def study(opened: Open, tmp_path: Path) -> optuna.Study:
    """A study with a trial of every kind, as Optuna loads it."""
    store = opened()
    outcomes: list[Outcome] = [
        Finished(0.5),
        Finished(0.25),
        Diverged(100),
        Stopped("no use"),
        Failed("ValueError: x"),
    ]
    for rung, outcome in enumerate(outcomes):
        lr = [0.1, 0.3, 1.0, 3.0, 10.0][rung]
        trial = store.create(TrialSpec(SGD, rung - 2, 0, {"lr": lr, "momentum": 0.9}))
        for evaluation in CURVE:
            store.report(trial, evaluation)
        store.end(trial, outcome, CURVE, 1.5)
    store.close()
    return optuna.load_study(study_name="digits/sgd/lr", storage=url_of(tmp_path))


def test_a_search_is_a_study_of_its_own_name(opened: Open, tmp_path: Path) -> None:
    opened()
    assert sorted(optuna.get_all_study_names(url_of(tmp_path))) == ["digits/adam/lr", "digits/sgd/lr"]


def test_the_direction_is_the_metrics(opened: Open, tmp_path: Path) -> None:
    opened(TASK.replace("window: 1", "window: 1, mode: max"))
    loaded = optuna.load_study(study_name="digits/sgd/lr", storage=url_of(tmp_path))
    assert loaded.direction is optuna.study.StudyDirection.MAXIMIZE


def test_outcomes_are_optunas_states(study: optuna.Study) -> None:
    states = [trial.state for trial in study.trials]
    pruned = [TrialState.PRUNED] * 2
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE, *pruned, TrialState.FAIL]


def test_the_hyperparameter_is_a_real_distribution_over_the_limits(study: optuna.Study) -> None:
    assert {trial.distributions["lr"] for trial in study.trials} == {FloatDistribution(1e-4, 10, log=True)}
    assert [trial.params for trial in study.trials] == [{"lr": lr} for lr in (0.1, 0.3, 1.0, 3.0, 10.0)]


def test_evaluations_are_intermediate_values(study: optuna.Study) -> None:
    assert [trial.intermediate_values for trial in study.trials] == [{0: 2.3, 100: 0.5}] * 5


def test_optuna_knows_the_best_trial(study: optuna.Study) -> None:
    assert study.best_params == {"lr": 0.3}
    assert study.best_value == 0.25


def test_optunas_own_table_and_plots_show_it(study: optuna.Study) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    table = study.trials_dataframe()
    assert list(table["params_lr"]) == [0.1, 0.3, 1.0, 3.0, 10.0]
    assert list(table["user_attrs_seed"]) == [0] * 5
    axes = optuna.visualization.matplotlib.plot_intermediate_values(study)
    # Of a failed trial Optuna draws nothing.
    assert len(axes.lines) == 4
    optuna.visualization.matplotlib.plot_slice(study)
    mpl.pyplot.close("all")


def test_a_trial_whose_run_died_before_closing_it_is_closed_at_the_next_opening(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    trial = store.create(SPEC)
    with monkeypatch.context() as died:
        died.setattr(OptunaStore, "_finish", lambda *arguments: None)
        store.end(trial, Finished(0.5), CURVE, 1.5)
    store.close()
    states = [t.state for t in optuna.load_study(study_name="digits/sgd/lr", storage=url_of(tmp_path)).trials]
    assert states == [TrialState.RUNNING], "the death was not staged"

    (found,) = opened().trials()
    (healed,) = optuna.load_study(study_name="digits/sgd/lr", storage=url_of(tmp_path)).trials
    assert found.outcome == Finished(0.5)
    assert (healed.state, healed.value) == (TrialState.COMPLETE, 0.5)


def test_trials_of_other_hands_are_left_alone(opened: Open, tmp_path: Path) -> None:
    opened().close()
    foreign = optuna.load_study(study_name="digits/sgd/lr", storage=url_of(tmp_path))
    foreign.enqueue_trial({"lr": 0.1})
    foreign.add_trial(optuna.trial.create_trial(value=1.0))
    store = opened()
    own = store.create(SPEC)
    assert [trial.id for trial in store.trials()] == [own]


# -- one writer --------------------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from lrsearch.store.optuna import open_store
from lrsearch.task import load_task
from lrsearch.task.fingerprint import identity_of
folder = Path(sys.argv[1])
task = load_task(folder / "task.yaml")
store = open_store(task, identity_of(task), f"sqlite:///{folder / 'study.db'}", folder / "run.lock")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open."""
    write_task(tmp_path)
    (tmp_path / "task.yaml").write_text(TASK)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_second_writer_is_refused_in_this_process(opened: Open) -> None:
    opened()
    named = (
        rf"another lrsearch \(process {os.getpid()} on .*, since .* UTC\) is writing to the study digits; "
    )
    with pytest.raises(StudyLockedError, match=f"{named}.*status digits"):
        opened()


def test_a_second_writer_is_refused_from_another_process_until_that_is_killed(
    opened: Open, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(StudyLockedError):
        opened()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    opened()


def test_a_closed_store_lets_the_next_writer_in(opened: Open) -> None:
    opened().close()
    opened()


def opened_with_a_result(opened: Open) -> None:
    """A study with a finished training: what others would be mixed with."""
    store = opened()
    store.end(store.create(SPEC), Finished(0.5), (Evaluation(0, 2.3), Evaluation(200, 0.5)), 1.0)
    store.close()


def test_a_refused_study_is_let_go(opened: Open) -> None:
    opened_with_a_result(opened)
    with pytest.raises(StudyMismatchError):
        opened(TASK.replace("iterations: 200", "iterations: 400"))
    opened()


# -- what trains differently is refused, what only widens is not -------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "field", "words"),
    [
        ("batch_size: 32", "batch_size: 64", "arguments.batch_size", "was 32, is 64"),
        ("hidden: [64, 64]", "hidden: [64]", "arguments.hidden", r"was \[64, 64\], is \[64\]"),
        (", hidden: [64, 64]", "", "arguments.hidden", r"was \[64, 64\], is not given"),
        ("iterations: 200", "iterations: 400", "budget.iterations", "was 200, is 400"),
        ("evaluate_every: 100", "evaluate_every: 50", "budget.evaluate_every", "was 100, is 50"),
        ("name: loss", "name: error", "metric.name", 'was "loss", is "error"'),
        ("window: 1", "window: 2", "metric.window", "was 1, is 2"),
        ("window: 1", "window: 1, mode: max", "metric.mode", 'was "min", is "max"'),
        ("window: 1", "window: 1, examples: 10", "metric.examples", "was null, is 10"),
        ("momentum: 0.9", "momentum: 0.99", "optimizers.sgd.momentum", "was 0.9, is 0.99"),
        (
            "momentum: 0.9",
            "momentum: 0.9, nesterov: true",
            "optimizers.sgd.nesterov",
            "was not given, is true",
        ),
        ("amsgrad: false", "amsgrad: true", "optimizers.adam.amsgrad", "was false, is true"),
        ("amsgrad: false", "base: adamw, amsgrad: false", "optimizers.adam.base", 'was "adam", is "adamw"'),
        ("amsgrad: false", "amsgrad: false, cprop: {}", "optimizers.adam.cprop", "was false, is true"),
        ("seeds: 3", "resources: {cpus: 2}", "resources.cpus", "was 1, is 2"),
    ],
)
def test_what_trains_differently_is_refused_by_name(
    opened: Open, before: str, after: str, field: str, words: str
) -> None:
    opened_with_a_result(opened)
    if field.startswith("optimizers.adam"):
        adam = opened()
        adam.end(adam.create(replace(SPEC, search=SearchId("adam", "lr"))), Finished(0.5), (), 1.0)
        adam.close()
    assert before in TASK
    with pytest.raises(StudyMismatchError, match=f"{field} {words}.*another name") as raised:
        opened(TASK.replace(before, after))
    assert raised.value.fields == (field,)
    assert "\n" not in str(raised.value)


def test_a_study_without_results_takes_what_was_mended(opened: Open) -> None:
    store = opened()
    store.end(store.create(SPEC), Failed("a mistake in the workload"), (), 0.0)
    store.create(SPEC)
    store.close()
    mended = opened(workload=WORKLOAD.replace("return batch_size", "return batch_size + 1"))
    assert [type(trial.outcome) for trial in mended.trials()] == [Failed, type(None)]


def test_changed_code_of_the_workload_is_refused(opened: Open) -> None:
    opened_with_a_result(opened)
    with pytest.raises(StudyMismatchError, match="workload's code has changed") as raised:
        opened(workload=WORKLOAD.replace("return batch_size", "return batch_size + 1"))
    assert raised.value.fields == ("workload's code",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("seeds: 3", "seeds: 5"),
        ("lr: [1e-4, 10]", "lr: [1e-6, 100]"),
        ("start: 0.1", "start: 0.03"),
        ("tolerance: 0.05", "tolerance: 0.01"),
        ("search:", "  rmsprop: {lr: {start: 0.001}}\nsearch:"),
        ("  adam: {lr: {start: 0.001}, amsgrad: false}\n", ""),
        ("name: digits\n", "# a comment\nname: digits\n"),
    ],
    ids=[
        "more seeds",
        "wider limits",
        "another start",
        "another tolerance",
        "another entry",
        "an entry less",
        "a comment",
    ],
)
def test_what_only_widens_a_search_goes_on(opened: Open, before: str, after: str) -> None:
    store = opened()
    trial = store.create(SPEC)
    store.end(trial, Finished(0.5), CURVE, 1.0)
    store.close()
    assert before in TASK
    (found,) = opened(TASK.replace(before, after)).trials()
    assert found.id == trial


def test_comments_and_blank_lines_of_the_workload_change_nothing(opened: Open) -> None:
    opened().close()
    opened(workload=f"# said otherwise\n\n\n{WORKLOAD}    # the end\n")


def test_after_wider_limits_new_trials_show_them(opened: Open, tmp_path: Path) -> None:
    store = opened()
    store.create(SPEC)
    store.close()
    opened(TASK.replace("lr: [1e-4, 10]", "lr: [1e-6, 100]")).create(replace(SPEC, seed=1))
    trials = optuna.load_study(study_name="digits/sgd/lr", storage=url_of(tmp_path)).trials
    assert [t.distributions["lr"].high for t in trials] == [10, 100]  # type: ignore[attr-defined]


# -- SQLite as it is opened --------------------------------------------------------------------------------------------


def test_sqlite_keeps_a_log_ahead_and_synchronises_fully(opened: Open) -> None:
    engine = opened()._storage.engine
    with engine.connect() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL


def test_a_transaction_takes_the_write_lock_as_it_begins(opened: Open, tmp_path: Path) -> None:
    engine = opened()._storage.engine
    other = sqlalchemy.create_engine(url_of(tmp_path), connect_args={"timeout": 0})
    locked = pytest.raises(sqlalchemy.exc.OperationalError, match="locked")
    with engine.begin(), other.connect() as connection, locked:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    other.dispose()


# -- read from outside -------------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.iterdir())
        if not path.name.endswith("-shm")  # SQLite's shared memory: readers leave their marks in it
    }


def test_a_study_is_read_while_it_is_written_and_nothing_of_it_changes(opened: Open, tmp_path: Path) -> None:
    store = opened()
    trial = store.create(SPEC)
    store.report(trial, CURVE[0])
    before = contents(tmp_path)
    record = read_study(url_of(tmp_path), "digits")
    assert contents(tmp_path) == before
    assert record.trials == (replace(store.trials()[0], curve=(Evaluation(0, 2.3),)),)
    store.end(trial, Finished(0.5), CURVE, 1.0)
    assert read_study(url_of(tmp_path), "digits").trials == store.trials()


def test_a_study_that_nobody_writes_is_read_without_a_trace(study: optuna.Study, tmp_path: Path) -> None:
    before = contents(tmp_path)
    read_study(url_of(tmp_path), "digits")
    assert study_names(url_of(tmp_path)) == ["digits"]
    assert contents(tmp_path) == before


def test_what_is_read_is_the_task_as_it_was_last_run(opened: Open, tmp_path: Path) -> None:
    opened().close()
    wider = TASK.replace("seeds: 3", "seeds: 5")
    opened(wider).close()
    record = read_study(url_of(tmp_path), "digits")
    assert record.task_text == wider
    assert record.task_path == tmp_path / "task.yaml"
    assert fingerprint(record.identity) == fingerprint(identity_of(write_task(tmp_path, wider)))


def test_two_tasks_in_one_storage_keep_apart(opened: Open, tmp_path: Path) -> None:
    opened().close()
    store = opened(TASK.replace("name: digits", "name: digits2"))
    store.create(SPEC)
    assert study_names(url_of(tmp_path)) == ["digits", "digits2"]
    assert read_study(url_of(tmp_path), "digits").trials == ()
    assert len(read_study(url_of(tmp_path), "digits2").trials) == 1


def test_to_read_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StudyNotFoundError, match="no study digits in sqlite:"):
        read_study(url_of(tmp_path), "digits")
    assert study_names(url_of(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_studies_is_none_yet(tmp_path: Path) -> None:
    sqlalchemy.create_engine(url_of(tmp_path)).connect().close()
    with pytest.raises(StudyNotFoundError):
        read_study(url_of(tmp_path), "digits")


# -- secrets -----------------------------------------------------------------------------------------------------------

SECRET = "canary7"
URLS = [
    f"postgresql://user:{SECRET}@localhost:1/db",
    f"postgresql://localhost:1/db?user=u&password={SECRET}",
    f"postgresql://user:{SECRET}@localhost:port/db",
    f"postgresql//user:{SECRET}@localhost/db",
    f"postgresql://user:{SECRET}@{SECRET}@localhost/db",
    f"user:{SECRET}@localhost",
    f"nosuch+driver://user:{SECRET}@localhost/db?password={SECRET}",
    f"sqlite:////no/such/folder/x.db?password={SECRET}",
]


@pytest.mark.parametrize("url", URLS)
def test_no_password_is_shown(url: str) -> None:
    assert SECRET not in shown_url(url)


def test_what_is_no_secret_is_shown() -> None:
    assert shown_url(f"postgresql://user:{SECRET}@db.example.org:5432/lr") == (
        "postgresql://user:***@db.example.org:5432/lr"
    )
    assert shown_url("sqlite:////tmp/study.db") == "sqlite:////tmp/study.db"


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("act", ["open", "read"])
def test_an_unreachable_storage_is_one_line_without_the_password(url: str, act: str, tmp_path: Path) -> None:
    task = write_task(tmp_path)
    acts: dict[str, Callable[[], object]] = {
        "open": lambda: open_store(task, identity_of(task), url, tmp_path / "run.lock"),
        "read": lambda: read_study(url, "digits"),
    }
    with pytest.raises(UsageError) as raised:
        acts[act]()
    message = str(raised.value)
    assert SECRET not in message
    assert "\n" not in message
    assert message.startswith("cannot open the storage ")
    assert "check the URL" in message


@pytest.mark.parametrize("kind", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE])
def test_a_disk_that_is_full_when_a_storage_is_opened_is_not_the_users_mistake(kind: int) -> None:
    full = sqlite3.OperationalError("no room")
    full.sqlite_errorcode = kind
    said = unreachable("sqlite:///study.db", sqlalchemy.exc.OperationalError("INSERT", {}, full))
    assert type(said) is StorageError
    assert "make room on its disk" in str(said)


def test_a_file_that_is_no_database_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("no database" * 100)
    with pytest.raises(UsageError, match="check the URL"):
        read_study(url_of(tmp_path), "digits")


def test_a_range_test_from_before_there_were_other_proposals_is_read(opened: Open, tmp_path: Path) -> None:
    opened(text := TASK.replace("{start: 0.1}", "{start: auto}"))
    task = write_task(tmp_path, text)
    study = optuna.load_study(study_name="digits/sgd/lr", storage=url_of(tmp_path))
    of = fingerprint(of_entry(identity_of(task), "sgd"))
    kept = {"of": of, "rates": [1e-7, 10.0], "losses": [[2.0, 1.0], [2.0]], "suggested": 0.3}
    study.set_user_attr("lrsearch range test", kept)
    expected = {SGD: (RangeTest((1e-7, 10.0), ((2.0, 1.0), (2.0,)), 0.3),)}
    assert read_study(url_of(tmp_path), "digits").proposed_starts == expected
