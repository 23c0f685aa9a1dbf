"""One training written as a workload, a loop, for Lightning and for Hugging Face is one search: see the benchmark."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "four_ways.py"
WAYS = ["loop", "lightning", "huggingface"]


@pytest.fixture(scope="module")
def four_ways() -> ModuleType:
    spec = importlib.util.spec_from_file_location("four_ways", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(four_ways: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        folder = tmp_path_factory.mktemp("studies")
        return {way: four_ways.measure(way, iterations=40, seeds=1, folder=folder) for way in four_ways.WAYS}


def test_there_is_something_to_choose(found: dict[str, dict[str, Any]]) -> None:
    assert len(found["workload"]["losses"]) >= 3
    assert found["workload"]["chosen"] in found["workload"]["losses"]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_chooses_the_same(found: dict[str, dict[str, Any]], way: str) -> None:
    assert found[way]["chosen"] == found["workload"]["chosen"]


@pytest.mark.parametrize("way", WAYS)
def test_each_training_ends_the_same_but_for_rounding(
    four_ways: ModuleType, found: dict[str, dict[str, Any]], way: str
) -> None:
    assert four_ways.difference(found["workload"]["losses"], found[way]["losses"]) < four_ways.SAME
