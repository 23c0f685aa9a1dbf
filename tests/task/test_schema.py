"""The JSON schema that editors use is the format that is checked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from yamlcore import CoreLoader

from lrsearch.errors import TaskError
from lrsearch.task import Scaling, parse_task, task_schema

ROOT = Path(__file__).parents[2]
GOOD = [
    *sorted((ROOT / "tasks").glob("*.yaml")),
    *sorted((ROOT / "lrsearch/task/templates").glob("*/NAME.yaml")),
]

EVERY_KEY = """\
name: mine
workload: package.module:callable
arguments: {batch_size: 32, sizes: [1, {a: null}]}
budget: {iterations: 5e3, evaluate_every: 250}
seeds: {screen: 1, confirm: 5}
metric: {name: test_loss, mode: min, examples: 1000, curve_examples: all, window: 3, lower_bound: 0}
optimizers:
  sgd: {lr: {start: 0.1}, momentum: {start: 0.9}, nesterov: true, arguments: {batch_size: 64}}
  adam: {lr: {of: sgd, times: 0.1}, betas: [0.9, 0.99], weight_decay: {start: 1e-4, ladder: lr}}
  cprop:
    base: torch.optim:SGD
    lr: {of: sgd}
    cprop: {c: {start: 1}, beta: 0.999, eps: 1e-8, eps_placement: inside, measure: relative_rate}
search:
  limits: {lr: [1e-8, 1e3], cprop.c: [1, 27]}
  tolerance: 0.02
  prefer: largest
  resolve: true
  max_seeds: 8
  race: false
recipe:
  schedule: {name: CosineAnnealingLR, eta_min: {times: 0.1}, T_max: 4000}
  warmup: 0.1
  gradient_clip: 0.25
  accumulate: 2
  precision: bf16
  compile: true
  groups: [{match: "*.bias", weight_decay: 0}, {match: "body.*", lr_times: 0.1}]
resources: {cpus: 2, gpus: 0.25}
"""

BAD = [
    ("seeds: {screen: 1, confirm: 5}", "seeds: 0"),
    ("seeds: {screen: 1, confirm: 5}", "seed: 5"),
    ("screen: 1, ", ""),
    ("mode: min", "mode: best"),
    ("mode: min", "mode: min, kind: share"),
    ("lower_bound: 0", "lower_bound: zero"),
    ("prefer: largest", "prefer: best"),
    ("max_seeds: 8", "max_seeds: 0"),
    ("race: false", "race: 1"),
    ("times: 0.1}, T_max", "times: 2}, T_max"),
    ("{times: 0.1}, T_max", "{time: 1}, T_max"),
    ("{name: CosineAnnealingLR, eta", "{nam: CosineAnnealingLR, eta"),
    ("{name: CosineAnnealingLR, eta_min: {times: 0.1}, T_max: 4000}", "3"),
    ("{name: CosineAnnealingLR, eta_min: {times: 0.1}, T_max: 4000}", "[CosineAnnealingLR]"),
    ("warmup: 0.1", "warmup: 0"),
    ("accumulate: 2", "accumulate: 0"),
    ("compile: true", "compile: 1"),
    ('match: "*.bias", ', ""),
    ("weight_decay: 0}", "weight_decay: none}"),
    ("lr_times: 0.1", "lr_times: 0"),
    ('[{match: "*.bias", weight_decay: 0}, {match: "body.*", lr_times: 0.1}]', '{match: "*.bias"}'),
    ("resolve: true", "resolve: 1"),
    ("gradient_clip: 0.25", "gradient_clip: 0"),
    ("precision: bf16", "precision: half"),
    ("name: mine", "name: .mine"),
    ("examples: 1000", "examples: some"),
    ("package.module:callable", "package.module"),
    ("{start: 0.1}", "{start: 0.1, of: sgd}"),
    ("{start: 0.1}", "{from: 0.1}"),
    ("{start: 0.1}", "{start: automatic}"),
    ("{start: 0.1}", "{start: {from: chosen.yaml}}"),
    ("{start: 0.1}", "{start: {from: chosen.yaml, rule: cubic}}"),
    ("{start: 0.1}", "{start: {from: chosen.yaml, rule: linear, times: 0}}"),
    ("{start: 0.1}", "{start: {from: chosen.yaml, rule: linear, of: sgd}}"),
    ("ladder: lr", "ladder: log"),
    ("torch.optim:SGD", "SGD"),
    ("beta: 0.999", "beta: true"),
    ("[1, 27]", "[1]"),
    ("tolerance: 0.02", "tolerance: 2"),
    ("times: 0.1", "times: 0"),
]


def errors(text: str) -> list[Any]:
    """What a JSON schema validator finds wrong with a task file."""
    validator = jsonschema.Draft202012Validator(task_schema())
    return list(validator.iter_errors(yaml.load(text, CoreLoader)))


def test_the_published_file_is_up_to_date() -> None:
    published = json.loads((ROOT / "lrsearch/task.schema.json").read_text())
    assert published == task_schema(), "write it anew: lrsearch schema > lrsearch/task.schema.json"


def test_it_is_a_schema_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(task_schema())
    assert task_schema()["$schema"].endswith("/2020-12/schema")


def test_every_key_has_a_description_for_an_editor() -> None:
    undescribed = [name for name, field in _fields(task_schema()) if not field.get("description")]
    assert not undescribed


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in (schema, *schema["$defs"].values()):
        yield from block.get("properties", {}).items()


def test_a_file_with_every_key_is_good_for_both() -> None:
    assert not errors(EVERY_KEY)
    assert parse_task(EVERY_KEY, Path("mine.yaml")).seeds == 5


def test_a_start_may_scale_another_result_for_both() -> None:
    rule = "{from: ../chosen.yaml, rule: linear, by: batch_size, entry: adam}"
    text = EVERY_KEY.replace("lr: {start: 0.1}", f"lr: {{start: {rule}}}")
    assert not errors(text)
    (searched, *_) = parse_task(text, Path("mine.yaml")).searches().values()
    assert searched.scaling == Scaling("../chosen.yaml", "linear", "batch_size", here=64.0, entry="adam")


def test_a_start_may_be_auto_for_both() -> None:
    text = EVERY_KEY.replace("lr: {start: 0.1}", "lr: {start: auto}")
    assert not errors(text)
    (searched, *_) = parse_task(text, Path("mine.yaml")).searches().values()
    assert searched.start is None


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_the_tasks_are_good_for_both(path: Path) -> None:
    assert not errors(path.read_text())
    parse_task(path.read_text(), path)


@pytest.mark.parametrize(("good", "bad"), BAD)
def test_what_is_bad_for_one_is_bad_for_the_other(good: str, bad: str) -> None:
    text = EVERY_KEY.replace(good, bad)
    assert errors(text)
    with pytest.raises(TaskError):
        parse_task(text, Path("mine.yaml"))
