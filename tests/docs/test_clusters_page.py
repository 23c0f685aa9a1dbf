"""What the page about clusters says of Kubernetes, of resources and of versions holds."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from lrsearch.cli.commands import app
from lrsearch.engine.cluster import workers_of_node
from lrsearch.task.model import Resources

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs/clusters.md").read_text(encoding="utf-8")
RAY = re.findall(r"^ray==(.*)$", (CHECKOUT / "constraints.txt").read_text(), re.MULTILINE)[0]
JOB_KEYS = {"entrypoint", "shutdownAfterJobFinishes", "backoffLimit", "rayClusterSpec"}
CLUSTER_KEYS = {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
GROUP_KEYS = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
"""Fields of KubeRay's ray.io/v1, as its API reference has them."""


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    (text,) = re.findall(r'```yaml title="search.yaml"\n(.*?)```', PAGE, re.DOTALL)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def groups(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_it_is_a_rayjob_of_fields_that_kuberay_knows(job: dict[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"].keys() <= JOB_KEYS
    assert job["spec"]["rayClusterSpec"].keys() <= CLUSTER_KEYS
    assert all(group.keys() <= GROUP_KEYS for group in groups(job))


def test_its_pods_are_whole(job: dict[str, Any]) -> None:
    for group in groups(job):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert {"name", "image"} <= container.keys()
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_its_command_is_one_that_there_is(job: dict[str, Any]) -> None:
    program, name, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert program == "lrsearch"
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    given = command.make_context(name, list(arguments)).params
    assert given["address"] == "auto"
    mounts = [m["mountPath"] for m in groups(job)[0]["template"]["spec"]["containers"][0]["volumeMounts"]]
    assert str(given["root"]) in mounts


def test_ray_is_the_version_that_is_tested(job: dict[str, Any]) -> None:
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == RAY
    assert f"FROM rayproject/ray:{RAY}-py311-gpu" in PAGE


def test_it_trains_as_many_at_a_time_as_the_page_says(job: dict[str, Any]) -> None:
    workers = groups(job)[1]
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    there = {"CPU": float(limits["cpu"]), "GPU": float(limits["nvidia.com/gpu"])}
    assert workers["replicas"] * workers_of_node(there, Resources(2, 0.25)) == 16
    assert "trains sixteen replicas at a time" in PAGE


@pytest.mark.parametrize(
    ("resources", "at_a_time"), re.findall(r"^\| `(\{cpus.*?\})`.*?\| (\d+)", PAGE, re.MULTILINE)
)
def test_a_machine_trains_as_many_as_the_table_says(resources: str, at_a_time: str) -> None:
    wanted = Resources(**yaml.safe_load(resources))
    assert workers_of_node({"CPU": 16.0, "GPU": 2.0}, wanted) == int(at_a_time)
