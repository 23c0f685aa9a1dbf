"""What the throughput benchmarks compute: floors, tables, and rates of processes that really train."""

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[3] / "benchmarks" / "throughput"))
import floors
import packs
import processes
import throughput
import workers

DIGITS = packs.TASKS / "digits_mlp.yaml"
positive = st.floats(1e-3, 1e12)


@given(positive, positive, st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_floor_is_as_long_as_what_takes_longer(operations, copied, flops, moved):
    floor = floors.Rates(operations, copied).floor(floors.Work(flops, moved))
    assert floor == max(flops / operations, moved / copied)


def test_the_device_s_rates_are_measured():
    rates = floors.rates_of(torch.device("cpu"), side=64)
    assert rates.operations > 1e6
    assert rates.bytes > 1e6


def test_the_operations_of_an_update_are_those_of_its_products(tmp_path):
    pytest.importorskip("sklearn")
    from lrsearch import load_task
    from lrsearch.training.replica import Replica

    task = load_task(DIGITS)
    replica = Replica(task, processes.spec_of(task), tmp_path / "none.pt")
    replica.train_to(1)
    work = floors.work_of(replica, 1)
    layers = [m for m in replica.workload.model.modules() if isinstance(m, torch.nn.Linear)]
    # Forward, and backward to the weights; to its input of all layers but the first.
    products = sum(2 * layer.weight.numel() for layer in layers) * 3 - 2 * layers[0].weight.numel()
    assert work.operations % products == 0  # times the batch
    assert work.operations // products == task.arguments["batch_size"]
    assert work.bytes == 6 * sum(p.nbytes for p in replica.workload.model.parameters())


def test_processes_train_at_the_same_time():
    pytest.importorskip("sklearn")
    assert processes.rate_of(DIGITS, 2, 1, updates=20) > 0


def test_workers_are_set_against_one_with_one_thread(monkeypatch):
    rates = {(1, 1): 10.0, (1, 2): 12.0, (2, 1): 19.0, (2, 2): 8.0}
    monkeypatch.setattr(workers, "rate_of", lambda path, *way_and_updates: rates[way_and_updates[:2]])
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: {0, 1})
    found = workers.measure(1, {"digits_mlp": 1})["digits_mlp"]
    assert found["updates a second, alone"] == 10
    assert [value for name, value in found.items() if name.startswith("workers")] == [1, 1.2, 1.9, 0.8]


def test_a_table_is_written_between_its_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n")
    throughput.write_table(page, "x", "| new |")
    assert page.read_text() == "before\n<!-- x: begin -->\n| new |\n<!-- x: end -->\nafter\n"


def test_every_question_has_its_place_on_the_page():
    text = throughput.PAGE.read_text()
    assert all(f"<!-- {question}: begin -->" in text for question in throughput.QUESTIONS)
