"""Every command's whole output on a small task."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cli_runs import TASK, without_date, write_task

SENTENCE = (
    "sgd/lr = 0.3: bracketed by 0.1 and 1, mean train_loss 0.05098 ± 0.05210 over 2 seeds; "
    "with 95 % confidence it is the best of those trained."
)
DRY_RUN = """\

 search   first candidates   limits         trainings    each   parameters
 ─────────────────────────────────────────────────────────────────────────
 sgd/lr   0.1, 0.3           1e-8 to 1000   at least 4   1 s    8

At least 4 trainings, 1 s in all if one follows the other; workers divide them.
Nothing was written.
"""
STATUS = """\

 study    searches ended   trainings ended   left at least
 ────────────────────────────────────────────────────────────────────
 valley   1 of 1           6                 0               finished

"""
STATUS_OF_VALLEY = """\
search   ladder, means so far               state
──────────────────────────────────────────────────────────────────
sgd/lr    0.1     0.3     1                 bracketed, resolved
          0.5578 ★0.0510  0.3998            the best of these

6 trainings ended, all searches have ended
★ chosen
"""
EXPLAIN = """\
sgd/lr ─────────────────────────────────────────────────────────────────────────

      lr   train_loss     ± std   seeds                    worse by   verdict
 ────────────────────────────────────────────────────────────────────────────
     0.1       0.5578    0.4284       2   more than 10 times as bad   worse
 ★   0.3      0.05098   0.05210       2                               chosen
       1       0.3998    0.3209       2             684.3 ± 372.8 %   worse

 sgd/lr = 0.3: bracketed by 0.1 and 1, mean train_loss 0.05098 ± 0.05210 over 2
 seeds; with 95 % confidence it is the best of those trained.
 6 trainings, 120 iterations.

train_loss at iteration 20, better if low: mean and standard deviation over
seeds. Worse by: mean difference to the chosen one on the same seeds ± its
standard error, against the chosen one's mean, or what it learned, or its error,
whichever is smallest.
"""
DATA = """\

 data set        checksum   MB   folder and terms
 ──────────────────────────────────────────────────────────────────────────────
 fashion_mnist   missing     -   licence: MIT, Copyright (c) 2017 Zalando SE
                                 to fetch it (30.9 MB): lrsearch data
                                 fashion_mnist

 cifar100        missing     -   licence: none stated; cite Krizhevsky (2009)
                                 to fetch it (169.0 MB): lrsearch data cifar100

 tiny_imagenet   missing     -   licence: ImageNet's terms, non-commercial
                                 research and education only
                                 to fetch it (248.1 MB): lrsearch data
                                 tiny_imagenet

 penn_treebank   missing     -   licence: LDC99T42 (Linguistic Data Consortium)
                                 missing: ptb.train.txt, ptb.valid.txt,
                                 ptb.test.txt
                                 the licence forbids to redistribute it, so it
                                 is not fetched: set LRSEARCH_DATA to the
                                 folder that holds them

"""
FILES = "studies/valley/report.html\nstudies/valley/chosen.yaml\n"
RUN = f"""\
CLOCK  sgd/lr: searched from 0.1, at least 4 trainings of 20 iterations each
CLOCK  sgd/lr = 0.1: 0.5578 ± 0.4284 over 2 seeds
CLOCK  sgd/lr = 0.3: 0.05098 ± 0.05210 over 2 seeds
CLOCK  sgd/lr = 1: 0.3998 ± 0.3209 over 2 seeds
CLOCK  {SENTENCE}
N s for 6 trainings, which took N s in all on 1 worker: N s more than training alone (N times)
{FILES}"""


@pytest.fixture
def study(tmp_path: Path, finished: Path) -> Path:
    """The study, finished, in the test's own folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "studies" / "valley"


def test_run_says_what_happens_and_what_it_took(cli, tmp_path):
    write_task(tmp_path)
    status, out, err = cli("run", "valley.yaml", "--engine", "inline")
    assert (status, out) == (0, "")
    assert err == RUN


def test_run_again_trains_nothing_and_changes_no_file(cli, study):
    results = [path for path in study.iterdir() if path.suffix in (".yaml", ".html", ".png")]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in results}
    status, out, err = cli("run", "valley.yaml")
    assert (status, out) == (0, "")
    assert err == f"CLOCK  {SENTENCE}\nN s; everything had been trained already\n{FILES}"
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in results} == before


def test_run_again_writes_results_that_are_gone(cli, study):
    before = without_date(study / "chosen.yaml")
    (study / "chosen.yaml").unlink()
    assert cli("run", "valley.yaml")[0] == 0
    assert without_date(study / "chosen.yaml") == before


def test_run_prints_pure_json(cli, study):
    _, out, _ = cli("run", "valley.yaml", "--json")
    content = json.loads(out)
    assert list(content) == [
        *("lrsearch", "task", "fingerprint", "metric", "chosen", "made_with"),
        *("wall_seconds", "training_seconds", "workers", "replicas"),
    ]
    exported = yaml.safe_load((study / "chosen.yaml").read_text())
    assert content["chosen"] == json.loads(json.dumps(exported["chosen"]))  # keys of JSON are text
    assert content["made_with"] | {"date": ""} == exported["made_with"] | {"date": ""}
    assert content["replicas"] == 0


def test_strict_lets_a_resolved_verdict_pass(cli, study):
    assert cli("run", "valley.yaml", "--strict")[0] == 0


def test_strict_exits_with_3_where_one_seed_resolves_nothing(cli, tmp_path):
    write_task(tmp_path, **{"seeds: 2": "seeds: 1"})
    assert cli("run", "valley.yaml", "--engine", "inline", "--strict")[0] == 3
    assert (tmp_path / "studies/valley/chosen.yaml").is_file()


def test_only_searches_one_entry_and_keeps_the_other(cli, tmp_path):
    write_task(tmp_path, **{"  sgd:": "  adam: {lr: {start: 0.1}}\n  sgd:"})
    chosen = tmp_path / "studies/valley/chosen.yaml"
    status, _, err = cli("run", "valley.yaml", "--engine", "inline", "--only", "sgd")
    assert status == 0
    assert "adam/lr: no candidate has ended" in err
    assert list(yaml.safe_load(chosen.read_text())["chosen"]) == ["sgd"]
    assert cli("run", "valley.yaml", "--engine", "inline", "--only", "adam")[0] == 0
    assert list(yaml.safe_load(chosen.read_text())["chosen"]) == ["adam", "sgd"]


def test_a_dry_run_says_what_it_takes_and_writes_nothing(cli, tmp_path):
    write_task(tmp_path)
    status, out, err = cli("run", "valley.yaml", "--dry-run")
    assert (status, err) == (0, "")
    assert out == DRY_RUN
    assert not (tmp_path / "studies").exists()


def test_a_dry_run_as_json(cli, tmp_path):
    write_task(tmp_path)
    status, out, err = cli("run", "valley.yaml", "--dry-run", "--json")
    assert (status, err) == (0, "")
    planned = json.loads(out)
    assert planned["searches"]["sgd/lr"].pop("seconds_a_training") >= 0
    assert planned.pop("training_seconds_at_least") >= 0
    assert planned == {
        "searches": {
            "sgd/lr": {
                "first_candidates": [0.1, 0.3],
                "limits": [1e-8, 1000.0],
                "waits_for": [],
                "trainings_at_least": 4,
                "parameters": 8,
            }
        }
    }


def test_status_of_all(cli, study):
    assert cli("status") == (0, STATUS, "")


def test_status_where_there_is_none(cli):
    assert cli("status") == (0, "There is no study yet: lrsearch run TASK.yaml makes one.\n", "")


def test_status_of_one(cli, study):
    assert cli("status", "valley") == (0, STATUS_OF_VALLEY, "")


def test_explain(cli, study):
    assert cli("explain", "valley") == (0, EXPLAIN, "")


def test_report_names_its_files(cli, study):
    for path in (*study.glob("*.png"), study / "report.html"):
        path.unlink()
    status, out, err = cli("report", "valley")
    assert (status, err) == (0, "")
    names = out.split()
    assert names == [
        f"studies/valley/{name}" for name in ("report.html", "sgd-lr-curves.png", "sgd-lr-ladder.png")
    ]
    assert all((study.parent.parent / name).is_file() for name in names)


def test_export_prints_what_run_wrote(cli, study):
    status, out, err = cli("export", "valley")
    assert (status, err) == (0, "")
    assert yaml.safe_load(out)["chosen"] == yaml.safe_load((study / "chosen.yaml").read_text())["chosen"]


def test_exports_of_one_study_are_the_same_file_whenever_they_are_made(cli, study, tmp_path):
    before = (study / "chosen.yaml").read_bytes()
    for written in ("new/mine.yaml", "new/again.yaml"):
        assert cli("export", "valley", "-o", written) == (0, f"{written}\n", "")
        assert (tmp_path / written).read_bytes() == before


def test_the_date_is_when_the_last_training_ended(cli, study):
    made = yaml.safe_load((study / "chosen.yaml").read_text())["made_with"]["date"]
    with closing(sqlite3.connect(study / "study.db")) as database:
        [[ended]] = database.execute("SELECT MAX(datetime_complete) FROM trials")
    at = datetime.fromisoformat(ended).astimezone(UTC)  # Optuna keeps local time
    assert made == at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_unfinished_study_is_exported_only_as_partial(cli, study, tmp_path):
    (tmp_path / "valley.yaml").write_text(TASK.replace("seeds: 2", "seeds: 3"))
    interrupted(cli)
    status, out, err = cli("export", "valley")
    assert (status, out) == (2, "")
    assert err == (
        "valley has not ended: sgd/lr: at least 3 of 9 trainings to go; go on with: lrsearch resume valley, "
        "or export what there is with --partial\n"
    )
    status, out, err = cli("export", "valley", "--partial")
    assert (status, err) == (0, "")
    assert yaml.safe_load(out)["chosen"]["sgd"]["hyperparameters"] == {"lr": None}


def interrupted(cli, *options: str, evaluations: int = 0) -> str:
    """Run the task and be interrupted after so many evaluations; give the last line."""
    from lrsearch.training.replica import Replica

    advance, left = Replica.advance, evaluations

    def stop(replica: Replica) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return advance(replica)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Replica, "advance", stop)
        status, out, err = cli("run", "valley.yaml", "--engine", "inline", *options)
    assert (status, out) == (130, "")
    return err.splitlines()[-1]


def test_the_line_that_resumes_has_the_runs_options(cli, tmp_path):
    write_task(tmp_path)
    storage = ("--storage", f"sqlite:///{tmp_path}/own.db")
    assert interrupted(cli, "--studies", "my studies", *storage, "--only", "sgd") == (
        "stopped; every finished training is kept. Go on with: lrsearch resume valley --studies 'my studies' "
        "--storage sqlite:///FOLDER/own.db --engine inline --only sgd"
    )


def test_an_interrupt_before_the_first_training_says_so(cli, tmp_path, monkeypatch):
    def stop(task: object) -> None:
        raise KeyboardInterrupt

    write_task(tmp_path)
    monkeypatch.setattr("lrsearch.training.preflight.check_trains", stop)
    assert cli("run", "valley.yaml") == (
        130,
        "",
        "stopped before anything was trained; the same command begins again\n",
    )
    assert not (tmp_path / "studies").exists()


def test_an_interrupt_while_results_are_written_loses_nothing(cli, study, monkeypatch):
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    before = without_date(study / "chosen.yaml")
    (study / "chosen.yaml").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("lrsearch.report.pages.write_page", stop)
        status, _, err = cli("run", "valley.yaml")
    kept = "stopped; every finished training is kept. Go on with: lrsearch resume valley"
    assert (status, err.splitlines()[-1]) == (130, kept)
    assert cli("resume", "valley")[0] == 0
    assert without_date(study / "chosen.yaml") == before


def test_a_study_that_has_just_begun_is_shown(cli, tmp_path):
    write_task(tmp_path)
    interrupted(cli, evaluations=2)
    assert "0.1" in cli("status", "valley")[1]
    assert (
        "sgd/lr: no candidate has ended and learned yet, at least 4 trainings to go."
        in cli("explain", "valley")[1]
    )
    assert cli("report", "valley")[1].split()[0] == "studies/valley/report.html"
    exported = yaml.safe_load(cli("export", "valley", "--partial")[1])
    assert exported["chosen"]["sgd"]["searches"]["lr"] == {"verdict": "unfinished", "resolved": False}


def test_resume_goes_on_by_name_and_without(cli, study, tmp_path):
    (tmp_path / "valley.yaml").write_text(TASK.replace("seeds: 2", "seeds: 3"))
    interrupted(cli)
    (tmp_path / "valley.yaml").unlink()
    status, _, err = cli("resume", "--engine", "inline")
    assert status == 0
    assert "over 3 seeds" in err
    again = cli("resume", "valley")
    assert again[0] == 0
    assert "everything had been trained already" in again[2]
    assert cli("resume") == (
        2,
        "",
        "no study in studies is unfinished; lrsearch status lists those there are\n",
    )


def test_validate(cli, tmp_path):
    write_task(tmp_path)
    assert cli("validate", "valley.yaml") == (
        0,
        "",
        "valley.yaml is fine: 1 optimizer, 1 search; `lrsearch run valley.yaml --dry-run` also tries the workload\n",
    )


def test_schema_is_the_file_in_the_package(cli):
    import lrsearch

    status, out, err = cli("schema")
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads((Path(lrsearch.__file__).parent / "task.schema.json").read_text())


def test_init_writes_a_task_that_is_fine_and_never_over_another(cli):
    assert cli("init", "mine") == (0, "mine.yaml\nmine.py\n", "try it: lrsearch run mine.yaml\n")
    fine = "mine.yaml is fine: 2 optimizers, 2 searches; `lrsearch run mine.yaml --dry-run` also tries the workload\n"
    assert cli("validate", "mine.yaml") == (0, "", fine)
    line = "mine.yaml exists already and is left as it is; choose another name\n"
    assert cli("init", "mine") == (2, "", line)


def test_data_lists_what_is_missing(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("LRSEARCH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cli("data") == (0, DATA, "")


def test_a_storage_of_ones_own(cli, tmp_path):
    write_task(tmp_path)
    storage = ("--storage", f"sqlite:///{tmp_path}/own.db")
    assert cli("run", "valley.yaml", "--engine", "inline", *storage)[0] == 0
    assert not (tmp_path / "studies/valley/study.db").exists()
    status, out, _ = cli("status", *storage)
    assert status == 0
    assert "finished" in out
    nothing = "no study in the storage is unfinished; lrsearch status lists those there are\n"
    assert cli("resume", *storage) == (2, "", nothing)


def test_the_version(cli):
    import lrsearch

    assert cli("--version") == (0, f"lrsearch {lrsearch.__version__}\n", "")
