"""The device that a task's workers train on."""

import os

import torch

from lrsearch.task.model import Task


def check_room_here(task: Task) -> None:
    """Refuse a worker that is larger than this machine, where workers are to run on it alone.

    Raises:
        TaskError: it takes more processors or GPUs than there are.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpus = torch.cuda.device_count()
    for name, wanted, there in (("cpus", task.resources.cpus, cpus), ("gpus", task.resources.gpus, gpus)):
        if wanted > there:
            raise task.error(
                f"resources.{name} is {wanted:g}, and this machine has {there}; ask for at most {there}, or give the "
                "--address of a cluster that has more",
                "resources",
                name,
            )


def training_device(task: Task) -> torch.device:
    """Give the device that the task's workers train on: a GPU if the task takes (a part of) one.

    Raises:
        TaskError: the task takes a GPU and there is none here.
    """
    if not task.resources.gpus:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise task.error(
            f"resources.gpus is {task.resources.gpus:g}, but torch sees no GPU here; set it to 0",
            "resources",
            "gpus",
        )
    return torch.device("cuda", torch.cuda.current_device())
