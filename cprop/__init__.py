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

from cprop.measures import MEASURES, Measure
from cprop.optimizer import CProp

__all__ = ["MEASURES", "CProp", "Measure"]
