"""Bad input: exit status 2, one line that says where, what and the remedy, nothing on stdout, nothing written."""

import shutil
import socket
from pathlib import Path

import pytest
from cli_runs import TASK, WORKLOAD, write_task

from lrsearch.datasets import CATALOGUE

OTHER_WORKLOADS = "workload: valley.py:valley"
TASKS = [
    ("unknown key", "budget:", "budgt:", "valley.yaml:3:1 budgt is not a key here; did you mean budget?"),
    ("no file", "valley.py:", "valey.py:",
     "valley.yaml:2:1 workload names valey.py, which does not exist; did you mean valley.py?"),
    ("no callable", ":valley\n", ":valey\n",
     "valley.yaml:2:1 workload names valey in valley.py, which does not exist; did you mean valley?"),
    ("no module", "valley.py:valley", "no.such.package:valley",
     "valley.yaml:2:1 workload names the module no.such.package, which cannot be found; install it or mend "
     "the name"),
    ("raising", ":valley\n", ":raises\n",
     "FOLDER/valley.py:47 valley.py:raises raised RuntimeError: no; mend it, then run again"),
    ("leaving", ":valley\n", ":leaves\n",
     "FOLDER/valley.py:51 valley.py:leaves raised SystemExit: usage: valley.py; mend it, then run again"),
    ("no workload", ":valley\n", ":number_instead\n",
     "valley.yaml:2:1 workload valley.py:number_instead returned int; let it return a lrsearch.Workload"),
    ("argument", "seeds: 2", "arguments: {scael: 2}",
     "valley.yaml:4:13 arguments.scael is no argument of valley.py:valley; did you mean scale?"),
    ("metric", "seeds: 2", "metric: {name: train_los}",
     "valley.yaml:4:10 metric.name is train_los, which valley.py:valley does not give; did you mean "
     "train_loss?"),
    ("optimizer argument", "{start: 0.1}", "{start: 0.1}, momentun: 0.9",
     "valley.yaml:6:27 optimizers.sgd.momentun is no argument of SGD; did you mean momentum?"),
    ("optimizer's refusal", "{start: 0.1}", "{start: 0.1}, momentum: -1",
     "valley.yaml:6:3 optimizers.sgd cannot be made: Invalid momentum value: -1; mend its arguments"),
    ("all fixed", "{start: 0.1}", "0.1",
     "valley.yaml:5:1 there is nothing to search, as every number is fixed; give what is to be searched as "
     "{start: VALUE}"),
    ("no GPU", "seeds: 2", "resources: {gpus: 1}",
     "valley.yaml:4:13 resources.gpus is 1, but torch sees no GPU here; set it to 0"),
    ("no data", ":valley\n", ":with_data\n",
     "fashion_mnist: train-images-idx3-ubyte.gz is not in FOLDER/data/fashion_mnist, FOLDER/data, "
     "FOLDER/cache/lrsearch/fashion_mnist; run `lrsearch data fashion_mnist`, or set LRSEARCH_DATA to the "
     "folder that holds it"),
]  # fmt: skip
OPTIONS = [
    ("--only", ["--only", "adam"], "--only adam: valley has no such entry; it has sgd"),
    ("no URL", ["--storage", "nonsense"],
     "cannot open the storage nonsense (ArgumentError: Could not parse SQLAlchemy URL from given URL "
     "string); check the URL, and that its server or folder is there"),
    ("no database", ["--storage", "sqlite:////none/x.db"],
     "cannot open the storage sqlite:////none/x.db (OperationalError: (sqlite3.OperationalError) unable to "
     "open database file); check the URL, and that its server or folder is there"),
    ("studies in a file", ["--studies", "valley.py"],
     "valley.py/valley cannot be written (Not a directory); make room, allow it or choose another"),
    ("unknown option", ["--bar"], "lrsearch run: no such option: --bar; see lrsearch run --help"),
    ("second file", ["b.yaml"], "lrsearch run: got unexpected extra argument(s) (b.yaml); see lrsearch run --help"),
]  # fmt: skip
COMMANDS = [
    (["run", "valey.yaml"], "valey.yaml does not exist; did you mean valley.yaml?"),
    (["run", "."], ". is a folder; give a task file, such as task.yaml"),
    (["run"], "lrsearch run: missing argument 'TASK.yaml'; see lrsearch run --help"),
    (["fly"], "lrsearch: no such command 'fly'; see lrsearch --help"),
    (["resume"], "no study in studies is unfinished; lrsearch status lists those there are"),
    *(([command, "hill"], "there is no study hill in studies; there is none yet: lrsearch run TASK.yaml makes one")
      for command in ("resume", "status", "explain", "report", "export")),
    (["init", "-x"], "lrsearch init: no such option: -x; see lrsearch init --help"),
    (["init", "a/b"], "'a/b' is no name for a task; use letters, digits, '-', '_' and '.', not '-' or '.' first"),
    (["data", "mnist"], f"there is no data set called 'mnist'; give one of {', '.join(CATALOGUE)}"),
    (["data", "penn_treebank"],
     "licence of penn_treebank: LDC99T42 (Linguistic Data Consortium)\n"
     "penn_treebank: the licence forbids to redistribute it, so it is not fetched; get ptb.train.txt, ptb.valid.txt "
     "and ptb.test.txt by other means and put them into FOLDER/cache/lrsearch/penn_treebank, or set LRSEARCH_DATA "
     "to the folder that holds them"),
    (["validate", "valley.yaml", "valey.yaml"],
     "valley.yaml is fine: 1 optimizer, 1 search; `lrsearch run valley.yaml --dry-run` also tries the workload\n"
     "valey.yaml does not exist; did you mean valley.yaml?"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def without_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSEARCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize(("old", "new", "line"), [pytest.param(*row, id=name) for name, *row in TASKS])
def test_a_bad_task_is_refused_in_one_line(cli, tmp_path, monkeypatch, old, new, line):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    write_task(tmp_path, **{old: new})
    assert cli("run", "valley.yaml", "--engine", "inline") == (2, "", line + "\n")
    assert files_of(tmp_path) == {"valley.py", "valley.yaml"}


BEFORE_RUNNING = {"unknown key", "no file", "no callable", "no module", "argument", "optimizer argument"}


@pytest.mark.parametrize(
    ("old", "new", "line"), [pytest.param(*row, id=name) for name, *row in TASKS if name in BEFORE_RUNNING]
)
def test_validate_says_what_run_says_without_running_anything(cli, tmp_path, old, new, line):
    write_task(tmp_path, **{old: new})
    (tmp_path / "valley.py").write_text(f"{WORKLOAD}\nraise RuntimeError('this was run')\n")
    assert cli("validate", "valley.yaml") == (2, "", line + "\n")


@pytest.mark.parametrize(("options", "line"), [pytest.param(*row, id=name) for name, *row in OPTIONS])
def test_a_bad_option_is_refused_in_one_line(cli, tmp_path, options, line):
    write_task(tmp_path)
    assert cli("run", "valley.yaml", "--engine", "inline", *options) == (2, "", line + "\n")
    written = {name for name in files_of(tmp_path) if not name.startswith("cache")}  # where locks lie
    assert written == {"valley.py", "valley.yaml"}


@pytest.mark.parametrize(("arguments", "line"), [pytest.param(*row, id=" ".join(row[0])) for row in COMMANDS])
def test_a_bad_command_is_refused_in_one_line(cli, tmp_path, arguments, line):
    write_task(tmp_path)
    assert cli(*arguments) == (2, "", line + "\n")
    assert files_of(tmp_path) == {"valley.py", "valley.yaml"}


def test_an_address_where_nobody_listens_is_refused_at_once(cli, tmp_path):
    write_task(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = f"no Ray cluster answers at {address} (Connection refused); start one with: ray start --head\n"
        assert cli("run", "valley.yaml", "--address", address) == (2, "", line)
    assert files_of(tmp_path) == {"valley.py", "valley.yaml"}


def test_a_data_file_cut_short_is_refused(cli, tmp_path):
    write_task(tmp_path, **{":valley\n": ":with_data\n"})
    data = tmp_path / "data"
    data.mkdir()
    for file in CATALOGUE["fashion_mnist"].files:
        (data / file.name).write_bytes(b"\x1f\x8b")
    before = files_of(tmp_path)
    status, out, err = cli("run", "valley.yaml", "--engine", "inline")
    name = CATALOGUE["fashion_mnist"].files[0].name
    assert (status, out) == (2, "")
    assert err == (
        f"FOLDER/data/{name} has 2 bytes instead of 26,421,880; delete it and run `lrsearch data fashion_mnist`, "
        "or put the original there\n"
    )
    assert files_of(tmp_path) == before


def test_an_entry_with_nothing_to_search_is_refused(cli, tmp_path):
    write_task(tmp_path, **{"  sgd:": "  adam: {lr: 0.1}\n  sgd:"})
    line = "--only adam: every number of it is fixed; give what is to be searched as {start: VALUE}\n"
    assert cli("run", "valley.yaml", "--only", "adam") == (2, "", line)
    assert files_of(tmp_path) == {"valley.py", "valley.yaml"}


def test_what_the_program_itself_gets_wrong_is_one_line_too(cli, tmp_path, monkeypatch):
    write_task(tmp_path)
    monkeypatch.setattr("lrsearch.task.load_task", lambda path: 1 // 0)
    line = (
        "lrsearch failed: ZeroDivisionError: integer division or modulo by zero; "
        "run it again with --debug to see where\n"
    )
    assert cli("run", "valley.yaml") == (1, "", line)
    with pytest.raises(ZeroDivisionError):
        cli("run", "valley.yaml", "--debug")


def test_a_task_that_trains_differently_is_refused(cli, tmp_path, finished):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "valley.yaml").write_text(TASK.replace("iterations: 20", "iterations: 30"))
    assert cli("run", "valley.yaml", "--engine", "inline") == (
        2,
        "",
        "valley.yaml: the study valley was made from a task that trains differently: budget.iterations was "
        "20, is 30; put that back, keep what is still valid in a new study with: lrsearch run valley.yaml "
        "--fork NAME, give this task another name, or "
        "remove the folder studies/valley to begin anew\n",
    )
    assert (tmp_path / "studies/valley/chosen.yaml").read_bytes() == (
        finished / "studies/valley/chosen.yaml"
    ).read_bytes()


@pytest.mark.parametrize("entries", [("sgd",), ("sgd", "adam")], ids=len)
def test_how_to_begin_anew_in_a_storage_of_ones_own(cli, tmp_path, entries):
    lines = "".join(f"  {entry}: {{lr: {{start: 0.1}}}}\n" for entry in entries)
    path = write_task(tmp_path, **{"  sgd: {lr: {start: 0.1}}\n": lines})
    command = ("run", "valley.yaml", "--engine", "inline", "--storage", f"sqlite:///{tmp_path}/own.db")
    assert cli(*command)[0] == 0
    path.write_text(path.read_text().replace("iterations: 20", "iterations: 30"))
    status, out, err = cli(*command)
    assert (status, out) == (2, "")
    delete = "optuna delete-study --storage sqlite:///FOLDER/own.db --study-name"
    remedy = (
        f"{delete} valley/sgd/lr`"
        if len(entries) == 1
        else f"{delete} NAME` for each of valley/sgd/lr, valley/adam/lr"
    )
    assert err.endswith(f"give this task another name, or begin anew after `{remedy}\n")


def test_an_unknown_study_is_answered_with_those_there_are(cli, tmp_path, finished):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    assert cli("explain", "valey") == (2, "", "there is no study valey in studies; did you mean valley?\n")


@pytest.mark.parametrize("command", ["explain", "resume"])
def test_a_task_file_is_no_study(cli, tmp_path, command):
    write_task(tmp_path, **{"name: valley": "name: hill"})
    line = "valley.yaml is a task file where a study is wanted; that of this task is called hill\n"
    assert cli(command, "valley.yaml") == (2, "", line)


def test_an_export_to_a_folder_is_refused(cli, tmp_path, finished):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    line = "studies cannot be written (Is a directory); make room, allow it or choose another\n"
    assert cli("export", "valley", "-o", "studies") == (2, "", line)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".studies")]
