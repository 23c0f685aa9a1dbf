"""A task that has changed goes on in a fork of its study, with what is still valid."""

import json
import shutil
from pathlib import Path

import optuna
import pytest
from cli_runs import TASK, write_task

TWO = {
    "  sgd: {lr: {start: 0.1}}\n": "  sgd: {lr: {start: 0.1}}\n  heavy: {base: sgd, lr: {start: 0.1}, momentum: 0.5}\n"
}
RUN = ("run", "valley.yaml", "--engine", "inline")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of two entries, which has ended; to be copied."""
    from lrsearch.cli import main

    folder = tmp_path_factory.mktemp("two")
    write_task(folder, **TWO)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(RUN) == 0
    return folder


def trials(folder: Path, study: str, search: str) -> list[optuna.trial.FrozenTrial]:
    url = f"sqlite:///{folder / 'studies' / study / 'study.db'}"
    return optuna.load_study(study_name=f"{study}/{search}", storage=url).trials


def result_of(trial: optuna.trial.FrozenTrial) -> tuple[object, ...]:
    kept = {k: v for k, v in trial.user_attrs.items() if k != "lrsearch forked from"}
    times = (trial.datetime_start, trial.datetime_complete)
    return trial.state, trial.values, trial.params, trial.intermediate_values, kept, times


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "valley.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_with_nothing_changed_everything_is_copied(cli, tmp_path, two):
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "studies/valley/study.db").read_bytes()
    status, out, err = cli(*RUN, "--fork", "valley-2", "--json")
    assert status == 0
    count = sum(len(trials(tmp_path, "valley", search)) for search in ("sgd/lr", "heavy/lr"))
    assert f"valley-2: {count} ended trainings taken over from valley\n" in err
    assert json.loads(out)["replicas"] == 0
    for search in ("sgd/lr", "heavy/lr"):
        there, here = trials(tmp_path, "valley", search), trials(tmp_path, "valley-2", search)
        assert list(map(result_of, here)) == list(map(result_of, there))
        origins = [trial.user_attrs["lrsearch forked from"] for trial in here]
        assert origins == [f"valley/{search}/{trial.number}" for trial in there]
    assert (tmp_path / "studies/valley/study.db").read_bytes() == before


def test_only_the_entry_that_has_changed_is_trained_anew(cli, tmp_path, two):
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    change(tmp_path, "momentum: 0.5", "momentum: 0.6")
    status, _, err = cli(*RUN)
    assert status == 2
    assert "keep what is still valid in a new study with: lrsearch run valley.yaml --fork NAME" in err
    status, out, err = cli(*RUN, "--fork", "valley-2", "--json")
    assert status == 0
    kept = len(trials(tmp_path, "valley", "sgd/lr"))
    assert f"valley-2: {kept} ended trainings taken over from valley; heavy trained anew\n" in err
    assert json.loads(out)["replicas"] == len(trials(tmp_path, "valley-2", "heavy/lr"))
    assert len(trials(tmp_path, "valley-2", "sgd/lr")) == kept
    assert not any("lrsearch forked from" in t.user_attrs for t in trials(tmp_path, "valley-2", "heavy/lr"))


def test_what_all_entries_have_in_common_leaves_nothing(cli, tmp_path, finished):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    change(tmp_path, "evaluate_every: 5", "evaluate_every: 10")
    status, _, err = cli(*RUN, "--fork", "valley-2")
    assert status == 0
    assert "valley-2: 0 ended trainings taken over from valley; sgd trained anew\n" in err


@pytest.mark.parametrize(
    "command", [("resume", "valley-2", "--engine", "inline"), (*RUN, "--fork", "valley-2")]
)
def test_a_fork_goes_on_by_its_name(cli, tmp_path, finished, command):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    change(tmp_path, "seeds: 2", "seeds: 3")
    assert cli(*RUN, "--fork", "valley-2")[0] == 0
    count = len(trials(tmp_path, "valley-2", "sgd/lr"))
    status, out, _ = cli(*command, "--json")
    assert (status, json.loads(out)["replicas"]) == (0, 0)
    assert len(trials(tmp_path, "valley-2", "sgd/lr")) == count
    assert "valley-2" in cli("status")[1]
    assert cli("explain", "valley-2")[0] == 0


def test_a_fork_that_was_killed_amid_copying_is_completed(cli, tmp_path, finished, monkeypatch):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    create = optuna.storages.RDBStorage.create_new_trial
    left = iter(range(3))

    def dies(*arguments, **named):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return create(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.storages.RDBStorage, "create_new_trial", dies)
        assert cli(*RUN, "--fork", "valley-2")[0] == 130
    assert len(trials(tmp_path, "valley-2", "sgd/lr")) == 3, "the death was not staged"
    status, out, _ = cli(*RUN, "--fork", "valley-2", "--json")
    assert (status, json.loads(out)["replicas"]) == (0, 0)
    here, there = trials(tmp_path, "valley-2", "sgd/lr"), trials(tmp_path, "valley", "sgd/lr")
    assert list(map(result_of, here)) == list(map(result_of, there))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("valley", "--fork valley: that is the study itself; give another name\n"),
        ("../x", "--fork ../x: give a name of letters, digits, '-', '_' and '.'\n"),
    ],
)
def test_a_name_that_cannot_be_is_refused(cli, tmp_path, finished, name, line):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    assert cli(*RUN, "--fork", name) == (2, "", line)


def test_another_study_is_not_mixed_with(cli, tmp_path, finished):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "hill.yaml").write_text(TASK.replace("name: valley", "name: hill"))
    assert cli("run", "hill.yaml", "--engine", "inline")[0] == 0
    line = "there is a study hill already, which was not forked from valley; give --fork another name\n"
    assert cli(*RUN, "--fork", "hill") == (2, "", line)


def test_there_has_to_be_a_study(cli, tmp_path):
    write_task(tmp_path)
    status, _, err = cli(*RUN, "--fork", "valley-2")
    assert status == 2
    assert err == (
        "there is no study valley in sqlite:///FOLDER/studies/valley/study.db to be forked; leave --fork out\n"
    )
    assert not (tmp_path / "studies").exists()
