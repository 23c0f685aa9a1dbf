"""The paper's residual networks (arXiv:1912.11493, appendices A.4 and A.6)."""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

Load = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("name", "classes", "parameters"), [("resnet18", 100, 11_220_132), ("resnet50", 200, 20_278_536)]
)
def test_the_number_of_parameters(load: Load, name: str, classes: int, parameters: int) -> None:
    with torch.device("meta"):
        model: nn.Module = getattr(load("resnet"), name)(classes)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "blocks", "shapes"),
    [
        ("resnet18", 8, [(64, 32), (64, 32), (128, 16), (128, 16), (256, 8), (256, 8), (512, 4), (512, 4)]),
        ("resnet50", 12, [(256, 32)] * 3 + [(512, 16)] * 3 + [(1024, 8)] * 3 + [(2048, 4)] * 3),
    ],
)
def test_channels_and_pixels_after_each_block(
    load: Load, name: str, blocks: int, shapes: list[tuple[int, int]]
) -> None:
    module = load("resnet")
    with torch.device("meta"):
        model = getattr(module, name)(10)
        found, images = [], torch.randn(2, 3, 32, 32)
        for layer in model:
            images = layer(images)
            if isinstance(layer, module.Residual):
                found.append(tuple(images.shape[1:3]))
    assert len(found) == blocks
    assert found == shapes


def test_the_stride_sits_on_the_3x3_convolution_that_begins_stages_2_to_4(load: Load) -> None:
    module = load("resnet")
    blocks = [layer for layer in module.resnet50(10, width=0.1) if isinstance(layer, module.Residual)]
    convolutions = [[c for c in block.body.modules() if isinstance(c, nn.Conv2d)] for block in blocks]
    assert [[c.kernel_size[0] for c in block] for block in convolutions] == [[1, 3, 1]] * 12
    strides = [[c.stride[0] for c in block] for block in convolutions]
    assert strides == [[1, 2 if block in (3, 6, 9) else 1, 1] for block in range(12)]


def test_a_shortcut_is_a_convolution_only_where_the_shape_changes(load: Load) -> None:
    module = load("resnet")
    for name, changing in (("resnet18", {2, 4, 6}), ("resnet50", {0, 3, 6, 9})):
        blocks = [b for b in getattr(module, name)(10, width=0.1) if isinstance(b, module.Residual)]
        assert {i for i, b in enumerate(blocks) if not isinstance(b.shortcut, nn.Identity)} == changing


def test_a_block_adds_its_input(load: Load) -> None:
    block = load("resnet").basic(4, 4, stride=1).eval()
    nn.init.zeros_(block.body[2][1].weight)  # the last batch normalisation: the body then gives 0
    images = torch.randn(2, 4, 8, 8)
    assert torch.equal(block(images), images.relu())


def test_batch_normalisation_follows_every_convolution_and_none_has_a_bias(load: Load) -> None:
    for name in ("resnet18", "resnet50"):
        layers = list(getattr(load("resnet"), name)(10, width=0.1).modules())
        convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
        assert all(isinstance(layers[i + 1], nn.BatchNorm2d) for i in convolutions)
        assert all(layers[i].bias is None for i in convolutions)


def test_no_width_leaves_fewer_channels_than_a_cpu_trains_safely(load: Load) -> None:
    for name in ("resnet18", "resnet50"):
        layers = getattr(load("resnet"), name)(10, width=0.01).modules()
        channels = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)]
        assert min(channels) == 16
