"""``start: {from: ...}``: a search begins where another study's result points, and it is said whether that held."""

# ruff: noqa: E501 - the lines are the ones that users see, unbroken.

import json
import re
from pathlib import Path

import pytest
import yaml
from cli_runs import write_task

RUN = ("run", "valley.yaml", "--engine", "inline")
DRY_RUN = ("run", "valley.yaml", "--dry-run")
RULE = "rule: linear, by: scale"
SCALED = "linear scaling by scale (10 -> 40) from there/chosen.yaml"
STARTS = f"starts from 0.3, where {SCALED} points (0.4)"
HELD = f"0.3 is where {SCALED} pointed; it held."
OFF = "Linear scaling by scale (10 -> 40) from there/chosen.yaml pointed to 1; the bracket found 0.3, one rung below."


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def write_other(folder: Path, **changes: object) -> Path:
    """Write the other study's chosen.yaml, with keys of its entry changed; one that is None is left out."""
    entry = {"optimizer": "sgd", "hyperparameters": {"lr": 0.1}, "arguments": {"scale": 10}} | changes
    content = {
        "lrsearch": "0.1.0",
        "task": "there",
        "metric": {"name": "train_loss", "iteration": 20},
        "chosen": {"sgd": {name: value for name, value in entry.items() if value is not None}},
    }
    path = folder / "there" / "chosen.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def write(folder: Path, rule: str = RULE, arguments: str = "scale: 40", **changes: str) -> None:
    """Write a task that starts where the other study's result points; SGD does best at 0.3."""
    start = {"{start: 0.1}": f"{{start: {{from: there/chosen.yaml, {rule}}}}}"}
    write_task(folder, **{"seeds: 2": f"seeds: 2\narguments: {{{arguments}}}"}, **start, **changes)


def start_of(folder: Path) -> dict[str, object]:
    chosen = yaml.safe_load((folder / "studies/valley/chosen.yaml").read_text())
    found: dict[str, object] = chosen["chosen"]["sgd"]["searches"]["lr"]["start"]
    return found


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the task and its study, which has ended, and without the other's file; no test changes it."""
    from lrsearch.cli import main

    folder = tmp_path_factory.mktemp("held")
    write(folder)
    other = write_other(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(RUN) == 0
    other.unlink()
    return folder


def test_run_says_where_it_begins_and_why(cli, tmp_path):
    write(tmp_path)
    write_other(tmp_path)
    status, _, err = cli(*RUN)
    assert status == 0
    assert err.splitlines()[0] == f"sgd/lr: {STARTS}"
    assert "CLOCK  sgd/lr: searched from 0.3, " in err


def test_chosen_yaml_says_that_the_rule_held(held):
    assert start_of(held) == {
        "from": "there/chosen.yaml",
        "entry": "sgd",
        "rule": "linear",
        "by": "scale",
        "ratio": 4,
        "value": 0.4,
        "rung": 0.3,
        "held": True,
        "off_by": 0,
    }


def test_chosen_yaml_says_by_how_many_rungs_the_rule_was_off(cli, tmp_path):
    write(tmp_path)
    write_other(tmp_path, hyperparameters={"lr": 0.3})
    _, _, err = cli(*RUN)
    assert OFF in err
    assert {name: start_of(tmp_path)[name] for name in ("value", "rung", "held", "off_by")} == {
        "value": 1.2,
        "rung": 1,
        "held": False,
        "off_by": -1,
    }


def test_chosen_yaml_leaves_open_what_a_search_that_found_nothing_cannot_say(cli, tmp_path):
    limits = "search: {limits: {lr: [10, 100]}}\nmetric: {name: train_loss}"
    write(tmp_path, **{"name: valley": f"name: valley\n{limits}"})
    write_other(tmp_path, hyperparameters={"lr": 10})
    status, _, err = cli(*RUN)
    assert status == 0
    assert "Linear scaling by scale (10 -> 40) from there/chosen.yaml pointed to 30.\n" in err
    assert [start_of(tmp_path)[name] for name in ("held", "off_by")] == [None, None]


def test_chosen_yaml_has_the_arguments_that_the_values_were_chosen_with(held):
    chosen = yaml.safe_load((held / "studies/valley/chosen.yaml").read_text())
    assert chosen["chosen"]["sgd"]["arguments"] == {"scale": 40}


@pytest.mark.parametrize("command", ["status", "explain"])
def test_a_look_at_the_study_says_it_without_the_other_file(cli, held, command):
    status, out, _ = cli(command, "valley", "--studies", str(held / "studies"))
    assert status == 0
    assert HELD in in_one_line(out)


def test_the_page_says_it(held):
    assert HELD.replace(">", "&gt;") in (held / "studies/valley/report.html").read_text()


def test_export_and_report_do_not_need_the_other_file(cli, held, tmp_path):
    status, out, _ = cli("export", "valley", "--studies", str(held / "studies"))
    assert (status, out.count("held: true")) == (0, 1)


def test_a_second_run_does_not_need_the_other_file(cli, held):
    before = (held / "studies/valley/chosen.yaml").read_text()
    status, _, err = cli(
        "run", str(held / "valley.yaml"), "--engine", "inline", "--studies", str(held / "studies")
    )
    assert status == 0
    assert "everything had been trained already" in err
    assert (held / "studies/valley/chosen.yaml").read_text() == before


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_search_that_was_interrupted_goes_on_from_where_it_began(cli, tmp_path, change):
    write(tmp_path)
    other = write_other(tmp_path)
    workload, broken = tmp_path / "valley.py", tmp_path / "broken"
    counted = "        Noise.drawn += 1\n"
    breaking = f'{counted}        if (HERE / "broken").exists() and Noise.drawn > 60:\n            raise OSError("disk")\n'
    workload.write_text(workload.read_text().replace(counted, breaking))
    broken.touch()
    assert cli(*RUN)[0] == 1
    if change == "gone":
        other.unlink()
    else:
        write_other(tmp_path, hyperparameters={"lr": 1e-5})
    broken.unlink()
    for command in (("resume", "valley", "--engine", "inline"), RUN):
        status, _, err = cli(*command)
        assert (status, err.count(HELD)) == (0, 1)
    assert start_of(tmp_path)["held"] is True


def test_a_changed_rule_is_looked_up_anew_and_the_former_kept(cli, tmp_path):
    write(tmp_path)
    other = write_other(tmp_path)
    cli(*RUN)
    write(tmp_path, rule="rule: same")
    _, _, err = cli(*RUN)
    assert (
        err.splitlines()[0]
        == "sgd/lr: starts from 0.1, where the unscaled value from there/chosen.yaml points"
    )
    other.unlink()
    assert cli(*RUN)[0] == 0


def test_a_start_may_come_from_another_study_and_be_a_number_again(cli, tmp_path):
    write(tmp_path)
    write_other(tmp_path)
    cli(*RUN)
    write(tmp_path, rule=RULE)
    (tmp_path / "valley.yaml").write_text(
        re.sub(r"\{start: \{.*?\}\}", "{start: 0.1}", (tmp_path / "valley.yaml").read_text())
    )
    assert cli(*RUN)[0] == 0
    chosen = yaml.safe_load((tmp_path / "studies/valley/chosen.yaml").read_text())
    assert "start" not in chosen["chosen"]["sgd"]["searches"]["lr"]


def test_a_dry_run_shows_it_and_writes_nothing(cli, tmp_path):
    write(tmp_path)
    write_other(tmp_path)
    status, out, _ = cli(*DRY_RUN)
    assert status == 0
    assert re.search(r"sgd/lr +0.3, 1 +1e-8 to 1000 ", out)
    assert f"sgd/lr {STARTS}." in in_one_line(out)
    assert not (tmp_path / "studies").exists()


def test_a_dry_run_as_json_has_it(cli, tmp_path):
    write(tmp_path)
    write_other(tmp_path)
    _, out, _ = cli(*DRY_RUN, "--json")
    planned = json.loads(out)["searches"]["sgd/lr"]
    assert (planned["first_candidates"], planned["start"]) == ([0.3, 1], STARTS)


def test_a_dry_run_after_a_run_does_not_need_the_other_file(cli, held):
    status, out, _ = cli("run", str(held / "valley.yaml"), "--dry-run", "--studies", str(held / "studies"))
    assert status == 0
    assert STARTS in in_one_line(out)


def test_one_study_goes_on_from_the_chosen_yaml_that_another_wrote(cli, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    write_task(there, **{"seeds: 2": "seeds: 2\narguments: {scale: 160}"})
    assert cli("run", str(there / "valley.yaml"), "--engine", "inline", "--studies", str(there))[0] == 0
    start = "{start: {from: there/valley/chosen.yaml, rule: inverse, by: scale}}"
    write_task(tmp_path, **{"seeds: 2": "seeds: 2\narguments: {scale: 480}", "{start: 0.1}": start})
    status, _, err = cli(*RUN)
    assert status == 0
    assert err.splitlines()[0] == (
        "sgd/lr: starts from 0.1, where inverse scaling by scale (160 -> 480) from there/valley/chosen.yaml points"
    )


STARTING = {
    "linear": ("rule: linear, by: scale", "0.3", "linear scaling by scale (10 -> 40)", " (0.4)"),
    "sqrt": ("rule: sqrt, by: scale", "0.3", "square-root scaling by scale (10 -> 40)", " (0.2)"),
    "inverse": ("rule: inverse, by: scale", "0.03", "inverse scaling by scale (10 -> 40)", " (0.025)"),
    "same": ("rule: same", "0.1", "the unscaled value", ""),
    "times": ("rule: linear, times: 0.3", "0.03", "linear scaling by a ratio of 0.3", ""),
}


@pytest.mark.parametrize(("rule", "rung", "words", "exact"), STARTING.values(), ids=STARTING)
def test_each_rule_points_where_it_says(cli, tmp_path, rule, rung, words, exact):
    write(tmp_path, rule=rule)
    write_other(tmp_path)
    _, out, _ = cli(*DRY_RUN)
    assert f"sgd/lr starts from {rung}, where {words} from there/chosen.yaml points{exact}." in in_one_line(
        out
    )


def test_what_is_beyond_the_limits_is_put_within(cli, tmp_path):
    write(tmp_path, **{"name: valley": "name: valley\nsearch: {limits: {lr: [0.01, 0.1]}}"})
    write_other(tmp_path)
    _, out, _ = cli(*DRY_RUN)
    assert f"sgd/lr starts from 0.1, where {SCALED} points (0.4)." in in_one_line(out)


ENTRIES = {
    "the same name": ({"sgd": 0.1, "other": 0.03}, "", "0.3"),
    "the same optimizer": ({"mine": 0.1, "cprop_mine": 0.03, "adam": 0.01}, "", "0.3"),
    "the only one": ({"adam": 0.1}, "", "0.3"),
    "named": ({"sgd": 0.01, "adam": 0.1}, ", entry: adam", "0.3"),
}


@pytest.mark.parametrize(("there", "named", "rung"), ENTRIES.values(), ids=ENTRIES)
def test_the_entry_is_the_one_that_fits(cli, tmp_path, there, named, rung):
    write(tmp_path, rule=RULE + named)
    write_entries(tmp_path, there)
    _, out, _ = cli(*DRY_RUN)
    assert f"sgd/lr starts from {rung}, " in in_one_line(out)


def write_entries(folder: Path, there: dict[str, float]) -> None:
    path = write_other(folder)
    content = yaml.safe_load(path.read_text())
    content["chosen"] = {
        name: {
            "optimizer": "adam" if name == "adam" else "sgd",
            "hyperparameters": {"lr": lr} | ({"cprop": {}} if name.startswith("cprop") else {}),
            "arguments": {"scale": 10},
        }
        for name, lr in there.items()
    }
    path.write_text(yaml.safe_dump(content))


# The rule in the task, the task's arguments, and the one line that it gives; the file is good.
BAD_TASK = {
    "unknown rule": ("rule: linar, by: scale", "scale: 40", "47 optimizers.sgd.lr.start.rule is \"linar\"; did you mean linear?"),
    "no such rule": ("rule: 3, by: scale", "scale: 40", "47 optimizers.sgd.lr.start.rule is 3; give linear, sqrt, inverse or same"),
    "no rule": ("by: scale", "scale: 40", "14 optimizers.sgd.lr.start.rule is missing; add rule: linear"),
    "misspelt key": ("rul: linear, by: scale", "scale: 40", "47 optimizers.sgd.lr.start.rul is not a key here; did you mean rule?"),
    "no argument": ("rule: linear", "scale: 40", "14 optimizers.sgd.lr.start.by is batch_size unless given, which is no argument of this entry's workload; name one that is, or give times: RATIO"),
    "misspelt argument": ("rule: linear, by: scael", "scale: 40", "61 optimizers.sgd.lr.start.by is scael, which is no argument of this entry's workload; did you mean scale?"),
    "no number": ("rule: linear, by: scale", "scale: wide", "61 optimizers.sgd.lr.start.by is scale, which is \"wide\" here; scale by a number above 0"),
    "not above 0": ("rule: linear, by: scale", "scale: 0", "61 optimizers.sgd.lr.start.by is scale, which is 0 here; scale by a number above 0"),
    "true": ("rule: linear, by: scale", "scale: true", "61 optimizers.sgd.lr.start.by is scale, which is true here; scale by a number above 0"),
    "two ratios": ("rule: linear, by: scale, times: 4", "scale: 40", "72 optimizers.sgd.lr.start.times stands beside by, and both give the ratio; remove one"),
    "no ratio": ("rule: linear, times: 0", "scale: 40", "61 optimizers.sgd.lr.start.times is 0; give a value above 0"),
    "no such entry": ("rule: linear, by: scale, entry: sdg", "scale: 40", "72 optimizers.sgd.lr.start.from is there/chosen.yaml, which has no entry sdg; did you mean sgd?"),
    "too far": ("rule: linear, times: 1e300", "scale: 40", "22 optimizers.sgd.lr.start.from is there/chosen.yaml, which points far beyond any learning rate, from 0.1 there; check the ratio, or give a number"),
}  # fmt: skip


@pytest.mark.parametrize(
    "command", [("validate", "valley.yaml"), DRY_RUN, RUN], ids=["validate", "dry run", "run"]
)
@pytest.mark.parametrize(("rule", "arguments", "line"), BAD_TASK.values(), ids=BAD_TASK)
def test_a_bad_start_is_refused_in_one_line(cli, tmp_path, rule, arguments, line, command):
    write(tmp_path, rule=rule, arguments=arguments)
    write_other(tmp_path)
    assert cli(*command) == (2, "", f"valley.yaml:7:{line}\n")
    assert not (tmp_path / "studies").exists()


FILE = "valley.yaml:7:22 optimizers.sgd.lr.start.from is there/chosen.yaml"
NULL = {"verdict": "none_learned", "resolved": False}
# What is changed in the entry there, and what is said of it.
BAD_ENTRY = {
    "no such hyperparameter": ({"hyperparameters": {"rho": 0.1}}, "whose entry sgd has no lr; name another with entry, or give a number"),
    "nothing chosen": ({"hyperparameters": {"lr": None}, "searches": {"lr": NULL}}, "whose entry sgd has no value for lr, as its search chose nothing or has not ended; export it anew when it has, or give a number"),
    "no number": ({"hyperparameters": {"lr": "fast"}}, 'whose entry sgd has "fast" for lr; give a number'),
    "no arguments": ({"arguments": None}, "which does not say the scale of its entry sgd; if an older lrsearch wrote it, write it anew with lrsearch export STUDY -o FILE; else give times: RATIO in place of by"),
    "an argument that is no number": ({"arguments": {"scale": [1]}}, "whose entry sgd has [1] for scale, no number above 0; give times: RATIO in place of by"),
    "an argument of 0": ({"arguments": {"scale": 0}}, "whose entry sgd has 0 for scale, no number above 0; give times: RATIO in place of by"),
}  # fmt: skip


@pytest.mark.parametrize("command", [("validate", "valley.yaml"), RUN], ids=["validate", "run"])
@pytest.mark.parametrize(("changes", "line"), BAD_ENTRY.values(), ids=BAD_ENTRY)
def test_an_entry_that_points_nowhere_is_refused_in_one_line(cli, tmp_path, changes, line, command):
    write(tmp_path)
    write_other(tmp_path, **changes)
    assert cli(*command) == (2, "", f"{FILE}, {line}\n")
    assert not (tmp_path / "studies").exists()


# What is put into the file's text, for what, and what is said of it.
BAD_FILE = {
    "no YAML": (r".*", "a: b: c", "which is no YAML; give what lrsearch export STUDY -o FILE writes"),
    "another tool's": (r".*", "learning_rate: 0.1\n", "which is no chosen.yaml: lrsearch is missing or is not what lrsearch writes there; give what lrsearch export STUDY -o FILE writes"),
    "a newer version's": (r"0\.1\.0", "99.0.1", "which is of lrsearch 99.0.1, newer than this one; update this one, or give a number"),
    "a newer version's form": (r"(?s)(.*)0\.1\.0.*", r"chosen: 3\nlrsearch: 99.0.0", "which is of lrsearch 99.0.0, newer than this one; give what lrsearch export STUDY -o FILE writes"),
    "no entries": (r"(?s)chosen:.*(lrsearch.*)", r"chosen: {}\n\1", "which has no entry sgd; give one of a search that has ended"),
}  # fmt: skip


@pytest.mark.parametrize(("what", "by", "line"), BAD_FILE.values(), ids=BAD_FILE)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(cli, tmp_path, what, by, line):
    write(tmp_path)
    path = write_other(tmp_path)
    path.write_text(re.sub(what, by, path.read_text(), count=1, flags=re.DOTALL))
    assert cli("validate", "valley.yaml") == (2, "", f"{FILE}, {line}\n")


def test_a_missing_file_is_refused_in_one_line_and_nothing_is_written(cli, tmp_path):
    write(tmp_path)
    line = f"{FILE}, which does not exist; check the path, or write it with: lrsearch export STUDY -o FILE\n"
    for command in (("validate", "valley.yaml"), DRY_RUN, (*RUN, "--storage", "sqlite:///other.db")):
        assert cli(*command) == (2, "", line)
    assert not (tmp_path / "other.db").exists()


def test_a_folder_is_refused_with_the_file_in_it(cli, tmp_path):
    write(tmp_path)
    write_other(tmp_path)
    task = tmp_path / "valley.yaml"
    task.write_text(task.read_text().replace("there/chosen.yaml", "there"))
    _, _, err = cli("validate", "valley.yaml")
    assert err == (
        "valley.yaml:7:22 optimizers.sgd.lr.start.from is there, which cannot be read (Is a directory); "
        "name the chosen.yaml in it\n"
    )


def test_several_entries_of_which_none_fits_are_listed(cli, tmp_path):
    write(tmp_path)
    write_entries(tmp_path, {"a": 0.1, "b": 0.1})
    _, _, err = cli("validate", "valley.yaml")
    assert err == f"{FILE}, which has no entry sgd; add entry: NAME, one of a, b\n"


def test_what_is_no_learning_rate_is_refused(cli, tmp_path):
    start = "{start: {from: there/chosen.yaml, rule: same}, ladder: lr}"
    write_task(tmp_path, **{"{lr: {start: 0.1}}": f"{{lr: 0.1, weight_decay: {start}}}"})
    _, _, err = cli("validate", "valley.yaml")
    assert err == (
        "valley.yaml:6:33 optimizers.sgd.weight_decay.start is a mapping, which is for learning rates alone; "
        "give a number\n"
    )


def test_a_search_that_waits_for_another_may_start_there(cli, tmp_path):
    entry = "  sgd: {momentum: {start: 0.9}, lr: {start: {from: there/chosen.yaml, rule: same}}}\n"
    write_task(tmp_path, **{"  sgd: {lr: {start: 0.1}}\n": entry})
    write_other(tmp_path)
    status, out, _ = cli(*DRY_RUN)
    assert status == 0
    assert "sgd/lr starts from 0.1, where the unscaled value from there/chosen.yaml points." in in_one_line(
        out
    )
