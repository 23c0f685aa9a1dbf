"""The device that a task's workers train on."""

import torch

from lrsearch.task.model import Task


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
