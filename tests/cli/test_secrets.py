"""A password in a storage's URL is in nothing that a command prints or writes."""

import os
import subprocess
from pathlib import Path

import pytest
from cli_runs import LRSEARCH, PATIENCE, write_task

SECRET = "canary7"
"""The password of the tests' server, and of those there are not."""
GONE = {
    "no server": f"postgresql+psycopg://lrsearch:{SECRET}@127.0.0.1:9/studies",
    "in the query": f"postgresql+psycopg://127.0.0.1:9/studies?user=lrsearch&password={SECRET}",
    "for a key": f"postgresql+psycopg://127.0.0.1:9/studies?sslmode=require&sslpassword={SECRET}",
    "unknown option": f"postgresql+psycopg://lrsearch:{SECRET}@127.0.0.1:9/studies?nosuch=1",
    "an @ in it": f"postgresql+psycopg://lrsearch:{SECRET}@{SECRET}@127.0.0.1:9/studies",
    "coded": "postgresql+psycopg://lrsearch:%63anary7@127.0.0.1:9/studies",
    "no such driver": f"nosuch+driver://lrsearch:{SECRET}@127.0.0.1:9/studies",
    "no port": f"postgresql+psycopg://lrsearch:{SECRET}@127.0.0.1:port/studies",
    "no URL": f"postgresql:lrsearch:{SECRET}@127.0.0.1",
}
COMMANDS = [
    ("run", "valley.yaml", "--dry-run"),
    ("run", "valley.yaml", "--engine", "inline"),
    ("run", "valley.yaml", "--engine", "inline", "--fork", "valley-2"),
    ("resume", "valley"),
    ("resume",),
    ("status",),
    ("status", "valley"),
    ("explain", "valley"),
    ("report", "valley"),
    ("export", "valley"),
    ("export", "nosuch"),
]


@pytest.fixture
def call(tmp_path: Path):
    write_task(tmp_path)

    def run(*arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [*LRSEARCH, *arguments],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def holds_secret(folder: Path) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if SECRET in path.name or (path.is_file() and SECRET.encode() in path.read_bytes())
    ]


@pytest.mark.parametrize("url", GONE.values(), ids=GONE)
def test_where_the_server_cannot_be_reached(cli, tmp_path: Path, url: str) -> None:
    write_task(tmp_path)
    for command in COMMANDS:
        status, out, err = cli(*command, "--storage", url)
        # What a run would train is tried without the storage.
        assert status == (0 if "--dry-run" in command else 2), (command, err)
        assert SECRET not in out + err
        assert err.count("\n") == (0 if status == 0 else 1)
    assert holds_secret(tmp_path) == []


@pytest.mark.parametrize("given", ["--storage URL", "--storage=URL", "the environment"])
def test_in_the_traceback_of_debug(call, given: str) -> None:
    url = GONE["no server"]
    option, environment = given.replace("URL", url).split(), {}
    if given == "the environment":
        option, environment = [], {"LRSEARCH_STORAGE": url}
    status, said = call("status", *option, "--debug", **environment)
    assert status == 1
    assert "Traceback" in said
    assert "127.0.0.1" in said
    assert SECRET not in said


@pytest.mark.parametrize("arguments", [(GONE["no server"],), (f"--storrage={GONE['no server']}",)])
def test_where_it_is_given_in_the_wrong_place(cli, arguments: tuple[str, ...]) -> None:
    status, out, err = cli("run", *arguments)
    assert status == 2
    assert SECRET not in out + err


def test_where_all_goes_well(call, cli, tmp_path: Path, postgres_database: str, short_folder: Path) -> None:
    import sqlalchemy

    storage = ("--storage", postgres_database)
    status, text = call("run", "valley.yaml", "--json", *storage, RAY_TMPDIR=str(short_folder))
    assert status == 0
    said = [text]
    for command in COMMANDS[:-1]:
        status, *texts = cli(*command, *storage)
        assert status == (2 if command == ("resume",) else 0), texts  # nothing is unfinished
        said += texts
    wrong = postgres_database.replace(SECRET, f"not-{SECRET}")
    status, *texts = cli("status", "--storage", wrong)
    assert status == 2
    assert SECRET not in "".join([*said, *texts])
    assert holds_secret(tmp_path) == holds_secret(short_folder) == []
    engine = sqlalchemy.create_engine(postgres_database)
    with engine.connect() as connection:
        for table in sqlalchemy.inspect(engine).get_table_names():
            assert SECRET not in str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
    engine.dispose()
