"""A Ray cluster of two nodes, one of which is killed while trainings run on it."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from drivers import HERE, PATIENCE, STEADY, chosen, marked, ray_folder, start_afresh, undisturbed, workers
from rows import Found, Repetition, Row

PACE = 0.05


def lose_one(repetition: Repetition) -> Found:
    """Search on two nodes, kill one at a random moment, compare."""
    found, root = Found(), repetition.scratch / "studies"
    task = repetition.scratch / STEADY.name
    for name in ("valley.py", STEADY.name):
        shutil.copy(HERE / name, repetition.scratch)
    with ray_folder() as folder, cluster(folder) as (address, end_second):
        driver = start_afresh(root, "--address", address, task=task, engine="ray", pace=PACE)
        until = time.perf_counter() + PATIENCE
        while len(workers(folder)) < 2:
            if (status := driver.ended_within(0.1)) is not None:
                raise RuntimeError(
                    f"ended with {status} before two workers came; it said {driver.said[-300:]}"
                )
            if time.perf_counter() > until:
                driver.kill()
                raise TimeoutError(f"no two workers came; it said {driver.said[-300:]}")
        status = driver.ended_within(repetition.moments.uniform(0, 4))
        found.expect(status is None, "it ended before a node was killed")
        end_second()
        status = driver.ended() if status is None else status
        found.count("nodes")
        found.expect(status == 0, f"status {status}: {driver.said[-400:]}")
        found.expect(chosen(root, STEADY.stem) == undisturbed(STEADY).chosen, "another chosen.yaml")
    return found


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Two nodes of one processor each; give the address and what kills the second with all that runs on it."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    os.environ["RAY_AUTH_MODE"] = "disabled"
    os.environ["RAY_ENABLE_RECORD_ACTOR_TASK_LOGGING"] = "0"
    os.environ["TORTURE_PACE"] = str(PACE)  # of the workers
    process = fork.Process(target=_nodes, args=(there, str(folder)))
    process.start()
    try:
        if not here.poll(60):
            raise TimeoutError("the cluster did not start")
        address = here.recv()

        def end_second() -> None:
            here.send("end")
            if not here.poll(60):
                raise TimeoutError("the node did not end")
            here.recv()

        yield address, end_second
    finally:
        process.kill()
        process.join()
        for name in ("RAY_AUTH_MODE", "RAY_ENABLE_RECORD_ACTOR_TASK_LOGGING", "TORTURE_PACE"):
            os.environ.pop(name, None)
        for left in marked(folder):
            left.kill()


def _nodes(pipe: Connection, folder: str) -> None:
    """In a process of its own: Ray's client has threads, and what forks must have none."""
    from ray.cluster_utils import Cluster

    both = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = both.add_node(num_cpus=1)
    pipe.send(both.address)
    pipe.recv()
    both.remove_node(second, allow_graceful=False)
    pipe.send("ended")
    pipe.recv()


ROWS = (
    Row(
        "lost_node",
        "a lost node costs what ran on it",
        "two Ray nodes on this machine, one killed while trainings run on both: the same result",
        "nodes",
        5,
        lose_one,
    ),
)
