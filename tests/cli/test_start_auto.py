"""``start: auto``: every command says what the range test suggested, and it is made once."""

import json
import re
from pathlib import Path

import pytest
import yaml
from cli_runs import write_task

RUN = ("run", "valley.yaml", "--engine", "inline")
STARTS = "starts from 0.03, as its range test (194 iterations on 2 seeds) suggests"
AUTO = {"{start: 0.1}": "{start: auto}"}


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def evidence(folder: Path) -> dict[str, object]:
    chosen = yaml.safe_load((folder / "studies/valley/chosen.yaml").read_text())
    found: dict[str, object] = chosen["chosen"]["sgd"]["searches"]["lr"]
    return found


@pytest.fixture(scope="module")
def auto(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the task and its study, which has ended; no test changes it."""
    from lrsearch.cli import main

    folder = tmp_path_factory.mktemp("auto")
    write_task(folder, **AUTO)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(RUN) == 0
    return folder


def test_run_says_what_was_suggested_and_begins_there(cli, tmp_path):
    write_task(tmp_path, **AUTO)
    status, _, err = cli(*RUN)
    assert status == 0
    assert err.splitlines()[0] == f"sgd/lr: {STARTS}"
    assert "CLOCK  sgd/lr: searched from 0.03, " in err


def test_chosen_yaml_has_the_suggestion_and_counts_its_iterations(auto):
    found = evidence(auto)
    assert found["start"] == {"auto": 0.03, "suggested": 0.03, "seeds": 2, "iterations": 194}
    assert found["iterations"] == 194 + 20 * 8


@pytest.mark.parametrize("command", ["status", "explain"])
def test_a_look_at_the_study_says_it(cli, auto, command):
    status, out, _ = cli(command, "valley", "--studies", str(auto / "studies"))
    assert status == 0
    assert STARTS in in_one_line(out)


def test_the_page_says_it(auto):
    page = (auto / "studies/valley/report.html").read_text()
    # Its seconds are named from one on.
    assert re.search(rf"a range test, 354 iterations(, [^;]* of training)?; {re.escape(STARTS)}", page)


def test_a_second_run_makes_no_range_test(cli, auto):
    before = (auto / "studies/valley/chosen.yaml").read_text()
    status, _, err = cli(
        "run", str(auto / "valley.yaml"), "--engine", "inline", "--studies", str(auto / "studies")
    )
    assert status == 0
    assert "range test" not in err
    assert (auto / "studies/valley/chosen.yaml").read_text() == before


def test_a_dry_run_makes_no_range_test_and_writes_nothing(cli, tmp_path):
    write_task(tmp_path, **AUTO)
    status, out, _ = cli("run", "valley.yaml", "--dry-run")
    assert status == 0
    assert re.search(r"sgd/lr +auto +1e-8 to 1000 ", out)
    assert "sgd/lr starts from what a range test will suggest" in out
    assert not (tmp_path / "studies").exists()


def test_a_dry_run_as_json_says_what_the_range_test_may_take(cli, tmp_path):
    write_task(tmp_path, **AUTO)
    _, out, _ = cli("run", "valley.yaml", "--dry-run", "--json")
    planned = json.loads(out)["searches"]["sgd/lr"]
    assert (planned["first_candidates"], planned["range_test_iterations_at_most"]) == ([], 200)


def test_a_dry_run_after_a_run_begins_where_that_did(cli, auto):
    status, out, _ = cli("run", str(auto / "valley.yaml"), "--dry-run", "--studies", str(auto / "studies"))
    assert status == 0
    assert re.search(r"sgd/lr +0.03, 0.1 +", out)
    assert STARTS in in_one_line(out)


def test_a_start_may_become_auto_and_a_number_again(cli, tmp_path):
    write_task(tmp_path, **{"{start: 0.1}": "{start: 1}"})
    assert cli(*RUN)[0] == 0
    write_task(tmp_path, **AUTO)
    _, _, err = cli(*RUN)
    assert f"sgd/lr: {STARTS}" in err
    write_task(tmp_path)
    assert cli(*RUN)[0] == 0
    assert "start" not in evidence(tmp_path)


def test_where_no_loss_falls_the_search_starts_from_the_fallback(cli, tmp_path):
    limits = "  sgd: {lr: {start: auto}}\nsearch: {limits: {lr: [0.01, 0.03]}}\n"
    write_task(tmp_path, **{"  sgd: {lr: {start: 0.1}}\n": limits})
    # The loss that is trained on stays as it is, so that no rate can be read off it.
    workload = tmp_path / "valley.py"
    flat = "return workload(lambda model, noise: model(noise) * 0 + 1, scale)"
    workload.write_text(
        workload.read_text().replace("return workload(lambda model, noise: model(noise), scale)", flat)
    )
    status, _, err = cli(*RUN)
    assert status == 0
    assert err.splitlines()[0] == (
        "sgd/lr: starts from 0.01, as its range test (200 iterations on 2 seeds) suggests nothing: no loss fell"
    )


def test_a_workload_that_breaks_down_leaves_nothing_behind(cli, tmp_path):
    write_task(tmp_path, **AUTO)
    workload = tmp_path / "valley.py"
    broken = "drawn = 0\n\n    def batch(self, seed, iteration):\n        1 / (3 - iteration)\n"
    workload.write_text(
        workload.read_text().replace("drawn = 0\n\n    def batch(self, seed, iteration):\n", broken)
    )
    status, _, err = cli(*RUN)
    assert (status, err) == (
        2,
        "FOLDER/valley.py:30 valley.py:valley raised ZeroDivisionError: division by zero in the range test of sgd/lr; "
        "mend it, then run again\n",
    )
    assert not (tmp_path / "studies").exists()


WARNING = (
    "optimizers.cprop.cprop.beta is 0.99; its horizon of 100 iterations is longer than a training of 20; "
    "give at most 0.9, or train longer"
)
CPROP = {"  sgd: {lr: {start: 0.1}}\n": "  cprop: {base: sgd, lr: {start: 0.1}, cprop: {beta: 0.99}}\n"}


@pytest.mark.parametrize("command", [("validate", "valley.yaml"), ("run", "valley.yaml", "--dry-run"), RUN])
def test_a_horizon_longer_than_a_training_is_warned_of_in_one_line(cli, tmp_path, command):
    write_task(tmp_path, **CPROP)
    status, _, err = cli(*command)
    assert status == 0
    assert err.splitlines()[0] == f"valley.yaml:6:48 warning: {WARNING}"
    assert err.count("horizon") == 1


def test_the_page_warns_of_a_horizon(cli, tmp_path):
    write_task(tmp_path, **CPROP)
    assert cli(*RUN)[0] == 0
    assert WARNING in (tmp_path / "studies/valley/report.html").read_text()


def test_a_chosen_horizon_that_is_too_long_is_said_with_the_choice(cli, tmp_path):
    limits = "search: {limits: {cprop.beta: [0.97, 0.99]}}\n"
    entry = "  cprop: {base: sgd, lr: 0.1, cprop: {beta: {start: 0.97}}}\n"
    write_task(tmp_path, **{"  sgd: {lr: {start: 0.1}}\n": entry + limits})
    status, _, err = cli(*RUN)
    assert status == 0
    assert " But its horizon of " in err
