"""Code planted in what a run reads (checkpoints, chosen.yaml, a study's database) is never run."""

import os
import pickle
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_runs import TASK, without_date

from lrsearch import load_chosen

MARK = "ran"
"""A folder that the planted code makes where it runs."""
COMMANDS = [
    ("status",),
    ("status", "valley"),
    ("explain", "valley"),
    ("export", "valley"),
    ("report", "valley"),
    ("paper",),
    ("resume", "valley"),
    ("run", "valley.yaml", "--engine", "inline"),
]
TAGS = [
    f"!!python/object/apply:os.mkdir [{MARK}]",
    f"!!python/object/new:os.mkdir [{MARK}]",
    f"!!python/object/apply:eval [\"__import__('os').mkdir('{MARK}')\"]",
    "!!python/name:os.system",
    "!!python/module:antigravity",
]


class Planted:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (MARK,)


@pytest.fixture
def folder(tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished study and its task, where the commands are called."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_traps_work(folder: Path) -> None:
    for trap in (lambda: pickle.loads(pickle.dumps(Planted())), lambda: yaml.unsafe_load(TAGS[0])):
        trap()
        assert Path(MARK).is_dir()
        Path(MARK).rmdir()


def nothing_ran(cli: Callable[..., tuple[int, str, str]], *command: str) -> tuple[int, str, str]:
    status, out, err = cli(*command)
    assert not Path(MARK).exists(), command
    assert "Traceback" not in err, (command, err)
    assert status in (0, 1, 2), (command, err)
    assert "lrsearch failed" not in err, (command, err)
    return status, out, err


# -- chosen.yaml -------------------------------------------------------------------------------------------------------


def planted_in(text: str, tag: str) -> list[str]:
    """Texts with a tag in place of the whole, beside what is there, and in place of a value."""
    return [
        tag,
        f"{text}planted: {tag}\n",
        text.replace("lr: 0.", f"lr: {tag} # 0.", 1),
        f"? {tag}\n: 1\n{text}",
    ]


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_in_chosen_yaml(cli, folder: Path, tag: str) -> None:
    chosen = folder / "studies/valley/chosen.yaml"
    was, undated = chosen.read_text(), without_date(chosen)
    (folder / "start.yaml").write_text(
        TASK.replace("name: valley", "name: start").replace(
            "start: 0.1", "start: {from: studies/valley/chosen.yaml, rule: linear, times: 2}"
        )
    )
    for text in planted_in(was, tag):
        assert text != was
        chosen.write_text(text)
        with pytest.raises(Exception, match=r"chosen\.yaml is no"):
            load_chosen(chosen)
        assert not Path(MARK).exists()
        nothing_ran(cli, "paper")
        assert nothing_ran(cli, "run", "start.yaml", "--dry-run")[0] == 2
        assert nothing_ran(cli, "run", "valley.yaml", "--engine", "inline")[0] == 0
        assert without_date(chosen) == undated, "it is written anew"


@pytest.mark.parametrize("text", ["2020-13-45", "[" * 5000, "\ud800", "? {}\n: 1", "a: &a [*a]"])
def test_what_is_no_yaml_in_place_of_chosen_yaml_is_written_anew(cli, folder: Path, text: str) -> None:
    chosen = folder / "studies/valley/chosen.yaml"
    undated = without_date(chosen)
    chosen.write_bytes(text.encode(errors="surrogatepass"))
    assert nothing_ran(cli, "run", "valley.yaml", "--engine", "inline")[0] == 0
    assert without_date(chosen) == undated


# -- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["pickle", "zip"])
def test_a_pickle_in_place_of_a_checkpoint(cli, folder: Path, form: str) -> None:
    (folder / "valley.yaml").write_text(TASK.replace("seeds: 2", "seeds: 3"))
    kept = folder / "studies/valley/checkpoints/run-of-before"
    kept.mkdir(parents=True)
    content = pickle.dumps({"state": Planted()})
    for number in range(40):
        path = kept / f"sgd-lr-{number}.pt"
        path.write_bytes(content)
        if form == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", content)
                archive.writestr("archive/version", "3\n")
                archive.writestr("archive/byteorder", "little")
    status, _, err = nothing_ran(cli, "run", "valley.yaml", "--engine", "inline")
    assert status == 0
    assert "is damaged and skipped" in err


# -- a study's database ------------------------------------------------------------------------------------------------

PAYLOADS = {
    "pickle": pickle.dumps(Planted(), 0).decode(),
    "bytes": pickle.dumps(Planted()),
    "JSON of a tag": f'"{TAGS[0]}"',
    "JSON of a mapping": f'{{"py/reduce": [{{"py/function": "os.mkdir"}}, {{"py/tuple": ["{MARK}"]}}]}}',
    "task of a tag": f'{{"task": "{TAGS[0]}", "path": "valley.yaml"}}',
    "SQL": f"'; ATTACH DATABASE '{MARK}' AS planted; --",
}


def texts_of(database: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(database) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return [
            (table, column)
            for table in tables
            for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()
            if kind.startswith(("TEXT", "VARCHAR"))
            and connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() != (0,)
        ]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_code_in_any_text_of_the_database(cli, folder: Path, payload: str) -> None:
    database = folder / "studies/valley/study.db"
    whole = database.read_bytes()
    # One command a column, another with each payload.
    shift = list(PAYLOADS).index(payload)
    for number, (table, column) in enumerate(texts_of(database)):
        command = COMMANDS[(number + shift) % len(COMMANDS)]
        shutil.rmtree(folder / "studies/valley")
        database.parent.mkdir()
        database.write_bytes(whole)
        with sqlite3.connect(database) as connection:
            try:
                connection.execute(f"UPDATE {table} SET {column} = ?", (PAYLOADS[payload],))
            except sqlite3.IntegrityError:
                continue
        connection.close()
        cli(*command)
        assert not Path(MARK).exists(), (table, column, command)
