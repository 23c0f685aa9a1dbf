"""A password in a storage's URL is in nothing that a command prints or writes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from cli_runs import LRSEARCH, PATIENCE, write_task

from lrsearch.cli import main

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
    ("resume", "valley", "--engine", "inline"),
    ("resume", "--engine", "inline"),
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


def holds_secret(folder: Path, *secrets: str) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        for secret in secrets or (SECRET,)
        if secret in path.name or (path.is_file() and secret.encode() in path.read_bytes())
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


@pytest.fixture
def debugged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Call a command with ``--debug`` in this process; give all that it says, also as Python does where it raises."""
    write_task(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # ``--debug`` sets it

    def run(*arguments: str) -> str:
        try:
            main([*arguments, "--debug"])
        except Exception:
            sys.excepthook(*sys.exc_info())
        return "".join(capfd.readouterr())

    return run


@pytest.mark.parametrize("url", GONE.values(), ids=GONE)
def test_in_the_traceback_of_any_command(debugged, tmp_path: Path, url: str) -> None:
    for command in COMMANDS:
        said = debugged(*command, "--storage", url)
        assert ("Traceback" in said) == ("--dry-run" not in command), command
        assert SECRET not in said, command
    assert holds_secret(tmp_path) == []


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
        nothing_unfinished = command[0] == "resume" and "valley" not in command
        assert status == (2 if nothing_unfinished else 0), texts
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


ODD = "c@nary8:/?#%+ =&ü"
"""A password that means something else wherever it is not coded."""
WRITTEN = {ODD, quote(ODD), quote(ODD, safe=""), quote_plus(ODD), "nary8"}


@pytest.fixture(scope="module")
def odd_role(postgres_server: str) -> str:
    """The server, for a role whose password is odd; the URL is without either."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            sqlalchemy.text(f"CREATE ROLE odd LOGIN SUPERUSER PASSWORD '{ODD}'".replace(":", r"\:"))
        )
    engine.dispose()
    return postgres_server.rpartition("@")[2].partition("/")[0]


@pytest.mark.parametrize("form", ["in front of the @", "in the query", "in the query, with plus signs"])
@pytest.mark.parametrize("goes", ["well", "wrong in the workload", "wrong in the storage"])
def test_an_odd_password(
    debugged, tmp_path: Path, odd_role: str, postgres_database: str, form: str, goes: str
) -> None:
    import sqlalchemy

    name = postgres_database.rpartition("/")[2]
    place = f"{odd_role}/{'nosuch' if goes == 'wrong in the storage' else name}"
    url = {
        "in front of the @": f"postgresql+psycopg://odd:{quote(ODD, safe='')}@{place}",
        "in the query": f"postgresql+psycopg://{place}?user=odd&password={quote(ODD, safe='')}",
        "in the query, with plus signs": f"postgresql+psycopg://{place}?user=odd&password={quote_plus(ODD)}",
    }[form]
    if goes == "wrong in the workload":
        python = tmp_path / "valley.py"
        raising = "Noise.drawn += 1\n        if seed:\n            raise RuntimeError(2 * 'again')"
        python.write_text(python.read_text().replace("Noise.drawn += 1", raising))
    said = "".join(debugged(*command, "--storage", url) for command in COMMANDS)
    assert "psycopg" in said or goes != "wrong in the storage"
    assert ("againagain" in said) == (goes == "wrong in the workload")
    assert ("valley.html" in said or "chosen.yaml" in said) == (goes == "well")
    for secret in WRITTEN:
        assert secret not in said
    assert holds_secret(tmp_path, *WRITTEN) == []
    engine = sqlalchemy.create_engine(postgres_database)
    with engine.connect() as connection:
        for table in sqlalchemy.inspect(engine).get_table_names():
            rows = str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert [secret for secret in WRITTEN if secret in rows] == []
    engine.dispose()
