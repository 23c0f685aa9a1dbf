"""Tiny ImageNet by a VGG network of 16 layers and a residual network (arXiv:1912.11493, section 3.3)."""

import resnet
import vgg
from colour_images import colour_images, normaliser
from torch import nn

from lrsearch import Workload, datasets

CLASSES = 200

# Mean and standard deviation of the 100,000 training images, by channel, as usually given for Tiny ImageNet.
normalise = normaliser(mean=(0.4802, 0.4481, 0.3975), std=(0.2770, 0.2691, 0.2821))


def vgg16(batch_size: int = 32, width: float = 1.0, channels_last: bool = True) -> Workload:
    """Appendix A.5; ``width`` is a factor on its channels."""
    return _workload(vgg.vgg16(CLASSES, width), batch_size, channels_last)


def resnet50(batch_size: int = 32, width: float = 1.0, channels_last: bool = True) -> Workload:
    """Appendix A.6; ``width`` is a factor on its channels."""
    return _workload(resnet.resnet50(CLASSES, width), batch_size, channels_last)


def _workload(model: nn.Module, batch_size: int, channels_last: bool) -> Workload:
    return colour_images(
        model,
        datasets.tiny_imagenet(),
        normalise,
        padding=8,
        batch_size=batch_size,
        channels_last=channels_last,
    )
