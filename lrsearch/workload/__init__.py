"""What a task's callable returns: a model, its batches, its loss and its metrics.

The smallest useful workload is ordinary PyTorch:

    import torch
    from torch import nn
    from lrsearch import Batches, Mean, Workload

    def linear_regression(batch_size: int = 32) -> Workload:
        x = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
        y = x.sum(dim=1, keepdim=True)

        def loss(model, batch):
            inputs, targets = batch
            return nn.functional.mse_loss(model(inputs), targets)

        return Workload(
            model=nn.Linear(8, 1),
            batches=Batches(x, y, batch_size=batch_size),
            loss=loss,
            metrics={"train_loss": Mean(loss, x, y)},
        )
"""

from lrsearch.workload.augmentation import CropAndFlip
from lrsearch.workload.batches import Batches
from lrsearch.workload.devices import moved, resident
from lrsearch.workload.interfaces import Augmentation, Batch, IndexedBatches, Metric, Transform
from lrsearch.workload.iterables import IteratedBatches, indexed
from lrsearch.workload.means import Mean
from lrsearch.workload.seeds import seed_of
from lrsearch.workload.text import MeanOverText, TextBatch, TextBatches
from lrsearch.workload.workload import Workload

__all__ = [
    "Augmentation",
    "Batch",
    "Batches",
    "CropAndFlip",
    "IndexedBatches",
    "IteratedBatches",
    "Mean",
    "MeanOverText",
    "Metric",
    "TextBatch",
    "TextBatches",
    "Transform",
    "Workload",
    "indexed",
    "moved",
    "resident",
    "seed_of",
]
