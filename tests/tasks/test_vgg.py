"""The paper's VGG networks (arXiv:1912.11493, appendices A.3 and A.5)."""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

Load = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("name", "classes", "parameters"), [("vgg11", 100, 9_274_532), ("vgg16", 200, 14_821_512)]
)
def test_the_number_of_parameters(load: Load, name: str, classes: int, parameters: int) -> None:
    with torch.device("meta"):
        model: nn.Module = getattr(load("vgg"), name)(classes)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(("name", "convolutions", "poolings"), [("vgg11", 8, 5), ("vgg16", 13, 5)])
def test_the_number_of_layers(load: Load, name: str, convolutions: int, poolings: int) -> None:
    model: nn.Module = getattr(load("vgg"), name)(10, width=0.1)
    kinds = [type(layer) for layer in model.modules()]
    assert (kinds.count(nn.Conv2d), kinds.count(nn.MaxPool2d)) == (convolutions, poolings)
    assert kinds.count(nn.Linear) == 1


def test_batch_normalisation_and_relu_follow_every_convolution_and_none_has_a_bias(load: Load) -> None:
    layers = list(load("vgg").vgg11(10, width=0.1))
    after = [
        (layer.bias, type(layers[i + 1]), type(layers[i + 2]))
        for i, layer in enumerate(layers)
        if isinstance(layer, nn.Conv2d)
    ]
    assert after == [(None, nn.BatchNorm2d, nn.ReLU)] * 8


@pytest.mark.parametrize(("name", "pixels"), [("vgg11", 32), ("vgg16", 64)])
def test_images_become_logits(load: Load, name: str, pixels: int) -> None:
    model: nn.Module = getattr(load("vgg"), name)(7, width=0.05)
    assert model(torch.randn(2, 3, pixels, pixels)).shape == (2, 7)


def test_width_is_a_factor_on_the_channels(load: Load) -> None:
    model = load("vgg").vgg11(10, width=0.25)
    channels = [layer.out_channels for layer in model if isinstance(layer, nn.Conv2d)]
    assert channels == [16, 32, 64, 64, 128, 128, 128, 128]
