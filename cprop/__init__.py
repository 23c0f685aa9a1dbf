"""CProp: scales an optimizer's update by how much the past gradients agree (arXiv:1912.11493).

>>> import torch
>>> from cprop import CProp
>>> model = torch.nn.Linear(4, 2)
>>> optimizer = CProp(torch.optim.SGD(model.parameters(), lr=0.1), beta=0.999, c=1.0)
>>> model(torch.ones(3, 4)).square().mean().backward()
>>> optimizer.step()
>>> round(optimizer.mean_scale(), 3)  # one gradient cannot disagree with itself
1.0
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cprop.results import RESULTS_VERSION

if TYPE_CHECKING:
    from cprop.measures import MEASURES, Measure
    from cprop.optimizer import CProp

__all__ = ["MEASURES", "RESULTS_VERSION", "CProp", "Measure"]

_HOMES = {"MEASURES": "cprop.measures", "Measure": "cprop.measures", "CProp": "cprop.optimizer"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:  # on first use: to ask for the version costs no import of torch
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cprop' has no attribute {name!r}")
