"""The paper's residual networks (arXiv:1912.11493, appendices A.4 and A.6), after arXiv:1512.03385.

They are for small images: a stem of 3 x 3 and stride 1 without pooling. Every convolution is followed by batch
normalisation, which brings a bias of its own. Where a block changes the shape, its shortcut is a 1 x 1 convolution.
"""

from collections.abc import Callable

from torch import Tensor, nn

# With fewer, the gradient of a strided 1 x 1 convolution writes past its memory where a CPU trains in channels_last:
# https://github.com/uxlfoundation/oneDNN/issues/6035
FEWEST_CHANNELS = 16


def resnet18(classes: int, width: float = 1.0) -> nn.Sequential:
    """Appendix A.4, two blocks a stage: 11,220,132 parameters for 100 classes."""
    return _resnet(basic, 2, classes, width)


def resnet50(classes: int, width: float = 1.0) -> nn.Sequential:
    """Appendix A.6, three bottlenecks a stage: 20,278,536 parameters for 200 classes.

    So the paper writes it; the ResNet-50 of arXiv:1512.03385 has 3, 4, 6 and 3 bottlenecks.
    """
    return _resnet(bottleneck, 3, classes, width)


class Residual(nn.Module):
    """Adds what ``body`` makes of its input to the input, through a 1 x 1 convolution where the shapes differ."""

    def __init__(self, body: nn.Sequential, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.body = body
        same = stride == 1 and channels_in == channels_out
        self.shortcut = nn.Identity() if same else _convolution(channels_in, channels_out, 1, stride)
        self.channels_out = channels_out

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels_in, H, W] to [B, channels_out, H / stride, W / stride]."""
        return nn.functional.relu(self.body(x) + self.shortcut(x))


def basic(channels_in: int, channels: int, stride: int) -> Residual:
    """Two convolutions of 3 x 3."""
    body = nn.Sequential(
        _convolution(channels_in, channels, 3, stride),
        nn.ReLU(inplace=True),
        _convolution(channels, channels, 3),
    )
    return Residual(body, channels_in, channels, stride)


def bottleneck(channels_in: int, channels: int, stride: int) -> Residual:
    """1 x 1, 3 x 3 with the stride, and 1 x 1 to four times the channels."""
    body = nn.Sequential(
        _convolution(channels_in, channels, 1),
        nn.ReLU(inplace=True),
        _convolution(channels, channels, 3, stride),
        nn.ReLU(inplace=True),
        _convolution(channels, 4 * channels, 1),
    )
    return Residual(body, channels_in, 4 * channels, stride)


def _resnet(
    block: Callable[[int, int, int], Residual], blocks: int, classes: int, width: float
) -> nn.Sequential:
    """Images [B, 3, H, W] to logits [B, classes], by four stages of ``blocks`` blocks of 64 to 512 channels.

    ``width`` is a factor on all channels but those of the image; at least 16 are left.
    """
    widths = [max(FEWEST_CHANNELS, round(width * channels)) for channels in (64, 128, 256, 512)]
    layers: list[nn.Module] = [_convolution(3, widths[0], 3), nn.ReLU(inplace=True)]
    channels_in = widths[0]
    for stage, channels in enumerate(widths):
        for number in range(blocks):
            made = block(channels_in, channels, 2 if stage and not number else 1)
            layers.append(made)
            channels_in = made.channels_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels_in, classes))


def _convolution(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out))
