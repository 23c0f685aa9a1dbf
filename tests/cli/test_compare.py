"""``lrsearch compare`` from its file to comparison.yaml, interrupted, killed, changed and asked for again."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from cli_runs import wait_for, write_task

COMPARE = """\
name: versus
task: valley.yaml
optimizers:
  sgd: {lr: 0.1}
  cprop_sgd: {like: sgd, cprop: {beta: 0.9}}
"""
INLINE = ("--engine", "inline")


@pytest.fixture
def compare(tmp_path: Path) -> Path:
    write_task(tmp_path)
    path = tmp_path / "compare.yaml"
    path.write_text(COMPARE)
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the comparison, which has ended without any trouble."""
    from lrsearch.cli import main

    folder = tmp_path_factory.mktemp("compared")
    write_task(folder)
    (folder / "compare.yaml").write_text(COMPARE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["compare", "compare.yaml", *INLINE]) == 0
    return folder


def found(folder: Path) -> dict:
    content = yaml.safe_load((folder / "studies/versus/comparison.yaml").read_text())
    return {key: value for key, value in content.items() if key != "made_with"}


def drawn(folder: Path) -> dict[str, bytes]:
    """The page, but for its date, and the pictures."""
    study = folder / "studies/versus"
    page = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"DATE", (study / "report.html").read_bytes())
    return {"page": page} | {path.name: path.read_bytes() for path in (study / "pictures").iterdir()}


def test_every_entry_and_pair_is_in_the_result(undisturbed: Path) -> None:
    content = found(undisturbed)
    assert list(content["entries"]) == ["sgd", "cprop_sgd", "cprop_sgd_control"]
    assert list(content["entries"]["sgd"]["ends"]["train_loss"]) == [0, 1]
    pair = content["pairs"]["cprop_sgd"]
    assert pair["against"] == "sgd"
    assert pair["verdict"].startswith("cprop_sgd against sgd: train_loss ends ")
    assert "learning rate" in pair["verdict"]


def test_differences_are_those_of_the_ends(undisturbed: Path) -> None:
    content = found(undisturbed)
    own, base = (content["entries"][name]["ends"]["train_loss"] for name in ("cprop_sgd", "sgd"))
    mean = sum(own[seed] - base[seed] for seed in (0, 1)) / 2
    assert content["pairs"]["cprop_sgd"]["differences"]["train_loss"]["mean"] == pytest.approx(mean, abs=1e-5)


def test_the_control_trains_the_base_at_the_rate_that_cprop_used(undisturbed: Path) -> None:
    entries = found(undisturbed)["entries"]
    assert entries["sgd"]["hyperparameters"] == {"lr": 0.1}
    scale = entries["cprop_sgd"]["mean_scale"]
    assert 0 < scale < 1
    assert entries["cprop_sgd_control"]["hyperparameters"] == {"lr": pytest.approx(0.1 * scale, rel=1e-3)}


def test_the_result_is_said_and_printed_as_json(cli, compare: Path) -> None:
    status, out, err = cli("compare", "compare.yaml", *INLINE, "--json")
    assert status == 0
    verdict = json.loads(out)["pairs"]["cprop_sgd"]["verdict"]
    assert verdict in err.splitlines()
    assert "cprop_sgd at 0.1: train_loss" in err
    assert err.splitlines()[-1] == "studies/versus/comparison.yaml"


def test_asked_for_again_it_trains_nothing_and_changes_no_file(
    cli, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "studies/versus/comparison.yaml").stat().st_mtime_ns
    status, _, err = cli("compare", "compare.yaml")
    assert status == 0
    assert "everything had been trained already" in err
    assert (tmp_path / "studies/versus/comparison.yaml").stat().st_mtime_ns == before


@pytest.mark.parametrize("evaluations", [0, 3, 8, 13, 22, 27])
def test_interrupted_anywhere_it_ends_as_if_it_had_not_been(
    cli, compare: Path, tmp_path: Path, undisturbed: Path, evaluations: int
) -> None:
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
        status, _, err = cli("compare", "compare.yaml", *INLINE)
    assert status == 130
    assert err.splitlines()[-1].endswith("Go on with: lrsearch resume versus --engine inline")
    assert cli("compare", "compare.yaml", *INLINE)[0] == 0
    assert found(tmp_path) == found(undisturbed)


def test_resumed_by_name_it_needs_no_file_but_the_workload(
    cli, compare: Path, tmp_path: Path, undisturbed: Path
) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    for name in ("compare.yaml", "valley.yaml", "studies/versus/comparison.yaml"):
        (tmp_path / name).unlink()
    assert cli("resume", "versus", *INLINE)[0] == 0
    assert found(tmp_path) == found(undisturbed)
    assert yaml.safe_load(cli("export", "versus")[1])["pairs"] == found(undisturbed)["pairs"]


def test_killed_in_the_control_it_ends_as_if_it_had_not_been(
    start, cli, compare: Path, tmp_path: Path, undisturbed: Path
) -> None:
    batches = 4 * 20 + 5  # of the two entries' two seeds, and some of the control's
    (tmp_path / ".stop_at").write_text(str(batches + 10))  # the workload is tried with a few
    process = start("compare", "compare.yaml", *INLINE)
    wait_for((tmp_path / "stopped").exists, "the batch to stay at")
    os.killpg(process.popen.pid, signal.SIGKILL)
    process.popen.wait()
    (tmp_path / ".stop_at").unlink()
    assert not (tmp_path / "studies/versus/comparison.yaml").exists()
    assert cli("compare", "compare.yaml", *INLINE)[0] == 0
    assert found(tmp_path) == found(undisturbed)
    assert drawn(tmp_path) == drawn(undisturbed)


def test_a_changed_rate_is_refused_with_the_difference(cli, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    (tmp_path / "compare.yaml").write_text(COMPARE.replace("0.1", "0.2"))
    status, _, err = cli("compare", "compare.yaml", *INLINE)
    assert status == 2
    assert "optimizers.sgd.lr was 0.1, is 0.2" in err
    assert "--fork" not in err
    assert len(err.splitlines()) == 1


def test_more_seeds_train_what_is_new_and_the_control_at_the_scale_of_all(
    cli, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    (tmp_path / "compare.yaml").write_text(f"{COMPARE}seeds: 3\n")
    status, _, err = cli("compare", "compare.yaml", *INLINE)
    assert status == 0
    assert "for 5 trainings" in err  # one of each entry, all three of a control at another rate
    entries = found(tmp_path)["entries"]
    assert entries["sgd"]["means"]["train_loss"]["seeds"] == 3
    scale = entries["cprop_sgd"]["mean_scale"]
    assert entries["cprop_sgd_control"]["hyperparameters"]["lr"] == pytest.approx(0.1 * scale, rel=1e-3)


def test_status_has_a_row_an_entry(cli, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    status, out, _ = cli("status", "versus")
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines()[2:5]}
    assert [*rows] == ["sgd", "cprop_sgd", "cprop_sgd_control"]
    assert all("2 of 2" in row for row in rows.values())


def test_explain_has_the_ends_and_the_verdicts(cli, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    status, out, _ = cli("explain", "versus")
    assert status == 0
    assert found(undisturbed)["pairs"]["cprop_sgd"]["verdict"] in " ".join(out.split())
    assert "scale_histogram" not in out


def test_validate_checks_it_and_says_how_to_run_it(cli, compare: Path) -> None:
    status, _, err = cli("validate", "compare.yaml")
    assert status == 0
    assert "compare.yaml is fine: 3 optimizers, 1 pair" in err
    assert "lrsearch compare compare.yaml --dry-run" in err


def test_validate_refuses_a_faulty_one_with_its_place(cli, compare: Path) -> None:
    compare.write_text(COMPARE.replace("like: sgd", "like: sdg"))
    status, _, err = cli("validate", "compare.yaml")
    assert status == 2
    assert err.startswith("compare.yaml:5:")


def test_a_dry_run_says_what_it_takes_and_writes_nothing(cli, compare: Path, tmp_path: Path) -> None:
    status, out, _ = cli("compare", "compare.yaml", "--dry-run")
    assert status == 0
    assert "At least 6 trainings" in out
    assert not (tmp_path / "studies").exists()


def test_a_base_that_diverges_leaves_nothing_to_compare_and_all_else_said(
    cli, compare: Path, tmp_path: Path
) -> None:
    compare.write_text(COMPARE.replace("0.1", "1e20"))
    status, _, err = cli("compare", "compare.yaml", *INLINE)
    assert status == 0
    assert "sgd at 1e20: diverged with seeds 0 and 1." in err
    assert "cprop_sgd against sgd: no seed ended with both, so there is nothing to compare." in err
    assert found(tmp_path)["entries"]["sgd"]["diverged"].keys() == {0, 1}


def test_a_shorter_one_is_a_study_of_its_own_that_says_so(cli, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    assert cli("compare", "compare.yaml", "--scale", "0.5", *INLINE)[0] == 0
    shorter = yaml.safe_load((tmp_path / "studies/versus_at_0.5/comparison.yaml").read_text())
    assert (shorter["comparison"], shorter["scale"]) == ("versus_at_0.5", 0.5)
    assert (
        "10 iterations (0.5 of the file&#x27;s length)"
        in (tmp_path / "studies/versus_at_0.5/report.html").read_text()
    )
    assert found(tmp_path) == found(undisturbed)


def test_a_shorter_one_goes_on_by_its_name(cli, compare: Path, tmp_path: Path) -> None:
    assert cli("compare", "compare.yaml", "--scale", "0.5", *INLINE)[0] == 0
    path = tmp_path / "studies/versus_at_0.5/comparison.yaml"
    before = yaml.safe_load(path.read_text())
    path.unlink()
    assert cli("resume", "versus_at_0.5", *INLINE)[0] == 0
    assert yaml.safe_load(path.read_text()) == before


@pytest.mark.parametrize("scale", ["0", "1.5", "-1", "nan"])
def test_what_is_no_part_of_the_length_is_one_line(cli, compare: Path, scale: str) -> None:
    status, out, err = cli("compare", "compare.yaml", "--scale", scale, *INLINE)
    assert (status, out) == (2, "")
    assert err.endswith("is no part of the file's length; give a number above 0, at most 1\n")
    assert len(err.splitlines()) == 1


def test_a_missing_rate_is_one_line(cli, compare: Path) -> None:
    compare.write_text(COMPARE.replace("{lr: 0.1}", "{}"))
    status, out, err = cli("compare", "compare.yaml", *INLINE)
    assert (status, out) == (2, "")
    assert err == (
        "compare.yaml:4:3 optimizers.sgd.lr is searched in valley.yaml, and without a study in studies/valley there "
        "is no value of sgd/lr; search it with: lrsearch run valley.yaml, or give rates: CHOSEN.yaml, or a number\n"
    )


def test_rates_come_from_the_task_s_own_study(cli, compare: Path, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "studies", tmp_path / "studies")
    compare.write_text(COMPARE.replace("{lr: 0.1}", "{}"))
    assert cli("compare", "compare.yaml", *INLINE)[0] == 0
    assert found(tmp_path)["entries"]["sgd"]["hyperparameters"] == {"lr": 0.3}


def test_the_control_begins_when_what_it_is_measured_on_has_ended(cli, compare: Path) -> None:
    lines = cli("compare", "compare.yaml", *INLINE)[2].splitlines()
    ended = next(i for i, line in enumerate(lines) if "  cprop_sgd at 0.1: " in line)
    begins = next(i for i, line in enumerate(lines) if "  cprop_sgd_control: 2 trainings" in line)
    assert ended < begins


def test_side_by_side_the_scales_are_the_same(cli, compare: Path, tmp_path: Path, undisturbed: Path) -> None:
    compare.write_text(f"{COMPARE}resources: {{pack: 4}}\n")
    assert cli("compare", "compare.yaml", *INLINE)[0] == 0
    packed, alone = (found(folder)["entries"]["cprop_sgd"] for folder in (tmp_path, undisturbed))
    assert packed["mean_scale"] == pytest.approx(alone["mean_scale"], rel=1e-4)
    assert packed["ends"]["train_loss"] == pytest.approx(alone["ends"]["train_loss"], rel=1e-3)


def test_a_report_draws_what_the_comparison_drew(cli, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    (tmp_path / "studies/versus/report.html").unlink()
    shutil.rmtree(tmp_path / "studies/versus/pictures")
    status, out, _ = cli("report", "versus")
    assert status == 0
    assert drawn(tmp_path) == drawn(undisturbed)
    assert "studies/versus/report.html" in out.split()


def test_each_picture_is_there_as_png_and_as_svg(undisturbed: Path) -> None:
    pictures = {path.name for path in (undisturbed / "studies/versus/pictures").iterdir()}
    kinds = ("curves", "differences", "ends")
    for name in (*(f"train_loss-{kind}" for kind in kinds), "mean_scale-curves", "scale_histogram"):
        assert {f"{name}.png", f"{name}.svg"} <= pictures


def test_ray_gives_what_the_inline_engine_gives(
    cli, started_ray: None, compare: Path, tmp_path: Path, undisturbed: Path
) -> None:
    assert cli("compare", "compare.yaml")[0] == 0
    assert found(tmp_path) == found(undisturbed)
