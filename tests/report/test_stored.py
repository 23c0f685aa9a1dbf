"""Files of stored studies: read, or one line says what is wrong; never a traceback."""

import io
import json
from collections.abc import Mapping
from math import nan
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from stored_studies import STUDY, with_evidence

import lrsearch
from lrsearch.report.export import to_yaml
from lrsearch.report.paper import Agreement, Studies, cells_of, compare, load_published, read_studies
from lrsearch.report.paper_table import paper_table

PUBLISHED = load_published()
TASKS = tuple(dict.fromkeys(cell.task for cell in cells_of(PUBLISHED)))


def store(root: Path, content: object, name: str = "fashion_mnist_fc") -> Path:
    path = root / name / "chosen.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(content if isinstance(content, str) else to_yaml(content), encoding="utf-8")
    return path


NO_CHOSEN = "is no chosen.yaml: "


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: b: c", "is no YAML"),
        ("[" * 3000, "is no YAML"),
        ("a: 1\na: 2", "is no YAML"),
        ("", f"{NO_CHOSEN}it is no mapping"),
        ("- 1", f"{NO_CHOSEN}it is no mapping"),
        ({**STUDY, "task": "other"}, "is of the task other"),
        ({**STUDY, "chosen": []}, f"{NO_CHOSEN}chosen is missing or is not what lrsearch writes there"),
        (
            with_evidence(verdict="magic"),
            f"{NO_CHOSEN}chosen.sgd.searches.lr.verdict is missing or is not what lrsearch writes there",
        ),
        (with_evidence("0.3"), f"{NO_CHOSEN}chosen.sgd: lr has no number"),
        (with_evidence(nan), f"{NO_CHOSEN}chosen.sgd: lr has no number"),
        (with_evidence(mean=None), f"{NO_CHOSEN}chosen.sgd: the search of lr chose, and has no mean"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_says_so_in_its_rows(tmp_path, content, problem):
    path = store(tmp_path, content)
    studies = read_studies(tmp_path, TASKS)
    remedy = f"write it anew: lrsearch export {path.parent} -o {path}"
    assert studies.problems == (f"{path} {problem}; {remedy}",)
    rows = compare(PUBLISHED, studies.read, studies.lacking)
    assert {row.agreement for row in rows if row.cell.task == "fashion_mnist_fc"} == {Agreement.UNREADABLE}


def test_a_file_of_another_version_is_said_and_shown(tmp_path):
    path = store(tmp_path, STUDY | {"lrsearch": "0.0.9"})
    studies = read_studies(tmp_path, TASKS)
    assert studies.problems == (
        f"{path} is by lrsearch 0.0.9, not {lrsearch.__version__}; "
        f"write it anew: lrsearch export {path.parent} -o {path}",
    )
    assert len(studies.read) == 1


def test_a_partial_file_names_what_has_not_ended(tmp_path):
    path = store(tmp_path, with_evidence(None, verdict="unfinished"))
    studies = read_studies(tmp_path, TASKS)
    assert studies.problems == (
        f"{path} is partial: without sgd/lr; go on with: lrsearch resume {path.parent}",
    )


def test_a_study_without_its_file_has_not_ended(tmp_path):
    folder = tmp_path / "my studies" / "fashion_mnist_fc"
    folder.mkdir(parents=True)
    studies = read_studies(folder.parent, TASKS)
    assert studies.lacking == {"fashion_mnist_fc": Agreement.NOT_ENDED}
    assert studies.problems == (
        f"{folder} has no chosen.yaml: its searches have not all ended; go on with: lrsearch resume '{folder}'",
    )


def test_a_folder_that_is_not_there_is_said(tmp_path):
    [line] = read_studies(tmp_path / "none", TASKS).problems
    assert line.startswith(f"{tmp_path / 'none'} is no folder of studies;")


def test_other_studies_are_left_alone(tmp_path):
    store(tmp_path, "a: b: c", "digits_mlp")
    assert read_studies(tmp_path, TASKS) == Studies()


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**400, 10**401), st.floats(), st.text(max_size=5),
    st.just([]), st.just({}), st.just(["a"]), st.just({0.1: "a"}),
)  # fmt: skip


def places(content: object, above: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every key of nested mappings, as the keys that lead there."""
    if not isinstance(content, Mapping):
        return []
    return [p for key, value in content.items() for p in [(*above, key), *places(value, (*above, key))]]


def replaced(
    content: Mapping[object, object], place: tuple[object, ...], junk: object
) -> dict[object, object]:
    key, *below = place
    return {**content, key: replaced(content[key], tuple(below), junk) if below else junk}


WHOLE = with_evidence(candidates={0.1: {"mean": 0.4, "std": 0.1, "seeds": 3}, 3.0: {"outcome": "diverged"}})


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(places(WHOLE)), junk=JUNK)
def test_whatever_stands_in_a_file_it_is_shown_or_said(tmp_path_factory, place, junk):
    root = tmp_path_factory.mktemp("studies")
    store(root, yaml.safe_dump(replaced(WHOLE, place, junk)))
    studies = read_studies(root, TASKS)
    assert len(studies.read) + len(studies.lacking) == 1
    assert all("\n" not in line for line in studies.problems)
    rows = compare(PUBLISHED, studies.read, studies.lacking)
    json.dumps([row.as_dict() for row in rows], allow_nan=False)
    file = io.StringIO()
    Console(file=file, width=80).print(paper_table(rows, 80))
    assert all(len(line) <= 80 for line in file.getvalue().splitlines())
