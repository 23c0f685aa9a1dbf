"""The paper's VGG networks (arXiv:1912.11493, appendices A.3 and A.5), after arXiv:1409.1556.

Convolutions of 3 x 3 with batch normalisation and ReLU, and one linear layer on the average over what is left of the
image. Batch normalisation brings a bias of its own, so the convolutions have none.
"""

from collections.abc import Sequence
from typing import Literal

from torch import nn

Layer = int | Literal["M"]
"""The output channels of a convolution, or M: a 2 x 2 max pooling."""

VGG11: tuple[Layer, ...] = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
VGG16: tuple[Layer, ...] = (
    *(64, 64, "M", 128, 128, "M", 256, 256, 256, "M"),
    *(512, 512, 512, "M", 512, 512, 512, "M"),
)


def vgg11(classes: int, width: float = 1.0) -> nn.Sequential:
    """Appendix A.3: 9,274,532 parameters for 100 classes."""
    return vgg(VGG11, classes, width)


def vgg16(classes: int, width: float = 1.0) -> nn.Sequential:
    """Appendix A.5: 14,821,512 parameters for 200 classes."""
    return vgg(VGG16, classes, width)


def vgg(layers: Sequence[Layer], classes: int, width: float = 1.0) -> nn.Sequential:
    """Images [B, 3, H, W] to logits [B, classes]; H and W at least 2 to the number of poolings.

    ``width`` is a factor on all channels but those of the image.
    """
    modules: list[nn.Module] = []
    channels = 3
    for layer in layers:
        if layer == "M":
            modules.append(nn.MaxPool2d(2))
            continue
        before, channels = channels, max(1, round(width * layer))
        convolution = nn.Conv2d(before, channels, kernel_size=3, padding=1, bias=False)
        modules += [convolution, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
