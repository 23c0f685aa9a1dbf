"""The paper's two Fashion-MNIST networks (arXiv:1912.11493, appendices A.1 and A.2)."""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

from lrsearch import Workload

Load = Callable[[str], ModuleType]

pytestmark = pytest.mark.usefixtures("real_data")


@pytest.mark.parametrize(("name", "parameters"), [("fully_connected", 266_610), ("cnn", 98_442)])
def test_the_papers_number_of_parameters(load: Load, name: str, parameters: int) -> None:
    workload: Workload = getattr(load("fashion_mnist"), name)()
    assert sum(p.numel() for p in workload.model.parameters()) == parameters


@pytest.mark.parametrize("name", ["fully_connected", "cnn"])
def test_a_batch_is_pixels_of_0_to_1_in_one_channel(load: Load, name: str) -> None:
    workload: Workload = getattr(load("fashion_mnist"), name)(batch_size=256)
    images, labels = workload.batches.batch(0, 0)  # type: ignore[union-attr]
    assert images.shape == (256, 1, 28, 28)
    assert images.dtype == torch.float32
    assert (float(images.min()), float(images.max())) == (0, 1)
    assert labels.shape == (256,)
    assert workload.model(images).shape == (256, 10)


def test_metrics_are_over_all_images_and_agree_with_one_pass_by_hand(load: Load) -> None:
    module = load("fashion_mnist")
    torch.manual_seed(0)
    workload: Workload = module.fully_connected()
    values = workload.evaluate(None)
    assert sorted(values) == ["test_accuracy", "test_loss", "train_loss"]
    data = module.datasets.fashion_mnist()
    with torch.inference_mode():
        train = nn.functional.cross_entropy(workload.model(data.train_images / 255), data.train_labels)
        logits = workload.model(data.test_images / 255)
    test = nn.functional.cross_entropy(logits, data.test_labels)
    assert values["train_loss"] == pytest.approx(float(train), rel=1e-5)
    assert values["test_loss"] == pytest.approx(float(test), rel=1e-5)
    assert values["test_accuracy"] == pytest.approx(
        int((logits.argmax(1) == data.test_labels).sum()) / 10_000
    )


def test_dropout_takes_whole_channels_after_every_relu(load: Load) -> None:
    workload: Workload = load("fashion_mnist").cnn(dropout=0.3)
    layers = list(workload.model)  # type: ignore[call-overload]
    after_relu = [layers[i + 1] for i, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    assert [(type(layer), layer.p) for layer in after_relu] == [(nn.Dropout2d, 0.3)] * 4
    assert workload.evaluate(100) == workload.evaluate(100)  # metrics are without it


def test_without_dropout_there_is_no_layer_of_it(load: Load) -> None:
    workload: Workload = load("fashion_mnist").cnn()
    assert not any(isinstance(layer, nn.Dropout2d) for layer in workload.model.modules())
