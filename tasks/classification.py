"""What the image classification tasks share: the training loss, and how a model does."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Mean cross-entropy (nats) of logits [B, classes] and labels [B]."""
    images, labels = batch
    return cross_entropy(model(images), labels)


def loss_and_accuracy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """That loss, and the fraction of images whose largest logit is that of their label."""
    images, labels = batch
    logits = model(images)
    return {
        "loss": cross_entropy(logits, labels),
        "accuracy": (logits.argmax(dim=1) == labels).to(torch.float32).mean(),
    }
