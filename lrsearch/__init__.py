"""lrsearch picks learning rates by the CProp paper's x3 bracket and shows the evidence.

Everything here loads on first use, so that ``import lrsearch`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrsearch import datasets as datasets
    from lrsearch.api import Verdicts as Verdicts
    from lrsearch.api import search as search
    from lrsearch.task import load_task as load_task
    from lrsearch.training.chosen import load_chosen as load_chosen
    from lrsearch.training.live_trial import LiveTrial as LiveTrial
    from lrsearch.workload import Batches as Batches
    from lrsearch.workload import CropAndFlip as CropAndFlip
    from lrsearch.workload import Mean as Mean
    from lrsearch.workload import MeanOverText as MeanOverText
    from lrsearch.workload import TextBatches as TextBatches
    from lrsearch.workload import Workload as Workload

__version__ = "0.1.0"

_HOMES = {
    "Batches": "lrsearch.workload",
    "CropAndFlip": "lrsearch.workload",
    "LiveTrial": "lrsearch.training.live_trial",
    "Mean": "lrsearch.workload",
    "MeanOverText": "lrsearch.workload",
    "TextBatches": "lrsearch.workload",
    "Workload": "lrsearch.workload",
    "load_chosen": "lrsearch.training.chosen",
    "load_task": "lrsearch.task",
    "search": "lrsearch.api",
    "Verdicts": "lrsearch.api",
}
__all__ = [
    "Batches",
    "CropAndFlip",
    "LiveTrial",
    "Mean",
    "MeanOverText",
    "TextBatches",
    "Verdicts",
    "Workload",
    "datasets",
    "load_chosen",
    "load_task",
    "search",
]


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return import_module("lrsearch.datasets")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lrsearch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
