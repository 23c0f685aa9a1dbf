"""Where studies lie, and which there are."""

import sqlite3
from pathlib import Path

import pytest

from lrsearch.errors import StudyNotFoundError
from lrsearch.store.optuna import open_store
from lrsearch.studies import Place, every, newest_unfinished, place_of, read
from lrsearch.task import parse_task
from lrsearch.task.fingerprint import identity_of
from lrsearch.trial import Evaluation, Failed, Finished, TrialSpec

TASK = """\
name: NAME
workload: valley.py:make
budget: {iterations: 20, evaluate_every: 10}
seeds: SEEDS
optimizers:
  sgd: {lr: {start: 0.1}}
"""


def begin(root: Path, name: str, *losses: float | None, seeds: int = 1) -> None:
    """Train the rungs from 0.1 upward to these losses; None for one that is left running."""
    place = Place(name, root)
    task = parse_task(TASK.replace("NAME", name).replace("SEEDS", str(seeds)), root / f"{name}.yaml")
    (search,) = task.searches()
    store = open_store(task, identity_of(task), place.url, place.lock)
    for rung, loss in enumerate(losses, start=-2):
        trial = store.create(TrialSpec(search, rung, 0, {"lr": task.searches()[search].ladder.value(rung)}))
        if loss is not None:
            store.end(trial, Finished(loss), (Evaluation(0, 2.3), Evaluation(20, loss)), 1.0)
    store.close()


@pytest.mark.parametrize("storage", ["sqlite:///shared.db", "postgresql://user:secret@server/studies"])
def test_one_storage_has_one_lock_from_whatever_folder(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here, there = Place("task", Path("a"), storage), Place("task", Path("b"), storage)
    assert here.lock == there.lock
    assert here.lock != Place("other", Path("a"), storage).lock
    assert "secret" not in str(here.lock)


@pytest.mark.parametrize(
    ("named", "name", "root"),
    [("digits", "digits", "studies"), ("studies/digits", "digits", "studies"), ("digits/", "digits", ".")],
)
def test_a_study_goes_by_its_name_or_its_folder(named: str, name: str, root: str) -> None:
    assert place_of(named, Path("studies")) == Place(name, Path(root))


def test_the_last_worked_on_comes_first_whoever_has_looked(tmp_path: Path) -> None:
    begin(tmp_path, "older", 0.5, None)
    begin(tmp_path, "newer", 0.5, None)
    read(Place("older", tmp_path))
    assert [study.task.name for study in every(tmp_path)] == ["newer", "older"]
    assert newest_unfinished(tmp_path).task.name == "newer"


def test_a_database_that_a_kill_left_empty_hides_no_other(tmp_path: Path) -> None:
    begin(tmp_path, "whole", 0.5)
    (tmp_path / "empty").mkdir()
    sqlite3.connect(tmp_path / "empty" / "study.db").close()
    (tmp_path / "empty" / "study.db").touch()
    assert [study.task.name for study in every(tmp_path)] == ["whole"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("valey", r"did you mean valley\?"), ("hill", "there are valley")],
    ids=["near", "far"],
)
@pytest.mark.parametrize("own", [False, True], ids=["in the folder", "in a storage of one's own"])
def test_no_study_is_told_with_those_there_are(tmp_path: Path, name: str, words: str, own: bool) -> None:
    begin(tmp_path, "valley", 0.5)
    storage = Place("valley", tmp_path).url if own else None
    with pytest.raises(StudyNotFoundError, match=words):
        read(Place(name, tmp_path, storage))


def test_a_look_from_outside_counts_what_a_run_counts(tmp_path: Path) -> None:
    """A replica that failed and was trained again, and one of a seed that is no longer asked for."""
    begin(tmp_path, "valley", 0.5, 0.6, seeds=2)
    place = Place("valley", tmp_path)
    task = parse_task(TASK.replace("NAME", "valley").replace("SEEDS", "1"), tmp_path / "valley.yaml")
    (search,) = task.searches()
    store = open_store(task, identity_of(task), place.url, place.lock)
    third = TrialSpec(search, -3, 0, {"lr": 0.03})
    store.end(store.create(third), Failed("a mistake"), (), 0.0)
    store.end(store.create(third), Finished(0.7), (Evaluation(0, 2.3), Evaluation(20, 0.7)), 1.0)
    store.create(TrialSpec(search, -2, 1, {"lr": 0.1}))
    store.close()
    study = read(place)
    state = study.states[search]
    assert study.finished
    assert state.verdict is not None
    assert (state.verdict.chosen, state.verdict.iterations, state.failures) == (0.1, 60, ())


def test_a_database_whose_making_was_killed_at_any_table_holds_nothing_and_is_finished(
    tmp_path: Path,
) -> None:
    begin(tmp_path, "whole", 0.5)
    with sqlite3.connect(tmp_path / "whole/study.db") as whole:
        made = [sql for (sql,) in whole.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    for count in range(len(made) + 1):
        name = f"torn{count}"
        (tmp_path / name).mkdir()
        with sqlite3.connect(tmp_path / name / "study.db") as torn:
            for sql in made[:count]:
                torn.execute(sql)
        with pytest.raises(StudyNotFoundError):
            read(Place(name, tmp_path))
        begin(tmp_path, name, 0.5)
        (state,) = read(Place(name, tmp_path)).states.values()
        assert [trial.outcome for trial in state.trials] == [Finished(0.5)]
