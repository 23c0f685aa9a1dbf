"""CIFAR-100 by a VGG network of 11 layers and a residual network of 18 (arXiv:1912.11493, section 3.2)."""

import resnet
import vgg
from colour_images import colour_images, normaliser
from torch import nn

from lrsearch import Workload, datasets

CLASSES = 100

# Mean and standard deviation of the 50,000 training images, by channel, as usually given for CIFAR-100.
normalise = normaliser(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))


def vgg11(batch_size: int = 32, width: float = 1.0, channels_last: bool = True) -> Workload:
    """Appendix A.3; ``width`` is a factor on its channels."""
    return _workload(vgg.vgg11(CLASSES, width), batch_size, channels_last)


def resnet18(batch_size: int = 32, width: float = 1.0, channels_last: bool = True) -> Workload:
    """Appendix A.4; ``width`` is a factor on its channels."""
    return _workload(resnet.resnet18(CLASSES, width), batch_size, channels_last)


def _workload(model: nn.Module, batch_size: int, channels_last: bool) -> Workload:
    return colour_images(
        model, datasets.cifar100(), normalise, padding=4, batch_size=batch_size, channels_last=channels_last
    )
